"""What became of what the services delivered: a note for each attempt and each end.

Adapters write it where they decide, because only they know that nothing is pending. It is read by
`prove`, over HTTP (`proving.control`).
"""

import threading
from collections import deque
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any


@dataclass(frozen=True)
class GivenUp:
    """Something was given up. `end` is where it is kept, the ARN, or empty if it is lost.

    `mechanism` is one of those of `wiring`; `by` is what gave up: the ARN of a queue, function,
    rule, subscriber, subscription, schedule, pipe or delivery stream, or the UUID of an event
    source mapping.
    `seconds` is how long that takes on AWS, None where AWS does not document it.
    """

    mechanism: str
    by: str
    target: str
    end: str
    attempts: int = 1
    seconds: float | None = 0.0
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """A function, state machine or pipe had something to process; `consumer` is its ARN.

    `fault` is what it answered with, empty if it succeeded.
    """

    consumer: str
    event: Any
    fault: str


@dataclass(frozen=True)
class Delivered:
    """A rule or subscriber has delivered an event to a target; both are ARNs."""

    by: str
    target: str


MOST_NOTES = 100_000
"""Of a stack that runs for days the oldest are dropped."""

_notes: deque[dict[str, Any]] = deque(maxlen=MOST_NOTES)
_numbers = count()
_lock = threading.Lock()


def note(what: GivenUp | Attempt | Delivered) -> None:
    """Write it down."""
    with _lock:
        _notes.append({"number": next(_numbers), "kind": type(what).__name__, **asdict(what)})


def next_number() -> int:
    """Return the number of the next note."""
    with _lock:
        return _notes[-1]["number"] + 1 if _notes else 0


def since(number: int) -> list[dict[str, Any]]:
    """Return the notes from a number on, each with its `number` and `kind`."""
    with _lock:
        return [each for each in _notes if each["number"] >= number]
