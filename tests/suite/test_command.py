"""Each command does in a fork what it does as a process of its own, and forks share only code."""

from pathlib import Path
from typing import Any

import command
import pytest
import typer
from command import COPIER, Cli
from compiling import Compiled, settings
from jinja2 import Environment
from update.publication import git

from sls_patterns_cli.cli.commands import app

TEMPLATE = "Resources: {Orders: {Type: AWS::SQS::Queue}}\n"
COMMANDS: dict[str, tuple[str, ...]] = {
    "list": ("webhook", "--json"),
    "choose": ("--waits", "yes"),
    "show": ("scalable-webhook",),
    "check": ("template.yaml",),
    "prove": ("nowhere.yaml",),
    "deploy-role": ("template.yaml", "--stack", "shop", "--repository", "me/shop"),
    "dashboard": ("template.yaml",),
    "explain": ("alarms",),
    "harness": ("--stack", "nowhere"),
    "openapi": ("project",),
    "doctor": ("project", "--json"),
    "new": ("scalable-webhook", "project", "--defaults"),
    "update": ("project", "--to", "v0.0.1"),
    "fix": ("project",),
    "status": ("project", "--json"),
    "local": ("env", "project"),
    "letters": ("list", "project"),
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return command.environment(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "template.yaml").write_text(TEMPLATE)
    done = Cli(folder, environment)("new", "notifier", "project", "--defaults")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_in_a_fork_what_it_does_as_a_process(
    command: str, made: Path, environment: dict[str, str]
) -> None:
    cli = Cli(made, environment)

    forked = cli(command, *COMMANDS[command])
    process = cli.as_process(command, *COMMANDS[command])

    assert "Traceback" not in forked.stderr
    assert (forked.returncode, forked.stdout) == (process.returncode, process.stdout)
    assert forked.stderr == process.stderr


def test_each_command_is_compared() -> None:
    group = typer.main.get_command(app)

    assert set(group.commands) == set(COMMANDS)  # type: ignore[attr-defined]


def test_a_project_of_a_fork_is_that_of_a_process(cli: Cli) -> None:
    forked, process = cli.folder / "forked/hook", cli.folder / "process/hook"

    assert cli("new", "scalable-webhook", forked, "--no-git").returncode == 0
    assert cli.as_process("new", "scalable-webhook", process, "--no-git").returncode == 0

    first, second = (
        {
            file.relative_to(folder): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        for folder in (forked, process)
    )
    assert first == second


def test_what_python_reads_as_it_starts_takes_a_start(cli: Cli) -> None:
    done = cli("show", "scalable-wébhook", PYTHONIOENCODING="ascii")

    assert "\\xe9" in done.stderr


def test_a_fork_has_its_own_folder_and_environment(cli: Cli) -> None:
    (cli.folder / "shop").mkdir()
    other = Cli(cli.folder / "shop", cli.environment)

    assert "shop is not a project" in other("status").stderr
    assert "shop is not a project" not in cli("status").stderr
    told = other("doctor", "--json", AWS_ACCESS_KEY_ID="mine", AWS_PROFILE="").stdout
    assert "in the environment" in told


def test_git_of_copier_in_a_fork_has_its_folder_and_environment(cli: Cli) -> None:
    template = cli.folder / "template"
    template.mkdir()
    (template / "copier.yml").write_text("")
    (template / "made.txt").write_text("")
    git(template, "init", "--quiet")
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--message=made")
    rewritten = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://nowhere.invalid/template.git",
    }
    copier = Cli(cli.folder, cli.environment | rewritten, COPIER)

    done = copier("copy", "--vcs-ref=HEAD", "git+https://nowhere.invalid/template.git", "made")

    assert done.returncode == 0, done.stderr
    assert (cli.folder / "made/made.txt").exists()


def jinja(**options: Any) -> Environment:
    return Environment(**options)  # noqa: S701 (no HTML is written)


def begin(monkeypatch: pytest.MonkeyPatch, known: bytes | None = None) -> Compiled:
    """Begin as another process does."""
    monkeypatch.undo()
    monkeypatch.setattr(Environment, "compile", Environment.compile)  # is put back at the end
    compiled = Compiled()
    if known:
        compiled.learn(known)
    compiled.use()
    return compiled


def test_what_one_process_compiled_another_does_not_compile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = begin(monkeypatch)
    assert jinja().from_string("{{ 1 + 1 }}").render() == "2"

    second = begin(monkeypatch, first.new())

    assert jinja().from_string("{{ 1 + 1 }}").render() == "2"
    assert second.new() == Compiled().new()


def test_another_text_or_other_settings_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(monkeypatch)
    jinja().from_string("{{ 1 + 1 }}")
    begin(monkeypatch, first.new())

    assert jinja().from_string("{{ 1 + 2 }}").render() == "3"
    assert jinja(variable_start_string="[[").from_string("{{ 1 + 1 }}").render() == "{{ 1 + 1 }}"


@pytest.mark.parametrize(
    "options",
    [
        {"block_start_string": "[%"},
        {"variable_end_string": "]]"},
        {"trim_blocks": True},
        {"keep_trailing_newline": True},
        {"autoescape": True},
        {"extensions": ["jinja2.ext.do"]},
        {"enable_async": True},
        {"finalize": str},
    ],
    ids=str,
)
def test_other_settings_make_other_code(options: dict[str, Any]) -> None:
    assert settings(jinja(**options)) != settings(jinja())
