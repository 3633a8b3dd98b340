"""The help of each command, as Typer prints it: what the package keeps of it."""

import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import typer

from sls_patterns_cli.cli import commands

FILE = Path(commands.__file__).with_name("help_pages.py")

COLUMNS = 80
"""With so many columns, and more, help is as wide as it gets."""

HEAD = f'''"""The help of each command. `make golden` writes it; a test compares it with Typer's."""

COLUMNS = {COLUMNS}
"""With so many columns, and more, help looks like this."""

PAGES = {{
'''


def printed(*words: str, columns: int = COLUMNS) -> str:
    """Return what Typer prints as help of a command."""
    with mock.patch.dict(os.environ, COLUMNS=str(columns)), redirect_stdout(StringIO()) as shown:
        arguments = [*words, "--help"]
        assert commands.app(arguments, prog_name="sls-patterns", standalone_mode=False) == 0
    return shown.getvalue()


def every_command() -> Iterator[tuple[str, ...]]:
    """Yield the words of each command, and of each group of them."""
    yield ()
    yield from _below((), typer.main.get_command(commands.app))


def _below(words: tuple[str, ...], group: object) -> Iterator[tuple[str, ...]]:
    if isinstance(group, typer.core.TyperGroup):
        for name, command in group.commands.items():
            yield (*words, name)
            yield from _below((*words, name), command)


def module() -> str:
    """Return the module that holds the help of each command."""
    return f"{HEAD}{''.join(map(_entry, every_command()))}}}\n"


def _entry(words: tuple[str, ...]) -> str:
    key = str(words).replace("'", '"')
    text = printed(*words)
    assert text.isascii(), words  # what every terminal can print
    assert "\\" not in text
    assert '"""' not in text
    return f'    {key}: """\\\n{text}""",\n'
