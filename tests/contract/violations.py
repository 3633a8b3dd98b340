"""What the contract says of a stack that breaks it."""

from typing import Any, NamedTuple


class Violation(NamedTuple):
    """One broken rule: the resource, by its logical id, and one sentence that says what must be."""

    rule: str
    resource: str
    says: str

    def __str__(self) -> str:
        return f"{self.rule} {self.resource}: {self.says}"


def is_but(rule: str, resource: str, name: str, value: Any, must: str) -> Violation:
    """A property that is something else than it must be."""
    is_ = "missing" if value is None else value
    return Violation(rule, resource, f"{name} is {is_}, but must be {must}")
