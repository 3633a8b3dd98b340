"""`local test` and `local up` hand over what they were given; the stack itself is tests/local."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import Cli, without_extras

from sls_patterns_cli import catalog
from sls_patterns_cli.cli import commands as command_line
from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

Calls = list[tuple[Any, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made: Calls = []

    def proven(path: Path, arguments: Sequence[str], _progress: Progress) -> int:
        made.append(("test", path, list(arguments)))
        return 5

    def stayed(path: Path, examples: Sequence[tuple[str, str]], *_rest: object) -> int:
        made.append(("up", path, list(examples)))
        return 0

    monkeypatch.setattr(session, "test", proven)
    monkeypatch.setattr(session, "up", stayed)
    return made


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ([], (Path(), [])),
        (["there"], (Path("there"), [])),
        (["--", "-k", "redrive"], (Path(), ["-k", "redrive"])),
        (["there", "--", "-x", "--", "y"], (Path("there"), ["-x", "--", "y"])),
    ],
)
def test_what_follows_two_dashes_goes_to_the_test_runner(
    calls: Calls, arguments: list[str], call: tuple[Any, ...]
) -> None:
    assert command_line.run(["local", "test", *arguments]) == 5
    assert calls == [("test", *call)]


@pytest.mark.parametrize(
    ("datastore", "titles"),
    [
        ("dynamodb", ["Send a signed webhook", "Look at what is stored"]),
        (
            "aurora-postgresql",
            [
                "Send a signed webhook",
                "Look at what is stored, from a machine that reaches the database",
            ],
        ),
    ],
)
def test_up_gets_the_examples_that_fit_the_projects_answers(
    calls: Calls, cli: Cli, datastore: str, titles: list[str]
) -> None:
    assert cli("new", "scalable-webhook", "project", "--datastore", datastore).returncode == 0
    project = cli.folder / "project"
    assert command_line.run(["local", "up", str(project)]) == 0
    declared = {each.title: each.command for each in catalog.pattern("scalable-webhook").examples}
    assert calls == [("up", project, [(title, declared[title]) for title in titles])]


def test_the_missing_extra_is_one_line(cli: Cli, tmp_path: Path) -> None:
    project = tmp_path / "project"
    assert cli("new", "scalable-webhook", project).returncode == 0
    done = cli("local", "test", project, **without_extras(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("sls-patterns: ")
    assert "[local]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_is_no_project_is_one_line(cli: Cli) -> None:
    for command in ("test", "up"):
        done = cli("local", command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("sls-patterns: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["test", "up"])
def test_a_datastore_that_the_local_stack_cannot_run_is_refused_in_one_line(
    cli: Cli, command: str
) -> None:
    unlike = [name for name, each in catalog.vocabulary().datastores.items() if not each.local]
    for pattern in catalog.patterns():
        for datastore in {*pattern.datastores}.intersection(unlike):
            made = cli("new", pattern.slug, "there", "--defaults", "--datastore", datastore)
            assert "local test" not in made.stdout

            refused = cli("local", command, "there")

            assert refused.returncode == 2
            (line,) = refused.stderr.splitlines()
            assert f"the local stack cannot run {datastore}" in line
            assert "`make deploy`" in line
            return
    pytest.fail("no pattern has such a datastore")
