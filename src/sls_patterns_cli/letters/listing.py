"""What is in the ends of a stack: totals, and letters by cause."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sls_patterns_cli.letters.aws import explained, is_denied
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.groups import Group, group_of, masked
from sls_patterns_cli.letters.letter import UNREADABLE, Cause, Letter
from sls_patterns_cli.letters.record import source_id
from sls_patterns_cli.letters.selection import Selection
from sls_patterns_cli.letters.stores import Counts, Queue
from sls_patterns_cli.letters.ways.messages import Messages
from sls_patterns_cli.letters.ways.way import Way

SHORT_LIFE = timedelta(days=1)
"""Letters that are deleted within this of their arrival may be gone before anybody is at work."""


@dataclass
class Listed:
    """What one end has; `drift` and `warnings` are one line each."""

    end: End
    counts: Counts | None
    retention: timedelta | None
    drift: list[str]
    warnings: list[str] = field(default_factory=list)
    seen: int = 0
    copies: int = 0
    """How many of what was seen are no letters of their own."""
    groups: dict[str, Group] = field(default_factory=dict)

    @property
    def unseen(self) -> int:
        return max(0, self.counts.total - self.seen) if self.counts else 0

    @property
    def total(self) -> str:
        """What was seen of how many, as `make dead-letters` says it."""
        return total(self.end.name, self.counts, self.seen)

    def expires(self, group: Group) -> datetime | None:
        """Return when the oldest letter of a group is deleted.

        Of a standard queue's message that counts from when it was first sent (fact X20).
        """
        return group.oldest + self.retention if self.retention else None


def total(name: str, counts: Counts | None, seen: int) -> str:
    if counts is None:
        return f"{name}: {seen} seen"
    told = f"{counts.visible} visible, {counts.in_flight} in flight, {counts.delayed} delayed"
    text = f"{name}: {seen} of {counts.total} seen ({told})"
    return f"{text}; not all seen" if seen < counts.total else text


def listed(
    end: End, selection: Selection, seen: Callable[[int, int | None], None] = lambda *_: None
) -> Listed:
    """Read every letter of an end once, and leave it there; raises UserError.

    `seen` gets how many letters were read so far, and how many SQS counts.
    """
    drift = list(end.confirm())
    with explained(end.name):
        seconds = end.store.retention_seconds()
        retention = timedelta(seconds=seconds) if seconds else None
        counts = end.store.counts()
        found = Listed(end, counts, retention, drift, list(_warnings(end, retention)))
        with end.store.reading() as reading:
            for batch in reading:
                for letter in batch:
                    _add(found, letter, selection)
                    reading.hold(letter)
                seen(reading.seen, counts.total if counts else None)
            found.seen, found.copies = reading.seen, reading.copies
        for group in found.groups.values():
            _guess(group, end)
    return found


def letters_of(end: End, selection: Selection) -> Iterator[tuple[Way, Letter, Cause]]:
    """Yield each chosen letter of an end once, with its way back and cause; raises UserError."""
    with explained(end.name), end.store.reading() as reading:
        for batch in reading:
            for letter in batch:
                way = end.way_of(letter)
                cause = cause_of(way, letter)
                if selection.takes(letter, group_of(letter.end, way.failed, cause)):
                    yield way, letter, cause
                    reading.hold(letter)
                else:
                    reading.skip(letter)


def group_in(way: Way, letter: Letter) -> str:
    """Return the id of the group that a letter with this way back is in."""
    return group_of(letter.end, way.failed, cause_of(way, letter))


def cause_of(way: Way, letter: Letter) -> Cause:
    """Return why a letter is there; of one that no service has sent, that it cannot be read.

    What the letter itself does not say, the log of the function may.
    """
    try:
        cause = way.cause(letter)
    except UNREADABLE as error:
        return Cause(f"cannot be read: {error!r}")
    log = None if _says_error(way, letter) else way.context.logs.of(way.failed)
    logged = log.error_of(ids_of(letter, cause), letter.sent_at) if log else ""
    return replace(cause, error=logged, is_logged=True) if logged else cause


def guess_of(way: Way, letter: Letter, cause: Cause) -> str:
    """Return the likely error of a letter of which neither it nor the log says one; "" for none."""
    log = None if cause.is_logged or _says_error(way, letter) else way.context.logs.of(way.failed)
    return masked(log.most_likely(letter.sent_at, letter.sent_at)) if log else ""


def ids_of(letter: Letter, cause: Cause) -> list[str]:
    """Return by what a log may name a letter: its message, the request that failed, the trace."""
    return list(
        dict.fromkeys(filter(None, (letter.id, letter.message_id, cause.request, letter.trace)))
    )


def _says_error(way: Way, letter: Letter) -> bool:
    return way.says_error or bool(source_id(letter))


def _add(found: Listed, letter: Letter, selection: Selection) -> None:
    way = found.end.way_of(letter)
    cause = cause_of(way, letter)
    id_ = group_of(letter.end, way.failed, cause)
    if not selection.names(letter, id_):
        return
    if id_ not in found.groups:
        found.groups[id_] = Group.of(letter, way.failed, way.kind, cause)
    found.groups[id_].add(letter)


def _guess(group: Group, end: End) -> None:
    """Name the likely error of a group, where neither its letters nor the log say one."""
    letter = group.examples[0]
    way = end.way_of(letter)
    if group.is_logged or _says_error(way, letter):
        return
    if log := way.context.logs.of(way.failed):
        group.guess = masked(log.most_likely(group.oldest, group.newest))
        group.unread = log.problem


def _warnings(end: End, retention: timedelta | None) -> Iterator[str]:
    """Say so if letters expire within a day of their arrival.

    A letter of a standard queue keeps the time of its first sending (fact X20): so much of its time
    is over when it arrives as its receives take.
    """
    from botocore.exceptions import ClientError

    for way in end.ways if retention else ():
        used = timedelta()
        if isinstance(way, Messages) and isinstance(end.store, Queue) and not end.store.is_fifo:
            source = Queue(way.edge.source, way.url, way.clients)
            try:
                used = timedelta(seconds=source.most_receives * source.visibility_seconds)
            except ClientError as error:
                if not is_denied(error):
                    raise
        left = retention - used if retention else timedelta()
        if left <= SHORT_LIFE:
            spent = f" after {hours(used)} in {way.edge.source}" if used else ""
            yield (
                f"its letters expire {hours(left)} after they arrive{spent}: "
                f"MessageRetentionPeriod is {hours(retention)}, and may be 14 days"
            )
            return


def hours(span: timedelta | None) -> str:
    """Return a span in hours, such as `21.6 h`."""
    return f"{max(0.0, span.total_seconds() / 3600):.3g} h" if span else "0 h"


def notes(end: End) -> list[str]:
    """Say what reading an end does, beside that it counts as a receive."""
    said = list(end.notes)
    store = end.store
    if isinstance(store, Queue) and store.redrive_policy:
        said.append("it has a redrive policy of its own: each listing counts as a receive")
    return said
