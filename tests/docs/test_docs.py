"""The documentation shows only what works, and shows all there is."""

import html
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from command import Cli
from rendering import ROOT

from sls_patterns_cli import catalog
from sls_patterns_cli import cli as commands

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Run by other tests, which prove more than that they exit well.
RUN_ELSEWHERE = {
    "make demo": ".github/workflows/ci.yml",
    "make check": "tests/static/test_golden.py",
    "make test": ".ci/run",
    "make test-all PATTERN=scalable-webhook": ".github/workflows/all.yml",
    "make golden": "tests/static/test_golden.py",
    "make deploy": "tests/static/test_project.py",
    "sls-patterns local test": "tests/proofs/test_proofs.py",
    "sls-patterns local up": "tests/local/test_local_session.py",
    **{
        f"make {target} STACK=by-hand": "tests/proofs/test_deployment_tools.py"
        for target in ("bootstrap", "deploy", "dead-letters", "redrive", "delete")
    },
}


def shown_commands(document: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    lines = (line.partition("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_that_is_shown_runs(document: Path, cli: Cli) -> None:
    folder = cli.folder
    for line in shown_commands(document):
        if line in RUN_ELSEWHERE:
            assert (ROOT / RUN_ELSEWHERE[line]).exists()
            continue
        program, *arguments = line.split()
        if program == "cd":
            folder /= arguments[0]
            assert folder.is_dir()
            continue
        assert program == "sls-patterns", line
        result = Cli(folder, cli.environment)(*arguments)
        assert result.returncode == 0, (line, result.stderr)


def every_command(
    group: typer.core.TyperGroup, prefix: str = "sls-patterns"
) -> Iterator[tuple[str, list[str]]]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from every_command(command, f"{prefix} {name}")
        else:
            options = [option for parameter in command.params for option in parameter.opts]
            yield f"{prefix} {name}", [option for option in options if option.startswith("--")]


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    group = typer.main.get_command(commands.app)
    assert isinstance(group, typer.core.TyperGroup)

    for command, options in every_command(group):
        section = text.partition(f"## `{command}")[2].partition("\n## ")[0]
        assert section, f"{command} is not documented"
        for option in options:
            assert option == "--help" or option in section, f"{command} {option}"


def test_the_readme_names_every_pattern_with_its_options() -> None:
    rows = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1]]
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| `") and line.count("|") == 6
    ]
    assert rows == [
        [
            [pattern.slug],
            [topology.name for topology in pattern.topologies],
            list(pattern.runtimes),
            list(pattern.flavours),
            list(dict.fromkeys(name for each in pattern.topologies for name in each.datastores)),
        ]
        for pattern in catalog.patterns()
    ]


def test_every_link_to_a_file_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_picture_is_small_and_shows_nothing_of_the_machine_it_was_made_on() -> None:
    picture = (ROOT / "docs/recording.svg").read_text()
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", picture)
    shown = " ".join(html.unescape(" ".join(texts)).split())

    assert len(picture.encode()) < 100_000
    assert "url(http" not in picture
    for place in (str(ROOT), str(Path.home()), tempfile.gettempdir()):
        assert place not in shown
    for command in ("list", "new", "local test"):
        assert f"$ sls-patterns {command}" in shown
