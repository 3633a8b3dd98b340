"""SP307: alarms that nothing can set off, whatever their metrics report."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import ALARM, queries


def faults(stack: Stack) -> Iterator[Fault]:
    for alarm in stack.of_type(ALARM):
        reason = _reason(stack, alarm)
        if reason:
            yield Fault(
                "SP307",
                alarm.name,
                f"It can never go off: {reason}.",
                "Compare a count with the Sum of its metric, and a share of 1 with a share of 1.",
                ("Properties", "Threshold"),
            )


def _reason(stack: Stack, alarm: Resource) -> str | None:
    """Say why an alarm cannot go off; None if it can, or if nobody here can tell."""
    from sls_patterns_cli.wiring import attainable, ringing

    try:
        read = ringing.read(stack, alarm)
        span = attainable.beyond_reach(read)
    except ringing.UnknownAlarmError:
        return None
    if span is None:
        return None
    if span.lowest is None or span.highest is None:
        return "its value is always missing"
    (first, *others) = queries(alarm)
    what = "its value" if others or alarm.get("Metrics") else f"{first.statistic} of {first}"
    above = read.comparison.startswith("Greater")
    bound = f"at most {span.highest:g}" if above else f"at least {span.lowest:g}"
    than = "above" if above else "below"
    least = "" if read.comparison.endswith("ThanThreshold") else "or equal to "
    return f"{what} is {bound}, and would have to be {than} {least}{read.threshold:g}"
