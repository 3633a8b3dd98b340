"""The history of a letter: when it was sent, when it failed, when it expires, and its log lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sls_patterns_cli.letters.letter import UNREADABLE, Cause, Letter, at
from sls_patterns_cli.letters.listing import ids_of
from sls_patterns_cli.letters.logs import Line
from sls_patterns_cli.letters.stores import unwrapped
from sls_patterns_cli.letters.ways.way import Way


@dataclass(frozen=True)
class History:
    """What happened to a letter; None for what neither the letter nor the log says."""

    sent_at: datetime
    received: int
    failed_at: datetime | None
    expires_at: datetime | None
    lines: list[Line]
    """What the log of the function has about it, in order."""


def history_of(
    way: Way, letter: Letter, cause: Cause, retention: timedelta | None, *, with_log: bool
) -> History:
    """Return the history of a letter; with its log lines only if asked, as that is a call or two.

    `retention` is for how long its end keeps letters.
    """
    log = way.context.logs.of(way.failed) if with_log else None
    lines = log.lines_about(ids_of(letter, cause), letter.sent_at) if log else []
    errors = [line.at for line in lines if line.error]
    return History(
        letter.sent_at,
        letter.received,
        next(_said(letter), None) or (errors[-1] if errors else None),
        letter.sent_at + retention if retention else None,
        lines,
    )


def _said(letter: Letter) -> Iterator[datetime]:
    """Yield when it failed, as a record of Lambda or an event of Step Functions says it."""
    content: Any = unwrapped(letter).content
    if not isinstance(content, dict):
        return
    detail = content.get("detail")
    try:
        if isinstance(detail, dict) and detail.get("stopDate"):
            yield at(int(detail["stopDate"]))
        elif "requestContext" in content or "context" in content:
            said = datetime.fromisoformat(content["timestamp"])
            yield said if said.tzinfo else said.replace(tzinfo=UTC)
    except UNREADABLE:
        return
