"""What operators do about dead letters, by `sls-patterns letters`."""

from dataclasses import dataclass
from typing import Any

from e2e.harness.tool import ask


@dataclass
class DeadLetter:
    queue: str
    what: Any
    why: str


def listed_dead_letters() -> list[DeadLetter]:
    """Return what `make dead-letters` lists, one by one."""
    return [DeadLetter(**each) for each in ask("dead-letters")]


def dead_letter_of(text: str) -> DeadLetter | None:
    """Return the first that `make dead-letters` lists whose content has this text."""
    return next((each for each in listed_dead_letters() if text in str(each.what)), None)


def redrive_all(*executions: str) -> None:
    """Do what `make redrive` does; nothing may stay, but executions that nobody names."""
    redriven = ask("redrive", executions=executions)
    assert redriven["done"], redriven


def redrive_in_vain() -> list[str]:
    """Do what `make redrive` does; return why letters stay where they are."""
    reasons: list[str] = ask("redrive", executions=[])["reasons"]
    return reasons
