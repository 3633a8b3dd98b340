"""`make lint` of a project runs `sls-patterns check` where a command that can is installed."""

import os
import subprocess
from pathlib import Path

import pytest
from environments import link_modules
from rendering import render_project
from static.test_hand_made_edges import project_with_edges
from static.test_project import path_with_node
from tools import BIN

FLAVOURS = ["sam", pytest.param("cdk", marks=pytest.mark.exhaustive)]
"""The CLI of CDK, which lists a stack, is fetched from npm."""

COMMAND = BIN / "sls-patterns"


def check_of_lint(project: Path, *commands: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make lint` runs after the linters, with these commands on PATH."""
    link_modules(project)
    path = path_with_node(project.parent)
    for command in commands:
        (project.parent / "bin" / command.name).symlink_to(command)
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "lint"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return subprocess.run(
        ["sh", "-c", told.stdout[told.stdout.index("version=") :]],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("iac", FLAVOURS)
def test_it_fails_for_an_edge_without_end(iac: str, tmp_path: Path) -> None:
    project = project_with_edges("typescript", iac, tmp_path, ended=False)

    done = check_of_lint(project, COMMAND)

    assert done.returncode == 1, done.stderr
    assert "NightlyRule" in done.stdout


@pytest.mark.parametrize("iac", FLAVOURS)
def test_it_passes_for_what_was_generated(iac: str, tmp_path: Path) -> None:
    project = render_project(
        tmp_path / "project", pattern="notifier", runtime="typescript", iac=iac
    )

    done = check_of_lint(project, COMMAND)

    assert done.returncode == 0, done.stderr
    assert "0 errors, 0 warnings" in done.stdout


@pytest.mark.parametrize(("version", "commands"), [("v0.0.0", ()), ("v99.0.0", (COMMAND,))])
def test_without_a_command_that_is_new_enough_it_says_so(
    version: str, commands: tuple[Path, ...], tmp_path: Path
) -> None:
    project = project_with_edges("typescript", "sam", tmp_path, ended=False)
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("_commit: v0.0.0", f"_commit: {version}"))

    done = check_of_lint(project, *commands)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"The wiring was not checked: this needs sls-patterns {version} or newer, "
        "with its extra [check]\n"
    )
