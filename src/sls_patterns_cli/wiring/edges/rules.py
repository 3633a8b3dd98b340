"""Rules of EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html."""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import BUCKET, BUS, RULE, Edge, end_at, place_of

DEFAULT_BUS = "default"


def edges(stack: Stack) -> Iterator[Edge]:
    for rule in stack.of_type(RULE):
        source = source_of(stack, rule)
        for target in rule.items("Targets"):
            arn = target.get("Arn")
            end = end_at(stack, inside(target, "DeadLetterConfig", "Arn"))
            yield Edge(source, place_of(stack, arn).name, "eventbridge", rule.name, end)
            yield from invocation(stack, source, arn, rule)


def source_of(stack: Stack, rule: Resource) -> str:
    """Return the bucket whose objects a rule is about, or its bus; a schedule begins by itself."""
    if rule.get("ScheduleExpression") and not rule.get("EventPattern"):
        return rule.name
    if bucket := bucket_of(stack, rule):
        return bucket.name
    return bus_of(stack, rule.get("EventBusName"))


def bus_of(stack: Stack, bus: Any) -> str:
    """Return the bus that a name or ARN means."""
    return DEFAULT_BUS if bus is None else stack.place(bus, BUS).name


def bucket_of(stack: Stack, rule: Resource) -> Resource | None:
    """Return the one bucket of this stack whose objects a rule is about."""
    names = rule.get("EventPattern", "detail", "bucket", "name")
    if rule.get("EventPattern", "source") != ["aws.s3"]:
        return None
    if rule.get("EventBusName") not in (None, DEFAULT_BUS):
        return None
    if not isinstance(names, list) or len(names) != 1 or isinstance(names[0], list):
        return None
    return stack.found(names[0], BUCKET)
