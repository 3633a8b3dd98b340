"""What plain_parameters.py reads, it reads as Typer does, of which it replaces a private part."""

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
import typer
from command import Cli
from typer._coercion import build_runtime_param
from typer.core import TyperGroup, _TyperParameter

from sls_patterns_cli.cli import commands
from sls_patterns_cli.cli.plain_parameters import PlainParameter

ROOT = Path(__file__).parents[2]

IMPORTING = """
import sys
from sls_patterns_cli.cli import commands
code = commands.run(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
sys.exit(code)
"""

UNREADABLE = "unreadable"
TEXTS = ["", "-", "a", "a//b/", "./a", "ä€", " ", "1", "1.5", "true", "no", "a=b", UNREADABLE]
VALUES: list[Any] = [None, True, False, 0, 1.5, Path("a//b"), b"a", object, *TEXTS]
SEVERAL: list[Any] = [None, (), [], TEXTS, tuple(TEXTS), [Path("a")], ["a", None], "a", [["a"]], 1]


def parameters(command: Any, name: str = "") -> Iterator[tuple[str, _TyperParameter]]:
    """Yield each parameter of a command and of those below it, once for each kind."""
    for parameter in command.params:
        assert isinstance(parameter, _TyperParameter)
        yield f"{name}.{parameter.name}", parameter
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            yield from parameters(below, f"{name} {below.name}".strip())


COMMAND = typer.main.get_command(commands.app)
PARAMETERS = dict(parameters(COMMAND))


def read(parameter: _TyperParameter, runtime: Any, value: Any) -> Any:
    """Return what is read, or the complaint."""
    context = typer.Context(COMMAND)
    try:
        return runtime.coerce(value, parameter, context)
    except typer.BadParameter as error:
        return error.format_message()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_read_as_typer_reads_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(UNREADABLE).touch()
    access = os.access
    monkeypatch.setattr(  # root may read everything
        os, "access", lambda path, mode: Path(path).name != UNREADABLE and access(path, mode)
    )
    parameter = PARAMETERS[name]
    ours, theirs = parameter.get_runtime_param(), build_runtime_param(parameter.type_descriptor)
    assert isinstance(ours, PlainParameter)
    for value in SEVERAL if parameter.multiple or parameter.nargs == -1 else VALUES:
        expected = read(parameter, theirs, value)
        found = read(parameter, ours, value)
        assert (found, type(found)) == (expected, type(expected)), value
        if value == UNREADABLE and parameter.type_descriptor.is_path:
            assert "is not readable" in found


def test_every_kind_that_is_read_here_is_compared() -> None:
    kinds = [each.type_descriptor.annotation for each in PARAMETERS.values()]
    assert all(kind in kinds for kind in (str, Path, list[str], list[Path]))


def test_typer_is_pinned_and_has_what_is_replaced() -> None:
    pinned = re.search(r'"typer==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned
    assert version("typer") == pinned[1]
    assert "self.get_runtime_param().coerce(value, param=self, ctx=ctx)" in getsource(
        _TyperParameter.process_value
    )


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("list", "queue")),
        (0, ("show", "scalable-webhook", "--topology", "direct")),
        (0, ("check", "--at-least", "0.1.0")),
        (2, ("check", "nothing.yaml")),
        (2, ("deploy-role", "--environment", "test")),
        (2, ("local", "up", "nothing", "--parameter", "Name")),
        (2, ("letters", "show", "--stack", "one", "--older-than", "x")),
        (2, ("new", "nothing", "folder", "--defaults", "--data", "a=b")),
        (2, ("fix", "--waive", "one", "--dry-run")),
        (2, ("update", "--data", "a")),
    ],
)
def test_reading_parameters_imports_no_pydantic(
    cli: Cli, code: int, arguments: tuple[str, ...]
) -> None:
    done = Cli(cli.folder, cli.environment, (sys.executable, "-c", IMPORTING))(*arguments)
    modules = {*done.stderr.splitlines()[-1].split()}

    assert done.returncode == code
    assert "typer" in modules
    assert not modules & {"pydantic", "pydantic_core"}
