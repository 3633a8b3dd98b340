"""Queues of which no message is processed: read from the queue, whatever its consumer does.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import ALARM, Query, is_dimension, queries

METRICS = {
    "deleted": ("NumberOfMessagesDeleted", "Sum"),
    "waiting": ("ApproximateNumberOfMessagesVisible", "Maximum"),
    "hidden": ("ApproximateNumberOfMessagesNotVisible", "Maximum"),
}
AGE = ("ApproximateAgeOfOldestMessage", "Maximum")
FORM = re.compile(
    r"IF\((?P<deleted>\w+) == 0 AND (?P<waiting>\w+) \+ (?P<hidden>\w+) >= (?P<least>\d+), "
    r"(?P<instead>\d+), (?P<otherwise>\w+)\)"
)

# Fewer may be those that fail alone, and more are told of late.
STUCK_MESSAGES = 3
# In minutes: a message may take that long, and an outage pages within five minutes.
FEWEST, MOST = 3, 4


@dataclass(frozen=True)
class Standstill:
    """A part of an expression: a number while a queue stands still, a metric otherwise."""

    named: dict[str, str]
    """The ids of the three metrics of the queue."""
    least: int
    instead: int
    otherwise: str


def standstills(expression: str) -> list[Standstill]:
    return [
        Standstill(
            {name: found[name] for name in METRICS},
            int(found["least"]),
            int(found["instead"]),
            found["otherwise"],
        )
        for found in FORM.finditer(expression)
    ]


BEHIND = re.compile(
    r"IF\(100 \* (?P<failed>\w+) > IF\((?P<calls>\w+) < \d+, 24, (?P<percent>\S+)\) "
    r"\* (?P=calls), 0, (?P<errors>[\w +]+)\)"
)
"""Errors that count while the alarms on the calls of their API do not page."""


def of_calls(expression: str) -> dict[str, str]:
    """Return the ids of the calls of an API and of those that fail, which only hide others."""
    found = BEHIND.search(expression)
    return {found["calls"]: "Count", found["failed"]: "5"} if found else {}


def allowed(expression: str) -> str | None:
    """Return from which share of the calls on an API pages, in percent, as such errors say it."""
    found = BEHIND.search(expression)
    return found["percent"] if found else None


def used(expression: str) -> set[str]:
    """Return the ids that a sum by + and - names, also those of what stands still."""
    if hiding := of_calls(expression):
        return used(BEHIND.sub(r"\g<errors>", expression)) | {*hiding}
    ids = {each for one in standstills(expression) for each in (*one.named.values(), one.otherwise)}
    rest = FORM.sub("", expression)
    return ids | {each for each in re.split(r"\s*[+-]\s*", rest) if each}


def misread(alarm: Resource, expression: str) -> Iterator[Violation]:
    """Say what in an expression is no standstill of one queue."""
    by_id = {each.id: each for each in queries(alarm)}
    for one in standstills(expression):
        found = [by_id[each] for each in one.named.values() if each in by_id]
        metrics = [(each.name, each.statistic) for each in found]
        queues = {str(each.dimensions) for each in found}
        if metrics != list(METRICS.values()) or len(queues) != 1:
            must = " and ".join(f"{statistic} of {name}" for name, statistic in METRICS.values())
            says = f"a queue stands still by {must}, of the same queue (fact C22)"
            yield Violation("alarm", alarm.name, says)


def tell(stack: Stack, queue: Resource, expressions: dict[str, str]) -> Iterator[Violation]:
    """Say why nobody is told within five minutes that no message of a queue is processed.

    `expressions` are those of the alarms, by name.
    """
    watching = [
        (alarm, one)
        for alarm in stack.of_type(ALARM)
        for one in standstills(expressions[alarm.name])
        if one.instead and _is_of(stack, queue, queries(alarm), one)
    ]
    if not watching:
        says = "no alarm goes off while none of its messages is processed (fact C22)"
        yield Violation("alarm", queue.name, says)
    for alarm, one in watching:
        if one.least != STUCK_MESSAGES:
            says = f"waits for {one.least} messages, but must for {STUCK_MESSAGES}"
            yield Violation("alarm", alarm.name, says)
        threshold, above = stack.number(alarm.get("Threshold")), alarm.get("ComparisonOperator")
        if threshold is None or one.instead <= threshold or above != "GreaterThanThreshold":
            says = f"{one.instead} in the place of {one.otherwise} must be above the threshold"
            yield Violation("alarm", alarm.name, says)
        periods = stack.number(alarm.get("EvaluationPeriods")) or 0
        if not FEWEST <= periods <= MOST:
            must = f"from {FEWEST} to {MOST}"
            yield is_but("alarm", alarm.name, "EvaluationPeriods", periods, must)


def _is_of(stack: Stack, queue: Resource, found: list[Query], one: Standstill) -> bool:
    by_id = {each.id: each for each in found}
    wanted = [(one.named[name], metric) for name, metric in METRICS.items()]
    return all(
        (query := by_id.get(metric_id))
        and (query.name, query.statistic) == metric
        and stack.number(query.period) == 60
        and is_dimension(stack, queue, query.dimensions.get("QueueName"))
        for metric_id, metric in [*wanted, (one.otherwise, AGE)]
    )
