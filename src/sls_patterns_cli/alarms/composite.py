"""Alarms on alarms: in which state they are, and when another alarm keeps their actions back.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sls_patterns_cli.alarms.evaluation import Change, State
from sls_patterns_cli.alarms.syntax import parsed

SPELLED = {"AND": "and", "OR": "or", "NOT": "not", "TRUE": "True", "FALSE": "False"}


class UnknownRuleError(ValueError):
    """A rule of a composite alarm that is none."""


@dataclass(frozen=True)
class Composite:
    """A composite alarm; an alarm that is its suppressor keeps its actions back."""

    name: str
    rule: str
    suppressor: str | None = None
    wait: int = 0
    """How long its actions wait for the suppressor to go off, in seconds."""
    extension: int = 0
    """How long they wait after the suppressor went back, in seconds."""


def changes(composite: Composite, of_alarms: Mapping[str, Sequence[Change]]) -> list[Change]:
    """Return each change of a composite alarm's state, which begins as OK.

    Args:
        composite: its rule.
        of_alarms: the changes of each alarm that the rule names, all of which begin as OK.

    Raises:
        UnknownRuleError: the rule cannot be read, or names an alarm that is not there.
    """
    rule = _parsed(composite.rule)
    times = sorted({change.at for each in of_alarms.values() for change in each})
    found, state = [], State.OK
    for at in [0, *times]:
        states = {name: state_at(each, at) for name, each in of_alarms.items()}
        now = State.ALARM if _holds(rule, states) else State.OK
        if now is not state:
            found.append(Change(at, now))
        state = now
    return found


def told(
    composite: Composite, own: Sequence[Change], of_alarms: Mapping[str, Sequence[Change]]
) -> list[int]:
    """Return the seconds in which a composite alarm's actions for ALARM run.

    With a suppressor they wait up to `wait` for it to go off; while it is, and for `extension`
    after it, none runs. What is still an alarm then is told at last.
    """
    if composite.suppressor is None:
        return [change.at for change in own if change.state is State.ALARM]
    suppressing = of_alarms[composite.suppressor]
    found = []
    for change in own:
        if change.state is not State.ALARM:
            continue
        until = next((each.at for each in own if each.at > change.at), None)
        at = _released(suppressing, change.at, composite)
        if at is not None and (until is None or at < until):
            found.append(at)
    return found


def state_at(changes: Sequence[Change], at: int) -> State:
    """Return the state at a time of an alarm that has begun as OK."""
    return next((each.state for each in reversed(changes) if each.at <= at), State.OK)


def _released(suppressing: Sequence[Change], at: int, composite: Composite) -> int | None:
    """Return when nothing keeps back any more what went off at `at`; None if that never comes."""
    if state_at(suppressing, at) is not State.ALARM:
        waited = at + composite.wait
        off = [each for each in suppressing if each.state is State.ALARM and each.at > at]
        if not off or off[0].at > waited:
            return waited
        at = off[0].at
    back = next((each for each in suppressing if each.at > at), None)
    return None if back is None else back.at + composite.extension


@lru_cache(maxsize=64)
def _parsed(rule: str) -> ast.expr:
    try:
        return parsed(rule, SPELLED)
    except SyntaxError as error:
        raise UnknownRuleError(f"{rule} is no rule of a composite alarm") from error


def _holds(node: ast.expr, states: Mapping[str, State]) -> bool:
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(each, states) for each in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_holds(each, states) for each in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand, states)
        case ast.Call(func=ast.Name(id=state), args=[named]) if state in State.__members__:
            return states[_named(named, states)] is State[state]
    raise UnknownRuleError(f"{ast.unparse(node)} is in no rule of a composite alarm")


def _named(node: ast.expr, states: Mapping[str, State]) -> str:
    """Return the name of an alarm, which a rule has with or without quotes, or in an ARN."""
    text = node.value if isinstance(node, ast.Constant) else ast.unparse(node)
    name = str(text).rpartition(":alarm:")[2]
    if name not in states:
        raise UnknownRuleError(f"{name} is no alarm that is known here")
    return name
