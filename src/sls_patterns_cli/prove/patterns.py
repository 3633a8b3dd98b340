"""Events that match a pattern, as rules, filter policies and event sources have them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

ANY = "sls-patterns"
"""What a field has of which only something is excluded."""

MISSING = object()


def matching(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event that a pattern matches: of alternatives the first."""
    event: dict[str, Any] = {}
    for key, wanted in pattern.items():
        if key == "$or":
            event |= matching(wanted[0]) if wanted else {}
        elif isinstance(wanted, Mapping):
            event[key] = matching(wanted)
        else:
            value = _value(wanted if isinstance(wanted, Sequence) else [wanted])
            if value is not MISSING:
                event[key] = value
    return event


def _value(wanted: Sequence[Any]) -> Any:
    """Return what one of the alternatives takes, or MISSING where the field must not be there."""
    if not wanted:
        return ANY
    first = wanted[0]
    if not isinstance(first, Mapping):
        return first
    operator, operand = next(iter(first.items()), ("exists", True))
    answer = _OPERATORS.get(operator)
    return answer(operand) if answer else ANY


def _text_of(operand: Any) -> Any:
    """Return the text of a comparison, which may ignore the case."""
    return next(iter(operand.values()), ANY) if isinstance(operand, Mapping) else operand


def _other(operand: Any) -> Any:
    """Return what is none of what is excluded."""
    excluded = operand if isinstance(operand, list) else [operand]
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in excluded):
        return max(excluded) + 1
    return ANY


def _number(operand: Any) -> float:
    """Return a number within the limits."""
    limits = list(zip(operand[::2], operand[1::2], strict=False))
    exact = [limit for sign, limit in limits if sign == "="]
    if exact:
        return float(exact[0])
    lower = [limit for sign, limit in limits if sign.startswith(">")]
    upper = [limit for sign, limit in limits if sign.startswith("<")]
    if lower and upper:
        return float(lower[0] + upper[0]) / 2
    return float(lower[0] + 1) if lower else float(upper[0] - 1) if upper else 0.0


_OPERATORS: Mapping[str, Callable[[Any], Any]] = {
    "exists": lambda wanted: ANY if wanted else MISSING,
    "prefix": lambda text: f"{_text_of(text)}{ANY}",
    "suffix": lambda text: f"{ANY}{_text_of(text)}",
    "equals-ignore-case": _text_of,
    "wildcard": lambda text: str(text).replace("*", ANY),
    "anything-but": _other,
    "numeric": _number,
    "cidr": lambda block: str(ipaddress.ip_network(block, strict=False)[0]),
}
