"""What several commands take: arguments and options, and how they are read."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers


def here() -> Path:
    """The project that the current folder is or lies in; the current folder if there is none."""
    try:
        root = answers.project_around(Path())
    except FileNotFoundError:  # the current folder was deleted
        root = None
    return Path() if root is None else Path(os.path.relpath(root))


def _here_if_left_out(path: Path) -> Path:
    return here() if path == Path() else path


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ProjectPath = Annotated[
    Path,
    typer.Argument(
        metavar="[PATH]",
        help="The project's folder; by default the one that this folder is or lies in.",
        callback=_here_if_left_out,
    ),
]


def pairs(option: str, form: str, given: Iterable[str] | None) -> Iterator[tuple[str, str]]:
    """Yield name and value of what an option was given, in a form such as `NAME=VALUE`.

    Raises UserError for what is not of the form.
    """
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not (separator and name):
            raise UserError(f"{option} {pair!r} is not of the form {form}")
        yield name, value
