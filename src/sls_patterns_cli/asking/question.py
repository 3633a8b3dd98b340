"""A question, what it offers, and what is wrong with an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Back(Exception):  # noqa: N818 - a wish, and no error
    """Raised instead of an answer: somebody wants the question before."""


@dataclass(frozen=True)
class Option:
    """One answer that a question offers.

    `beside` stands beside its name, `paragraphs` say what it means, and `drawing` is its picture,
    line by line. `also` is what a search finds instead of the paragraphs.
    """

    value: Any
    name: str
    beside: str = ""
    paragraphs: tuple[str, ...] = ()
    drawing: tuple[str, ...] = ()
    also: str = ""

    @property
    def line(self) -> str:
        """Its name, and what stands beside it."""
        return f"{self.name}  {self.beside}".rstrip()


def _no_objection(_answer: Any) -> str:
    return ""


@dataclass(frozen=True)
class Question:
    """A question that is answered by one of its options, by `several` of them, or by a text.

    Without options, or if it is `free`, any text is an answer to which `objection` has nothing to
    say. `default` is the value of an option, a list of values, or a text.
    """

    text: str
    options: tuple[Option, ...] = ()
    default: Any = None
    several: bool = False
    free: bool = False
    objection: Callable[[Any], str] = _no_objection

    def matching(self, text: str) -> list[Option]:
        """The options that mention all words of `text`, those first whose names do."""
        words = text.casefold().split()

        def has_words(text: str) -> bool:
            return all(word in text.casefold() for word in words)

        found = [
            each
            for each in self.options
            if has_words(f"{each.line} {each.also or ' '.join(each.paragraphs)}")
        ]
        return sorted(found, key=lambda each: not has_words(each.line))

    def said(self, answer: Any) -> str:
        """The answer in words."""
        if self.several:
            return ", ".join(self._said_of(each) for each in answer) or "none"
        return self._said_of(answer)

    def _said_of(self, value: Any) -> str:
        return next((each.line for each in self.options if each.value == value), str(value))
