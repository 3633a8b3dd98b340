"""Which letters a command is about: by id, by group, by age, or all."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.letter import Letter

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Selection:
    """What is chosen; without ids and groups every letter of the age is."""

    ids: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """What came later may be what failed again."""

    @property
    def is_everything(self) -> bool:
        return not (self.ids or self.groups) and self.older_than is self.newer_than is None

    def takes(self, letter: Letter, group: str) -> bool:
        """Tell whether a letter of this group is chosen."""
        age = self.started_at - letter.sent_at
        return (
            letter.sent_at <= self.started_at
            and (self.older_than is None or age >= self.older_than)
            and (self.newer_than is None or age <= self.newer_than)
            and self.names(letter, group)
        )

    def names(self, letter: Letter, group: str) -> bool:
        """Tell whether a letter of this group is named, where any letter or group is."""
        return (
            not (self.ids or self.groups)
            or not self.ids.isdisjoint({letter.id, letter.message_id})
            or group in self.groups
        )


def age(text: str) -> timedelta:
    """Return the age that a text such as `90m`, `12h` or `3d` says; raises UserError."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise UserError(f"{text!r} is no age: write a number and s, m, h or d, such as 12h.")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
