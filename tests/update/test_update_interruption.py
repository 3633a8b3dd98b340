"""Interrupted at any moment, a project is as before the update or as after it."""

import os
import signal
from pathlib import Path

import pytest
from command import wait_for
from update.projects import Owned, snapshot
from update.publication import git

ENOUGH = 60  # seconds, for what takes a few


def blocking_git(folder: Path, blocked: str) -> str:
    """A PATH whose git says by a file that it is called with `blocked`, and waits for another."""
    folder.mkdir()
    fake = folder / "git"
    fake.write_text(
        f"""#!/bin/sh
PATH={os.environ["PATH"]}
case " $* " in *" {blocked} "*)
    : > "{folder}/reached"
    while [ ! -e "{folder}/go" ]; do sleep 0.01; done
esac
exec git "$@"
"""
    )
    fake.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "ls-remote"),
        (signal.SIGHUP, "ls-tree"),
        (signal.SIGTERM, "checkout-index"),
        (signal.SIGINT, "hash-object"),
    ],
)
def test_a_signal_before_the_swap_changes_nothing(
    project: Owned, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    before = snapshot(project.folder)
    path = blocking_git(tmp_path / "bin", moment)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with project.cli.start("update", "project", PATH=path, TMPDIR=str(temporary)) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        process.send_signal(number)
        (tmp_path / "bin/go").touch()
        _, errors = process.communicate(timeout=ENOUGH)
    assert (process.returncode, errors) == (128 + number, "")
    assert snapshot(project.folder) == before
    assert project.changed() == []
    assert list(temporary.iterdir()) == []


def test_a_signal_in_the_swap_comes_too_late(project: Owned, tmp_path: Path) -> None:
    project.append("README.md", "\nMine.\n")
    project.commit()
    # The last step: when the files are there, git is told of the conflict.
    path = blocking_git(tmp_path / "bin", "hash-object -w --no-filters --")
    with project.cli.start("update", "project", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        (tmp_path / "bin/go").touch()
        process.communicate(timeout=ENOUGH)
    assert process.returncode == 3
    assert "MemorySize: 512" in project.read("template.yaml")
    assert "UU README.md" in project.changed()
    assert not list(project.folder.glob(".sls-patterns-*"))


def test_what_fails_in_the_swap_is_undone(project: Owned) -> None:
    project.append("README.md", "\nMine.\n")
    project.commit()
    before = snapshot(project.folder)
    project.write(".git/index.lock", "")  # as of a git that is at work
    done = project.run("update")
    assert done.returncode == 2
    assert "index.lock" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert snapshot(project.folder) == before
    (project.folder / ".git/index.lock").unlink()
    assert project.changed() == []


def test_one_update_at_a_time(project: Owned, tmp_path: Path) -> None:
    path = blocking_git(tmp_path / "bin", "checkout-index")
    with project.cli.start("update", "project", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        done = project.run("update")
        (tmp_path / "bin/go").touch()
        process.communicate(timeout=ENOUGH)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"another process updates {project.folder}; wait until it is done" in line
    assert process.returncode == 0
    assert not list(project.folder.rglob("*.template"))


def test_a_killed_update_leaves_what_git_ignores_and_the_next_update_removes(
    project: Owned, tmp_path: Path
) -> None:
    project.append("README.md", "\nMine.\n")
    project.commit()
    path = blocking_git(tmp_path / "bin", "hash-object -w --no-filters --")
    with project.cli.start("update", "project", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        process.kill()
        (tmp_path / "bin/go").touch()
    (left,) = project.folder.glob(".sls-patterns-*")
    assert not [line for line in project.changed() if left.name in line]
    git(project.folder, "reset", "--quiet", "--hard")
    git(project.folder, "clean", "--quiet", "--force", "-d")
    assert left.exists()

    project.update(code=3)

    assert not left.exists()
