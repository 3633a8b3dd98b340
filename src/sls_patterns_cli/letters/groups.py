"""Letters grouped by end and cause, without what is personal or differs from letter to letter."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from sls_patterns_cli.letters.letter import Cause, Letter

LONGEST_ERROR = 200
EXAMPLES = 3

VARYING = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+"  # an address
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,27}"
    r"|(?P<quote>['\"`]).*?(?P=quote)"
    r"|\b[0-9a-fA-F]{12,}\b"
    r"|\d+"
)


def masked(text: str) -> str:
    """Return a text with `…` for addresses, ids, numbers and quoted words: for what is personal."""
    short = VARYING.sub("…", " ".join(text.split()))
    return short if len(short) <= LONGEST_ERROR else f"{short[: LONGEST_ERROR - 1]}…"


def shown(cause: Cause) -> str:
    """Return a cause as lists print it."""
    return masked(str(cause)) or "no cause is recorded"


def group_of(end: str, failed: str, cause: Cause) -> str:
    """Return the id, 8 hex digits, of the letters of an end that failed there with this cause."""
    return hashlib.sha256(f"{end}\n{failed}\n{shown(cause)}".encode()).hexdigest()[:8]


@dataclass
class Group:
    """Letters of one end with one cause: how many, how old, and the ids of some."""

    id: str
    end: str
    failed: str
    kind: str
    cause: str
    count: int
    oldest: datetime
    newest: datetime
    examples: list[Letter]
    is_logged: bool = False
    """Whether the log says the error, and not the letters."""
    guess: str = ""
    """The error that the log has most often from the time in which they failed, as it has none with
    their ids."""
    unread: str = ""
    """That the log may not be read."""

    @classmethod
    def of(cls, letter: Letter, failed: str, kind: str, cause: Cause) -> "Group":
        return cls(
            group_of(letter.end, failed, cause),
            letter.end,
            failed,
            kind,
            shown(cause),
            0,
            letter.sent_at,
            letter.sent_at,
            [],
            cause.is_logged,
        )

    def add(self, letter: Letter) -> None:
        self.count += 1
        self.oldest, self.newest = (
            min(self.oldest, letter.sent_at),
            max(self.newest, letter.sent_at),
        )
        if len(self.examples) < EXAMPLES:
            self.examples.append(letter)
