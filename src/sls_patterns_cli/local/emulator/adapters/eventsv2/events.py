"""What an event of a custom bus is to filters, transformers and parameters; it changes nothing.

AWS: every event has three parts. PutEvents makes of its entry the envelope that rules know and
keeps it as `Data`; PutRawEvents keeps `Data` as it was sent, with `Metadata`. `SystemMetadata` is
the service's, and all texts; a replayed event is marked there. An event must match each filter, one
a scope. The target gets `Data`, or all three, or what a JSONata expression makes of them; most
parameters of a target may be such expressions, too.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-addressing.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-filtering.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-transform.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonata
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge

SCOPES = {"DATA": "Data", "METADATA": "Metadata", "SYSTEM_METADATA": "SystemMetadata"}
OPEN, CLOSE = "{%", "%}"

LONGEST_MILLISECONDS = 1_000
"""For how long an expression may be evaluated here; AWS does not say."""

Seen = dict[str, Any]


class ExpressionError(Exception):
    """An expression that throws, or evaluates to nothing."""


@dataclass(frozen=True)
class Event:
    """An event as the bus keeps it; `at` is when it came, in seconds since the epoch."""

    id: str
    at: float
    data: Any
    system: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str | None:
        return self.system.get("EventGroupId")

    def seen(self, *, replayed: bool) -> Seen:
        """Return it as subscribers see it."""
        delivery = "REPLAY" if replayed else "LIVE"
        parts = {
            "Data": self.data,
            "SystemMetadata": {**self.system, "aws:DeliveryType": delivery},
        }
        return {**parts, "Metadata": dict(self.metadata)} if self.metadata else parts


def envelope(event_id: str, at: float, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the envelope that PutEvents makes of an entry; raises ValueError for no JSON."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": get_account_id(),
        "time": timestamp(entry.get("Time") or at),
        "region": get_region(),
        "resources": list(entry.get("Resources") or []),
        "detail": json.loads(entry.get("Detail") or "{}"),
    }


def timestamp(at: Any) -> str:
    """Return a time as events have it."""
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(seen: Seen, filters: list[dict[str, str]]) -> bool:
    """Tell whether an event matches every filter."""
    return all(_matches(seen.get(SCOPES[each["Scope"]]), each["Pattern"]) for each in filters)


def _matches(part: Any, pattern: str) -> bool:
    alternatives = eventbridge._compiled_pattern(pattern) or ()
    return any(eventbridge._matches_detail(part or {}, each) for each in alternatives)


def why_not_a_pattern(text: str) -> str:
    """Say why a text is no pattern, or '' if it is one."""
    return str(eventbridge._parse_pattern_text(text)[1] or "")


def why_not_an_expression(value: Any) -> str:
    """Say why an expression does not parse, '' for one that does and for what is none."""
    if not _is_expression(value):
        return ""
    try:
        _parsed(value)
    except jsonata.jexception.JException as error:
        return f"{value} is no expression: {error}"
    return ""


def transformed(seen: Seen, transformer: Mapping[str, Any]) -> Any:
    """Return what the target gets; raises ExpressionError."""
    match transformer.get("Type", "RAW"):
        case "RAW":
            return seen["Data"]
        case "WITH_METADATA":
            return seen
    return value(transformer["JsonataConfiguration"]["Expression"], seen)


def value(given: Any, seen: Seen) -> Any:
    """Return a parameter, or what it makes of an event if it is an expression.

    Raises ExpressionError where that is nothing.
    """
    if not _is_expression(given):
        return given
    try:
        found = _parsed(given).evaluate(None, {"events": seen})
    except jsonata.jexception.JException as error:
        raise ExpressionError(str(error)) from error
    if found is None:
        raise ExpressionError(f"{given} evaluates to nothing")
    return found


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(OPEN) and value.endswith(CLOSE)


def _parsed(expression: str) -> Any:
    text = expression[len(OPEN) : -len(CLOSE)].strip()
    return jsonata.Jsonata.jsonata(text, timeout=LONGEST_MILLISECONDS)
