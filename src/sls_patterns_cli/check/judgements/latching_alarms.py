"""SP306: alarms in which a message that stays in one queue hides those that come into another."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import ALARM, Query, has_listeners, queries

DEPTH = "ApproximateNumberOfMessagesVisible"


def faults(stack: Stack) -> Iterator[Fault]:
    for alarm in stack.of_type(ALARM):
        depths = [each for each in queries(alarm) if each.name == DEPTH]
        if len(depths) > 1 and has_listeners(stack, alarm) and _latches(stack, alarm, depths):
            yield Fault(
                "SP306",
                alarm.name,
                "While a message stays in one of its queues, nobody is told of those that come "
                "into the others.",
                "Give each queue an alarm of its own, or watch what comes into each:\n"
                "IF(depth > 0 AND FILL(DIFF(depth), 1) > 0, 1, 0) in 1 of 20 minutes, with the "
                "messages in flight as a part of depth.",
                ("Properties", "Metrics"),
            )


def _latches(stack: Stack, alarm: Resource, depths: list[Query]) -> bool:
    """Tell whether a message goes unnoticed because there is one in another queue."""
    from sls_patterns_cli.alarms.series import Series, Values
    from sls_patterns_cli.wiring import ringing

    try:
        read = ringing.read(stack, alarm)
        of_id = {each.id: each.metric for each in read.queries}
        one, other = (of_id[each.id] for each in (depths[0], depths[-1]))
        comes = ringing.SETTLED * read.period
        until = 2 * comes + read.periods * read.period

        def depth(since: int) -> Series:
            """One message since then; before it the queue is empty."""
            times = range(-until, until, 60)
            return Series([Values(at, float(at >= since)) for at in times])

        def is_told(*, parked: bool) -> bool:
            metrics = {
                **{metric: depth(until) for metric in of_id.values()},
                one: depth(-until if parked else until),
                other: depth(comes),
            }
            return ringing.goes_off(read, metrics, comes, until) is not None

        return one != other and is_told(parked=False) and not is_told(parked=True)
    except ringing.UnknownAlarmError:
        return False
