"""Help is kept, so that no command is imported to show it; at other widths Typer prints it."""

import sys

import help_pages
import pytest
from command import Cli
from screen import plain_environment, see

from sls_patterns_cli.cli import kept_help
from sls_patterns_cli.cli.help_pages import PAGES

REPORTING = """
import sys
from sls_patterns_cli.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
"""The command, which at its end names the modules that it has imported."""


def imported(cli: Cli, *arguments: str, **environment: str) -> set[str]:
    command = (sys.executable, "-c", REPORTING)
    return {*Cli(cli.folder, cli.environment, command)(*arguments, **environment).stderr.split()}


def test_the_help_of_every_command_is_kept() -> None:
    assert [*PAGES] == [*help_pages.every_command()]


@pytest.mark.parametrize("columns", [80, 81, 120, 400])
def test_with_so_many_columns_or_more_help_looks_as_it_is_kept(columns: int) -> None:
    for words, page in PAGES.items():
        assert page == help_pages.printed(*words, columns=columns)


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("-h",), ("new", "-h"), ("local", "test", "--help")]
)
def test_help_imports_no_command(cli: Cli, arguments: tuple[str, ...]) -> None:
    modules = imported(cli, *arguments)

    assert "sls_patterns_cli.cli.kept_help" in modules
    assert not modules & {"typer", "dataclasses", "pathlib", "sls_patterns_cli.cli.commands"}


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 200])
def test_a_terminal_and_a_pipe_get_what_typer_prints(cli: Cli, columns: int) -> None:
    expected = help_pages.printed("local", "up", columns=columns)
    environment = plain_environment(cli.environment)
    shown = see([*cli.command, "local", "up", "--help"], cli.folder, environment, columns)

    assert shown.raw.decode().replace("\r\n", "\n") == expected
    assert cli("local", "up", "--help", COLUMNS=str(columns)).stdout == expected


@pytest.mark.parametrize("columns", ["0", "many", "-100"])
def test_columns_that_are_no_width_count_as_none(cli: Cli, columns: str) -> None:
    assert cli("show", "--help", COLUMNS=columns).stdout == PAGES["show",]


@pytest.mark.parametrize("arguments", [("nothing", "--help"), ("local test", "--help")])
def test_what_is_no_command_has_no_help(cli: Cli, arguments: tuple[str, ...]) -> None:
    refused = cli(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"sls-patterns: No such command '{arguments[0]}'")


def test_a_shell_that_completes_help_gets_no_help(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert kept_help.show(["--help"])
    monkeypatch.setenv("_SLS_PATTERNS_COMPLETE", "complete_bash")
    assert not kept_help.show(["--help"])

    completion = {"_SLS_PATTERNS_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    offered = cli("--help", COMP_WORDS="sls-patterns sho", **completion)
    assert offered.stdout.split() == ["show"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other system has /dev/full")
def test_help_that_cannot_be_written_is_an_error(cli: Cli) -> None:
    refused = cli.in_a_shell("> /dev/full", "show", "--help")
    assert refused.returncode == 1
    assert refused.stderr == "sls-patterns: cannot write: No space left on device\n"
    assert cli.in_a_shell(">&-", "show", "--help").returncode == 0
