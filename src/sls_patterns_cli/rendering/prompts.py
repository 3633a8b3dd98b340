"""Wraps what a prompt says about its choices to the width of the terminal.

The template wraps for 80 columns, as Copier alone shows it; questionary cuts longer lines.
"""

import shutil
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from questionary import Choice

from sls_patterns_cli.rendering.copier_parts import Question

INDENT = " " * 6


@contextmanager
def fitted() -> Iterator[None]:
    """Let Copier ask with choices that fit in the terminal."""
    original = vars(Question)["_formatted_choices"]

    def formatted(question: Question) -> list[Choice]:
        choices: list[Choice] = original.func(question)
        for choice in choices:
            choice.title = fitting(str(choice.title))
        return choices

    replacement = cached_property(formatted)
    replacement.__set_name__(Question, "_formatted_choices")
    try:
        Question._formatted_choices = replacement  # type: ignore[method-assign,assignment] # noqa: SLF001
        yield
    finally:
        Question._formatted_choices = original  # type: ignore[method-assign] # noqa: SLF001


def fitting(title: str) -> str:
    """Return the title of a choice so that it fits in the terminal."""
    return wrapped(title, shutil.get_terminal_size().columns)


def wrapped(title: str, columns: int) -> str:
    """Return the title of a choice, its first line a name, with the rest in so many columns."""
    name, *lines = title.splitlines()
    meaning = " ".join(line.strip() for line in lines)
    width = max(columns - 1, 2 * len(INDENT))
    return "\n".join(
        [name, *textwrap.wrap(meaning, width, initial_indent=INDENT, subsequent_indent=INDENT)]
    )
