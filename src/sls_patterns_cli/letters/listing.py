"""What is in the ends of a stack: totals, and letters by cause."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sls_patterns_cli.letters.aws import Clients, explained
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.groups import Group, group_of
from sls_patterns_cli.letters.letter import UNREADABLE, Cause, Letter
from sls_patterns_cli.letters.logs import error_of
from sls_patterns_cli.letters.selection import Selection
from sls_patterns_cli.letters.stores import Counts, Queue
from sls_patterns_cli.letters.ways.way import Way
from sls_patterns_cli.wiring.model import FUNCTION


@dataclass
class Listed:
    """What one end has; `drift` and `notes` are one line each."""

    end: End
    counts: Counts | None
    retention: timedelta | None
    drift: list[str]
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


def listed(end: End, clients: Clients, selection: Selection) -> Listed:
    """Read every letter of an end once, and leave it there; raises UserError."""
    drift = list(end.confirm())
    with explained(end.name):
        seconds = end.store.retention_seconds()
        retention = timedelta(seconds=seconds) if seconds else None
        found = Listed(end, end.store.counts(), retention, drift)
        with end.store.reading() as reading:
            for batch in reading:
                for letter in batch:
                    _add(found, letter, selection)
                    reading.hold(letter)
            found.seen, found.copies = reading.seen, reading.copies
        for group in found.groups.values():
            _look_up(group, end, clients)
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
    """Return why a letter is there; of one that no service has sent, that it cannot be read."""
    try:
        return way.cause(letter)
    except UNREADABLE as error:
        return Cause(f"cannot be read: {error!r}")


def _add(found: Listed, letter: Letter, selection: Selection) -> None:
    way = found.end.way_of(letter)
    cause = cause_of(way, letter)
    id_ = group_of(letter.end, way.failed, cause)
    if not selection.names(letter, id_):
        return
    if id_ not in found.groups:
        found.groups[id_] = Group.of(letter, way.failed, way.kind, cause)
    found.groups[id_].add(letter)


def _look_up(group: Group, end: End, clients: Clients) -> None:
    """Ask the logs of the function that failed for one letter, where no letter says the error."""
    letter = group.examples[0]
    way = end.way_of(letter)
    stack = way.context.stack
    function = stack.resources.get(way.failed)
    if way.says_error:
        return
    if function is None or function.type != FUNCTION or way.failed not in way.context.deployed.ids:
        return
    id_ = group.request or letter.id
    group.logged = error_of(clients, way.context.id(function.name), id_, letter.sent_at)


def notes(end: End) -> list[str]:
    """Say what reading an end does, beside that it counts as a receive."""
    said = list(end.notes)
    store = end.store
    if isinstance(store, Queue) and store.redrive_policy:
        said.append("it has a redrive policy of its own: each listing counts as a receive")
    return said
