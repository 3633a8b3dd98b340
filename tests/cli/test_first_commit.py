"""`new` makes a repository with one commit, whatever the user's git is set to."""

import json
import os
import subprocess
from pathlib import Path

from command import Cli


def git(cli: Cli, folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=cli.environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def new(cli: Cli, *arguments: str, **environment: str) -> Path:
    done = cli("new", "scalable-webhook", "project", *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return cli.folder / "project"


def settings(cli: Cli, text: str) -> None:
    Path(cli.environment["HOME"], ".gitconfig").write_text(text)


def test_everything_is_in_the_first_commit_on_main(cli: Cli) -> None:
    project = new(cli)
    assert git(cli, project, "status", "--porcelain") == ""
    assert git(cli, project, "branch", "--show-current") == "main"
    message = git(cli, project, "log", "--format=%s")
    assert message == "Create project from the pattern scalable-webhook"
    committed = git(cli, project, "ls-files").splitlines()
    there = [
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_file() and path.relative_to(project).parts[0] != ".git"
    ]
    assert sorted(committed) == sorted(there)


def test_the_users_identity_is_used(cli: Cli) -> None:
    settings(cli, "[user]\n name = Ada\n email = ada@example.invalid\n")
    project = new(cli)
    assert git(cli, project, "log", "--format=%an %ae %cn") == "Ada ada@example.invalid Ada"


def test_a_user_without_identity_gets_a_commit_of_the_tools(cli: Cli) -> None:
    project = new(cli)
    assert git(cli, project, "log", "--format=%an %ae") == "sls-patterns sls-patterns@localhost"
    assert "sls-patterns@localhost" not in (project / ".git/config").read_text()


def test_hooks_signing_and_line_endings_of_the_user_do_not_break_it(cli: Cli) -> None:
    home = Path(cli.environment["HOME"])
    template = home / "template/hooks"
    template.mkdir(parents=True)
    for hook in ("pre-commit", "commit-msg", "post-commit", "prepare-commit-msg"):
        (template / hook).write_text(f"#!/bin/sh\necho > {home}/hook-ran\nexit 1\n")
        (template / hook).chmod(0o755)
    (home / "ignored").write_text("*.py\n")
    settings(
        cli,
        f"""
        [user]
            name = Ada
            email = ada@example.invalid
        [init]
            templateDir = {home}/template
            defaultBranch = trunk
        [core]
            hooksPath = {template}
            autocrlf = true
            safecrlf = true
            excludesFile = {home}/ignored
        [commit]
            gpgSign = true
        [gpg]
            program = /bin/false
        """,
    )
    project = new(cli)
    assert not (home / "hook-ran").exists()
    assert git(cli, project, "rev-list", "--count", "main") == "1"
    assert "template.yaml" in git(cli, project, "ls-files")
    assert "src/project/logic.py" in git(cli, project, "ls-files")
    assert b"\r" not in (project / "template.yaml").read_bytes()


def test_variables_of_another_repository_are_not_followed(cli: Cli) -> None:
    other = cli.folder / "other"
    other.mkdir()
    git(cli, other, "init", "--quiet")
    project = new(cli, GIT_DIR=str(other / ".git"), GIT_INDEX_FILE=str(other / ".git/index"))
    assert git(cli, project, "rev-list", "--count", "HEAD") == "1"
    assert git(cli, other, "rev-list", "--all", "--count") == "0"


def test_a_destination_inside_a_repository_gets_none_of_its_own(cli: Cli) -> None:
    git(cli, cli.folder, "init", "--quiet")
    project = new(cli)
    assert not (project / ".git").exists()
    deeper = json.loads(cli("new", "scalable-webhook", "a/b", "--json").stdout)
    assert deeper["git"] is False
    assert deeper["git_problem"] == (
        f"the project is in the git repository {cli.folder}: commit it there, as an update needs "
        "that; GitHub reads .github only at the top of a repository"
    )
    assert not (cli.folder / "a/b/.git").exists()


def test_no_git_makes_no_repository(cli: Cli) -> None:
    assert not (new(cli, "--no-git") / ".git").exists()


def test_without_git_the_project_is_made_and_the_user_told(cli: Cli) -> None:
    done = cli("new", "scalable-webhook", PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")
    line = "git is not installed; an update of the project will need it"
    assert line in done.stdout.splitlines()
    assert (cli.folder / "scalable-webhook/template.yaml").is_file()


def test_a_git_that_fails_costs_the_repository_but_not_the_project(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/git"
    fake.write_text("#!/bin/sh\nmkdir -p .git\necho 'fatal: no luck today' >&2\nexit 128\n")
    fake.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = cli("new", "scalable-webhook", PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    line = "git made no repository (fatal: no luck today); an update of the project will need one"
    assert line in done.stdout.splitlines()
    assert not (cli.folder / "scalable-webhook/.git").exists()
