"""When the alarms of a stack go off: they are evaluated over what a queue or machine would report.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sls_patterns_cli.alarms import evaluation, template
from sls_patterns_cli.alarms.expression import UnknownExpressionError
from sls_patterns_cli.alarms.series import Metric, Series, UnknownStatisticError, Values
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import is_dimension, queries
from sls_patterns_cli.wiring.model import MACHINE, QUEUE

SETTLED = 10
"""For so many periods nothing happens first."""
DAY = 86_400

UnknownAlarmError = (
    template.UnreadableAlarmError,
    UnknownExpressionError,
    UnknownStatisticError,
)
"""Why nobody here can tell when an alarm goes off."""

When = int | Literal["never", "already on", "unknown"]
"""After how many minutes an alarm goes off; one that is on before tells nobody of what comes."""


def read(stack: Stack, alarm: Resource) -> evaluation.Alarm:
    """Return an alarm of a stack as it is evaluated; raises one of UnknownAlarmError."""
    return template.alarm_of(alarm.name, _resolved(stack, alarm.properties))


def minutes_until(stack: Stack, alarm: Resource, end: Resource) -> When:
    """Return when an alarm tells of the first message in a queue, or failure of a state machine.

    Of any other end it is unknown. Raises one of UnknownAlarmError.
    """
    reported = {QUEUE: _of_one_message, MACHINE: _of_one_failure}.get(end.type)
    if reported is None:
        return "unknown"
    found = read(stack, alarm)
    comes = SETTLED * found.period
    until = comes + min(DAY, 2 * found.periods * found.period + 7200)
    of_end: dict[Metric, Series] = {}
    for query, evaluated in zip(queries(alarm), found.queries, strict=True):
        if any(is_dimension(stack, end, value) for value in query.dimensions.values()):
            of_end[evaluated.metric] = reported(query.name, comes, until)
    changes = list(evaluation.changes(found, of_end, until))
    before = [each.state for each in changes if each.at <= comes]
    if before and before[-1] is evaluation.State.ALARM:
        return "already on"
    off = _first_on(changes, comes)
    return "never" if off is None else -(-(off - comes) // 60)


def goes_off(
    alarm: evaluation.Alarm, metrics: Mapping[Metric, Series], since: int, until: int
) -> int | None:
    """Return at which second an alarm first goes off after another; None: not before the last.

    Raises one of UnknownAlarmError.
    """
    return _first_on(evaluation.changes(alarm, metrics, until), since)


def _first_on(changes: Iterable[evaluation.Change], since: int) -> int | None:
    alarms = (each.at for each in changes if each.state is evaluation.State.ALARM)
    return next((at for at in alarms if at > since), None)


def _of_one_message(name: str, comes: int, until: int) -> Series:
    """Return what a queue reports each minute before and after a message has come."""
    times = range(comes % 60 + 30, until, 60)
    after = [at for at in times if at >= comes]
    values = {
        "ApproximateNumberOfMessagesVisible": [Values(at, float(at >= comes)) for at in times],
        "ApproximateNumberOfMessagesNotVisible": [Values(at, 0) for at in times],
        "ApproximateAgeOfOldestMessage": [Values(at, float(max(0, at - comes))) for at in times],
        "NumberOfMessagesSent": [Values(after[0], 1)],
    }
    return Series(values.get(name, []))


def _of_one_failure(name: str, comes: int, _until: int) -> Series:
    """Return what a state machine reports of a single execution, which has failed."""
    ended = {"ExecutionsStarted", "ExecutionsFailed"}
    return Series([Values(comes + 30, 1)] if name in ended else [])


def _resolved(stack: Stack, value: Any) -> Any:
    """Return properties with a number or text in the place of each intrinsic function."""
    if isinstance(value, list):
        return [_resolved(stack, each) for each in value]
    if not isinstance(value, dict):
        return value
    if any(name == "Ref" or name.startswith("Fn::") for name in value):
        number = stack.number(value)
        return stack.text(value) if number is None else number
    return {name: _resolved(stack, each) for name, each in value.items()}
