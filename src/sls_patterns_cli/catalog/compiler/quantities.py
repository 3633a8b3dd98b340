"""Numbers as code and text print them: `Duration.days(14)`, `1209600 # 14 days`, "six hours"."""

from dataclasses import dataclass
from typing import Literal

from sls_patterns_cli.catalog.compiler.records import Facts

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TIMES = ("never", "once", "twice")
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@dataclass(frozen=True)
class Count:
    """How many, or how often."""

    number: int

    @property
    def words(self) -> str:
        """Such as `five`; above ten in digits, as a sentence has it."""
        return WORDS[self.number] if self.number < len(WORDS) else str(self.number)

    @property
    def times(self) -> str:
        """Such as `twice` or `five times`."""
        return TIMES[self.number] if self.number < len(TIMES) else f"{self.words} times"

    def as_dict(self) -> Facts:
        """The number as templates read it."""
        return {"number": self.number, "words": self.words, "times": self.times}


@dataclass(frozen=True)
class Duration:
    """How long, in the unit in which people think of it."""

    amount: int
    unit: Literal["seconds", "minutes", "hours", "days"]

    @property
    def seconds(self) -> int:
        """As most properties of AWS have it."""
        return self.amount * SECONDS[self.unit]

    @property
    def text(self) -> str:
        """Such as `14 days`."""
        return f"{self.amount} {self.unit}"

    @property
    def words(self) -> str:
        """Such as `six hours`."""
        return f"{Count(self.amount).words} {self.unit}"

    def as_dict(self) -> Facts:
        """The duration as templates read it."""
        return {**vars(self), "seconds": self.seconds, "text": self.text, "words": self.words}
