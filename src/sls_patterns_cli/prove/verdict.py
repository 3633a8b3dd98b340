"""What came of an edge that was broken."""

from dataclasses import dataclass
from typing import Literal

from sls_patterns_cli.wiring.alarms import Told

Fault = Literal["error", "timeout", "throttle", "denied", "poison"]
FAULTS: tuple[Fault, ...] = "error", "timeout", "throttle", "denied", "poison"

Verdict = Literal["ended", "lost", "for-ever", "not-emulated", "no-stimulus"]

LOSING: tuple[Verdict, ...] = "lost", "for-ever"


@dataclass(frozen=True)
class Outcome:
    """Where a message ended that could not be processed.

    `ended_at` is the logical id of the end. `after_seconds` is how long that takes on AWS, None
    where AWS does not say; `attempts` how often it was tried; `taken_along` how many good messages
    went with a poison. `why` says what is not in a verdict. `back` is as what it came back, such as
    `messages`.
    """

    verdict: Verdict
    ended_at: str | None = None
    after_seconds: float | None = None
    alarmed: Told = False
    back: str | None = None
    taken_along: int | None = None
    why: str = ""
    attempts: int = 1
