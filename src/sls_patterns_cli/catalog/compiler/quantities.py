"""Numbers as code and text print them: `5` and "five times", `1209600` and "14 days"."""

from dataclasses import dataclass
from typing import Literal, TypedDict

Unit = Literal["seconds", "minutes", "hours", "days"]

SECONDS: dict[Unit, int] = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TIMES = ("never", "once", "twice")


class Number(TypedDict):
    """A count as templates read it."""

    number: int
    words: str
    """Such as `five`; above ten in digits."""
    times: str
    """Such as `twice` or `five times`."""


class Period(TypedDict):
    """A duration as templates read it."""

    amount: int
    unit: Unit
    seconds: int
    text: str
    """Such as `6 hours`."""
    words: str
    """Such as `six hours`."""


@dataclass(frozen=True)
class Count:
    """How many, or how often."""

    number: int

    @property
    def words(self) -> str:
        """The number in a sentence."""
        return WORDS[self.number] if self.number < len(WORDS) else str(self.number)

    @property
    def times(self) -> str:
        """How often, in a sentence."""
        return TIMES[self.number] if self.number < len(TIMES) else f"{self.words} times"

    def as_dict(self) -> Number:
        """The count as templates read it."""
        return {"number": self.number, "words": self.words, "times": self.times}


@dataclass(frozen=True)
class Duration:
    """How long, in the unit in which people think of it."""

    amount: int
    unit: Unit

    @property
    def seconds(self) -> int:
        """As most properties of AWS have it."""
        return self.amount * SECONDS[self.unit]

    @property
    def text(self) -> str:
        """As comments have it."""
        return f"{self.amount} {self.unit}"

    @property
    def words(self) -> str:
        """As sentences have it."""
        return f"{Count(self.amount).words} {self.unit}"

    def as_dict(self) -> Period:
        """The duration as templates read it."""
        return {
            "amount": self.amount,
            "unit": self.unit,
            "seconds": self.seconds,
            "text": self.text,
            "words": self.words,
        }
