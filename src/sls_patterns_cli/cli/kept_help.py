"""The help of a command as it is kept (help_pages.py): then no command has to be imported."""

import os
import sys
from collections.abc import Sequence

from sls_patterns_cli.cli.help_pages import COLUMNS, PAGES

HELP = frozenset({"--help", "-h"})

COMPLETION = "_SLS_PATTERNS_COMPLETE"
"""Set by a shell that completes what is typed, which Typer answers in the place of a command."""


def show(arguments: Sequence[str]) -> bool:
    """Show the help that is asked for; False if it is not kept, or cannot be written.

    It then is for the command itself, which says what is wrong.
    """
    *words, last = arguments or ["--help"]
    page = PAGES.get(tuple(words)) if last in HELP else None
    if page is None or COMPLETION in os.environ or not _suits():
        return False
    try:
        sys.stdout.write(page)
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _suits() -> bool:
    """Whether stdout is there, and help looks there as it does with `COLUMNS`.

    Does as `shutil.get_terminal_size`, whose import takes longer than all the rest.
    """
    if sys.stdout is None:
        return False
    if columns := os.environ.get("COLUMNS"):
        return columns.isdecimal() and int(columns) >= COLUMNS
    try:
        width = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no terminal
        return True
    return width == 0 or width >= COLUMNS
