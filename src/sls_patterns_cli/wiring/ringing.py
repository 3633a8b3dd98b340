"""When the alarms of a stack go off: they are read from their properties, then evaluated."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sls_patterns_cli.alarms import evaluation, template
from sls_patterns_cli.alarms.expression import UnknownExpressionError
from sls_patterns_cli.alarms.series import Metric, Series, UnknownStatisticError
from sls_patterns_cli.cloudformation.stack import Resource, Stack

SETTLED = 10
"""For so many periods nothing happens first."""

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


def goes_off(
    alarm: evaluation.Alarm, metrics: Mapping[Metric, Series], since: int, until: int
) -> int | None:
    """Return at which second an alarm first goes off after another; None: not before the last.

    Raises one of UnknownAlarmError.
    """
    return first_on(evaluation.changes(alarm, metrics, until), since)


def first_on(changes: Iterable[evaluation.Change], since: int) -> int | None:
    """Return at which second an alarm first goes off after another."""
    alarms = (each.at for each in changes if each.state is evaluation.State.ALARM)
    return next((at for at in alarms if at > since), None)


def _resolved(stack: Stack, value: Any) -> Any:
    """Return properties with a number or text in the place of each intrinsic function."""
    if isinstance(value, list):
        return [_resolved(stack, each) for each in value]
    if not isinstance(value, dict):
        return value
    if any(name == "Ref" or name.startswith("Fn::") for name in value):
        number = stack.number(value)
        return stack.text(value) if number is None else number
    return {
        name: stack.text_in_numbers(each) if name == "Expression" else _resolved(stack, each)
        for name, each in value.items()
    }
