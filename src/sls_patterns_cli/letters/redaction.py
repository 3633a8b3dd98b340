"""Payloads without the values of fields whose names say that they are secret or personal.

Powertools masks fields too, but only those that one names, by a path.
"""

import re
from collections.abc import Iterable
from typing import Any

from sls_patterns_cli.letters.letter import decoded

HIDDEN = "***"
NAMES = (
    "address",
    "authorization",
    "birth",
    "card",
    "cookie",
    "credential",
    "email",
    "iban",
    "ip",
    "mail",
    "name",
    "passport",
    "password",
    "phone",
    "secret",
    "session",
    "signature",
    "ssn",
    "street",
    "token",
    "zip",
)
"""Words of a field's name that hide its value."""


class Filter:
    """Hides the values of fields that have one of these words in their names."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._words = {*NAMES, *(word.lower() for each in more for word in _words(each))}

    def redacted(self, value: Any) -> Any:
        """Return a value with `***` in the place of what is hidden, also in JSON that is text."""
        if isinstance(value, list):
            return [self.redacted(each) for each in value]
        if isinstance(value, dict):
            return {
                key: HIDDEN if self._hides(str(key)) and inner else self.redacted(inner)
                for key, inner in value.items()
            }
        if isinstance(value, str) and value[:1] in {"{", "["}:
            return self.redacted(inner) if (inner := decoded(value)) != value else value
        return value

    def _hides(self, name: str) -> bool:
        return any(word.lower() in self._words for word in _words(name))


def _words(name: str) -> list[str]:
    """Return the words of a name: `customerEmail` and `customer_email` have the same two."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
