"""Several projects are updated in one command, each whole or not at all."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Cli
from rendering import ROOT
from update.projects import PACKAGE, Owned, snapshot
from update.publication import git

BRANCH = "template-update"


class Workspace:
    """A folder with projects of v0.1.0, and what is no project of this tool's."""

    def __init__(self, folder: Path, pristine: Path, cli: Cli) -> None:
        self.folder, self.cli = folder, cli
        self.alone = self._copy(pristine, "alone")
        self.conflicting = self._copy(pristine, "conflicting")
        self.conflicting.append("README.md", "\nMy chapter.\n")
        self.conflicting.commit()
        self.dirty = self._copy(pristine, "teams/dirty")
        self.dirty.append("README.md", "\nNot committed.\n")
        shared = folder / "shared"
        self.first, self.second = (self._copy(pristine, f"shared/{name}") for name in ("a", "b"))
        for each in (self.first, self.second):
            shutil.rmtree(each.folder / ".git")
        git(shared, "init", "--quiet", "--initial-branch=main")
        Owned(shared, cli).commit()
        other = folder / "another-template"
        other.mkdir()
        (other / ".copier-answers.yml").write_text("_commit: v1\n_src_path: gh:some/one\n")
        built = folder / "alone/node_modules/copy"
        built.mkdir(parents=True)
        shutil.copy(pristine / ".copier-answers.yml", built)

    def _copy(self, pristine: Path, name: str) -> Owned:
        return Owned(shutil.copytree(pristine, self.folder / name), self.cli)

    def update(self, *arguments: str, of: Sequence[Owned] = (), code: int) -> dict[str, Any]:
        """Update it, or some projects; return what is said of each project, by its folder."""
        which: list[str | Path] = [each.folder for each in of] or ["--workspace", self.folder]
        done = self.cli("update", *which, "--json", *arguments)
        assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
        return {
            Path(each["path"]).relative_to(self.folder).as_posix(): each
            for each in json.loads(done.stdout)["projects"]
        }

    def states(self, found: dict[str, Any]) -> dict[str, str]:
        return {name: each["state"] for name, each in found.items()}


@pytest.fixture
def workspace(pristine: Path, cli: Cli) -> Workspace:
    return Workspace(cli.folder / "workspace", pristine, cli)


def test_each_project_is_updated_and_one_that_refuses_stops_no_other(workspace: Workspace) -> None:
    before = snapshot(workspace.dirty.folder)

    found = workspace.update(code=2)

    assert workspace.states(found) == {
        "alone": "updated",
        "conflicting": "to-settle",
        "shared/a": "updated",
        "shared/b": "updated",
        "teams/dirty": "refused",
    }
    assert "not committed (README.md)" in found["teams/dirty"]["refused"]
    assert snapshot(workspace.dirty.folder) == before
    assert found["alone"]["outcome"]["to"] == "v0.3.0"
    assert " M template.yaml" in workspace.alone.changed()


def test_on_a_branch_each_update_is_a_commit_and_nothing_checked_out_changes(
    workspace: Workspace,
) -> None:
    before = snapshot(workspace.folder)

    found = workspace.update("--branch", BRANCH, code=2)

    assert snapshot(workspace.folder) == before
    assert workspace.states(found) == {
        "alone": "updated",
        "conflicting": "refused",
        "shared/a": "updated",
        "shared/b": "updated",
        "teams/dirty": "updated",
    }
    assert found["conflicting"]["refused"] == "conflicts in README.md; update it without --branch"
    subjects = git(workspace.folder / "shared", "log", "--format=%s", f"main..{BRANCH}")
    update = "Update from v0.1.0 to v0.3.0 of the template"
    assert subjects.splitlines() == [f"b: {update}", f"a: {update}"]
    alone = workspace.alone.folder
    assert git(alone, "log", "--format=%s", f"main..{BRANCH}").splitlines() == [update]
    assert "_commit: v0.3.0" in git(alone, "show", f"{BRANCH}:.copier-answers.yml")
    assert "of 0.2.0" in git(alone, "show", f"{BRANCH}:{PACKAGE}/adapters/deliveries.py")
    for project in (alone, workspace.conflicting.folder):
        assert len(git(project, "worktree", "list").splitlines()) == 1
    assert git(workspace.conflicting.folder, "branch", "--list", BRANCH) == ""


def test_a_branch_that_exists_is_not_written_to(workspace: Workspace) -> None:
    git(workspace.alone.folder, "branch", BRANCH)
    before = git(workspace.alone.folder, "rev-parse", BRANCH)

    done = workspace.cli("update", workspace.alone.folder, "--branch", BRANCH)

    assert done.returncode == 2
    assert f"refused: a branch named '{BRANCH}' already exists" in " ".join(done.stdout.split())
    assert git(workspace.alone.folder, "rev-parse", BRANCH) == before


def test_a_dry_run_makes_no_branch(workspace: Workspace) -> None:
    few = (workspace.alone, workspace.second)

    found = workspace.update("--branch", BRANCH, "--dry-run", of=few, code=0)

    assert found["alone"]["state"] == "updated"
    assert found["alone"]["branch"] is None
    assert git(workspace.alone.folder, "branch", "--list", BRANCH) == ""


def test_what_is_printed_says_how_each_project_stands_and_what_comes_next(
    workspace: Workspace,
) -> None:
    done = workspace.cli("update", workspace.alone.folder, workspace.conflicting.folder)

    assert (done.returncode, done.stderr) == (3, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == ["1/2 alone", "2/2 conflicting"]
    assert any("v0.1.0 -> v0.3.0 updated: files" in line for line in lines)
    assert "2 projects: updated 1, to settle 1" in lines
    assert "review each project with git diff, run make test, and commit" in lines


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--workspace", "nowhere"), "nowhere is no folder"),
        (("--workspace", "empty"), "empty has no project of sls-patterns"),
        (("--branch", "a b"), "--branch: 'a b' is not a valid branch name"),
    ],
)
def test_what_cannot_be_meant_is_one_line(cli: Cli, arguments: tuple[str, ...], line: str) -> None:
    (cli.folder / "empty").mkdir()

    done = cli("update", *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"sls-patterns: {line}\n")


GH = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$2" in list) echo "$OPEN" ;; esac
"""


@pytest.mark.parametrize("open_", [pytest.param("0", id="first"), pytest.param("1", id="again")])
def test_the_workflow_of_the_documents_proposes_an_update(
    project: Owned, cli: Cli, open_: str
) -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/fleets.md").read_text(), re.DOTALL)
    *_, step = yaml.safe_load(document)["jobs"]["update"]["steps"]
    origin, programs = cli.folder / "origin.git", cli.folder / "programs"
    git(cli.folder, "clone", "--quiet", "--bare", project.folder, origin)
    git(project.folder, "remote", "add", "origin", origin)
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    (programs / "sls-patterns").symlink_to(Path(sys.executable).with_name("sls-patterns"))

    subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=project.folder,
        env=cli.environment
        | {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": "../calls", "OPEN": open_},
        check=True,
    )

    assert git(origin, "log", "--format=%s", "main..template-update").splitlines() == [
        "Update from v0.1.0 to v0.3.0 of the template"
    ]
    created = "pr create --head template-update --fill"
    calls = (cli.folder / "calls").read_text().splitlines()
    assert (created in calls) == (open_ == "0")
