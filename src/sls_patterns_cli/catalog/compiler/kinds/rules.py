"""Rules of EventBridge: those of a bus or bucket, and those that report failures."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Metric,
    Output,
    Reference,
    end_of,
)

RETRIES = 185
"""How often EventBridge tries again to deliver to the target of a rule: the default, and the most.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html"""

EVENT_AGE = Duration(24, "hours")
"""How long it tries: the default, and the most."""


def not_sent(rule: str) -> Metric:
    """What shows that a rule could not send to its queue."""
    return _of_default_bus(rule, "FailedInvocations")


def triggered(rule: str) -> Metric:
    """How many events a rule has matched."""
    return _of_default_bus(rule, "TriggeredRules")


def _of_default_bus(rule: str, name: str) -> Metric:
    """A metric of a rule of the default bus, by its logical id.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    return Metric("AWS/Events", name, "Sum", {"RuleName": Reference(rule, "ref")})


def metric(source: CompiledNode, target: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of the rule by which a bus or bucket sends events to a target (fact C9).

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    rule = f"{source['id']}To{target['id']}"
    code = f"{source['name']}-to-{target['name']}-rule"
    bus = source["kind"] == "event-bus"
    dimensions = {
        "RuleName": Reference(rule, "rule_name" if bus else "ref", code),
        **({"EventBusName": Reference(source["id"], "event_bus_name")} if bus else {}),
    }
    return Metric("AWS/Events", name, statistic, dimensions)


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that a rule of a bus or bucket could not keep what it could not deliver."""
    for target in node.targets:
        yield metric(node, target, "InvocationsFailedToBeSentToDlq")


def undelivered(node: CompiledNode) -> Iterator[Output]:
    """The addresses of the queues of what the rules of a bus or bucket could not deliver."""
    for edge in node.outgoing:
        yield queue.dead_letter_url(
            end_of(edge, "E3"),
            f"The queue of the events that could not be delivered to {edge['to']}",
        )
