"""Alarms on messages that come into dead-letter queues, whatever is there already.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re
from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import queries

FORM = re.compile(
    r"IF\((?P<waiting>\w+) \+ (?P<hidden>\w+) > 0 "
    r"AND FILL\(DIFF\((?P=waiting) \+ (?P=hidden)\), 1\) > 0, 1, 0\)"
)
DEPTH = ("ApproximateNumberOfMessagesVisible", "Maximum")
HIDDEN = ("ApproximateNumberOfMessagesNotVisible", "Maximum")
# The first values of a queue that nobody has used come so many minutes late, all at once.
LATE = 15


def is_growth(expression: str) -> bool:
    return FORM.search(expression) is not None


def used(expression: str) -> set[str]:
    """Return the ids of metrics whose growth is a part of an expression."""
    return {each for found in FORM.finditer(expression) for each in found.groups()}


def rest(expression: str) -> str:
    """Return an expression without what grows."""
    return FORM.sub("", expression)


def growth(stack: Stack, alarm: Resource, expression: str) -> Iterator[Violation]:
    """Say why an alarm on what comes into queues misses some of it, or tells what is not so."""
    by_id = {each.id: each for each in queries(alarm)}
    depths = [each for each in by_id.values() if each.name == DEPTH[0]]
    if not is_growth(expression):
        # A single queue may be watched as it is: what stays there hides only what is like it.
        if len({str(each.dimensions) for each in depths}) > 1 and len(depths) == len(by_id):
            says = "sums queues: one message that stays in a queue hides those of others (fact C23)"
            yield Violation("alarm", alarm.name, says)
        return
    for found in FORM.finditer(expression):
        metrics = [by_id[each] for each in found.groups() if each in by_id]
        names = [(each.name, each.statistic) for each in metrics]
        if names != [DEPTH, HIDDEN] or len({str(each.dimensions) for each in metrics}) != 1:
            says = f"{found[0]} must be of {DEPTH[0]} and {HIDDEN[0]} of one queue (fact C23)"
            yield Violation("alarm", alarm.name, says)
    periods = stack.number(alarm.get("EvaluationPeriods")) or 0
    if periods <= LATE:
        must = f"more than {LATE}: the first values come late, all at once (fact C23)"
        yield is_but("alarm", alarm.name, "EvaluationPeriods", periods, must)
    if (needed := stack.number(alarm.get("DatapointsToAlarm"))) != 1:
        yield is_but("alarm", alarm.name, "DatapointsToAlarm", needed, "1")
    if alarm.get("OKActions"):
        must = "missing: messages are still there when no more come"
        yield is_but("alarm", alarm.name, "OKActions", "given", must)
