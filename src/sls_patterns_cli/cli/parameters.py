"""What several commands take: arguments and options, and how they are read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from sls_patterns_cli.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ProjectPath = Annotated[Path, typer.Argument(metavar="[PATH]", help="The project's folder.")]


def pairs(option: str, form: str, given: Iterable[str] | None) -> Iterator[tuple[str, str]]:
    """Yield name and value of what an option was given, in a form such as `NAME=VALUE`.

    Raises UserError for what is not of the form.
    """
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not (separator and name):
            raise UserError(f"{option} {pair!r} is not of the form {form}")
        yield name, value
