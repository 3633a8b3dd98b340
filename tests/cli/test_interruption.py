"""A signal leaves nothing behind, or a whole project; Ctrl-C in a prompt leaves nothing."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from command import Cli, wait_for

ENOUGH = 30  # seconds, for what takes less than one
MOMENTS = 20


def blocking_git(folder: Path, blocked: str) -> str:
    """A PATH whose git hangs at the subcommand `blocked` and says so by a file."""
    folder.mkdir()
    fake = folder / "git"
    fake.write_text(
        f"""#!/bin/sh
PATH={os.environ["PATH"]}
for argument; do
    if [ "$argument" = {blocked} ]; then : > "{folder}/reached"; exec sleep {ENOUGH}; fi
done
exec git "$@"
"""
    )
    fake.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("subcommand", ["init", "add", "commit"])
def test_a_signal_while_git_works_leaves_nothing(
    cli: Cli, tmp_path: Path, number: signal.Signals, subcommand: str
) -> None:
    path = blocking_git(tmp_path / "bin", subcommand)
    with cli.start("new", "scalable-webhook", "a/b", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        assert list(cli.folder.glob("a/.sls-patterns-*/new/template.yaml"))
        process.send_signal(number)
        assert process.wait(ENOUGH) == 128 + number
        assert process.stderr
        assert process.stderr.read() == ""
    assert not list(cli.folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", [".sls-patterns-*", ".sls-patterns-*/new/*", ".sls-patterns-*/new/src/*/*/*"]
)
def test_a_signal_while_files_are_written_leaves_nothing(
    cli: Cli, number: signal.Signals, moment: str
) -> None:
    code = None
    for attempt in range(10):
        place = f"project-{attempt}"
        with cli.start("new", "scalable-webhook", place, "--no-git") as process:
            wait_for(ENOUGH, lambda: list(cli.folder.glob(moment)) or process.poll() is not None)
            process.send_signal(number)
            code = process.wait(ENOUGH)
        assert not list(cli.folder.glob(".sls-patterns-*"))
        if code == 128 + number:
            assert not (cli.folder / place).exists()
            return
        # It came too late for this one: the project is whole.
        assert code == 0
        assert (cli.folder / place / "tests/unit/conftest.py").is_file()
    pytest.fail("no signal came in time")


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_leaves_nothing_or_all(cli: Cli, number: signal.Signals) -> None:
    command = ("new", "scalable-webhook", "--name", "hook")
    started = time.monotonic()
    assert cli.as_process(*command, "first").returncode == 0
    whole, seconds = everything_of(cli.folder / "first"), time.monotonic() - started
    for moment in range(1, MOMENTS):
        project = cli.folder / f"project-{moment}"
        with cli.start(*command, project.name) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds * moment / MOMENTS)
            process.send_signal(number)
            _, said = process.communicate(timeout=ENOUGH)
        assert not list(cli.folder.glob(".sls-patterns-*"))
        # In its first and last moments Python has no handlers of ours: the signal ends it itself.
        if project.exists():
            assert process.returncode in {0, -number}
            assert said == ""
            assert everything_of(project) == whole
        elif "KeyboardInterrupt" in said:
            assert "sls_patterns_cli" not in said  # Python had not come to us yet
        else:
            assert process.returncode in {128 + number, -number}
            assert said == ""


def everything_of(project: Path) -> set[str]:
    """The project's files, without git's objects, whose names depend on the time."""
    return {
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if "objects" not in path.parts
    }


def test_a_second_signal_does_not_stop_the_clearing_up(cli: Cli, tmp_path: Path) -> None:
    path = blocking_git(tmp_path / "bin", "commit")
    with cli.start("new", "scalable-webhook", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
    # Python itself takes its handlers away in its last moments.
    assert process.returncode in {128 + signal.SIGTERM, -signal.SIGTERM}
    assert not list(cli.folder.iterdir())


def test_a_signal_that_the_caller_ignores_stays_ignored(cli: Cli, tmp_path: Path) -> None:
    path = blocking_git(tmp_path / "bin", "init")
    nohup = Cli(cli.folder, cli.environment, ("nohup", *cli.command))
    with nohup.start("new", "scalable-webhook", PATH=path) as process:
        wait_for(ENOUGH, (tmp_path / "bin/reached").exists)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENOUGH) == 128 + signal.SIGTERM
