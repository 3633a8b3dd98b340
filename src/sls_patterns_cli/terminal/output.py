"""Plain lines, tables and paragraphs on stdout, and errors on stderr."""

import json
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LOG_LINES = 40
"""How many lines of a failed program's log are shown."""

IN_ASCII = str.maketrans("│├└┬╞╘─═↑↓·", "||`+|`-=^v,")
"""What is drawn, for code pages without lines, such as cp1252: what every one of them has."""

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"


def show(text: str = "") -> None:
    """Print `text` and a line's end on stdout; everything there goes through here."""
    print(text)  # noqa: T201


def show_json(value: Any) -> None:
    """Print `value` as JSON, and nothing else."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    show(json.dumps(value, indent=2, ensure_ascii=not unicode))


def show_error(message: str, log: str = "") -> None:
    """Print an error as one line on stderr, whatever is in it; in a terminal after its log."""
    line = " ".join(message.split())
    if sys.stderr.isatty():
        for logged in log.rstrip().splitlines()[-LOG_LINES:]:
            print(f"  {logged}", file=sys.stderr)  # noqa: T201
    print(f"sls-patterns: {line}", file=sys.stderr)  # noqa: T201


def shown(path: Path) -> str:
    """`path` as commands in the current folder take it."""
    try:
        relative = os.path.relpath(path)
    except FileNotFoundError:  # the current folder was deleted
        return str(path)
    return f"./{relative}" if relative.startswith("-") else relative


def shown_quoted(path: Path) -> str:
    """The same for a shell."""
    return shlex.quote(shown(path))


def is_interactive() -> bool:
    """Whether a person looks on: stdout is a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns; what is too long for the last column is wrapped within it."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = sum(widths) + 2 * len(widths) + 2
    for *cells, last in rows:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
        paragraph(last, indent=" " * indent, first=f"  {start}")


def paragraph(text: str, indent: str = "  ", first: str | None = None) -> None:
    start = indent if first is None else first
    lines = textwrap.wrap(
        text,
        width=max(30 if is_interactive() else 60, shutil.get_terminal_size((100, 24)).columns),
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    show("\n".join(lines) if lines else start.rstrip())


def heading(text: str) -> None:
    show(f"\n{bold(text)}")


def bold(text: str) -> str:
    # https://no-color.org: any value that is not empty.
    return f"{_BOLD}{text}{_RESET}" if is_interactive() and not os.environ.get("NO_COLOR") else text
