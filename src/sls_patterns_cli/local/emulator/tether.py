"""Ties the life of child processes to ours, also when we are killed without a chance to clean up.

The parent keeps the writing end of a pipe open and never writes. When it ends, in whatever way,
the operating system closes that end, and the readers of the other end see that. That works for
SIGKILL too, and on macOS, where Linux's PR_SET_PDEATHSIG does not exist.

`python -m sls_patterns_cli.local.emulator.tether FD COMMAND...` runs a command on such a tether.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GRACE_SECONDS = 5.0
"""How long a process gets to end after SIGTERM before it is killed."""


WATCH_SECONDS = 0.1
"""How often `run_side_by_side` calls `watch`."""


@dataclass(frozen=True)
class Tether:
    """A pipe: children read `read_fd`; the parent's `close` (or death) lets them know."""

    read_fd: int
    write_fd: int

    @classmethod
    def open(cls) -> "Tether":
        return cls(*os.pipe())

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


def on_lost(read_fd: int, action: Callable[[], None]) -> None:
    """Call `action` from a thread of its own once the parent has closed the tether."""

    def wait() -> None:
        while os.read(read_fd, 1):
            pass
        action()

    threading.Thread(target=wait, name="tether", daemon=True).start()


def end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """End a process: SIGTERM, and SIGKILL if it has not ended after GRACE_SECONDS."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def package_path() -> str:
    """The folder to put on PYTHONPATH for a child that imports this package."""
    return str(Path(__file__).parents[3])


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    capture: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends when we do; returns its exit code and, with `capture`, its output.

    Without `capture` the command has our terminal.
    """
    tether = Tether.open()
    output = subprocess.PIPE if capture else None
    # The supervisor itself runs on our interpreter; only the command sees `env`.
    supervisor = [sys.executable, "-P", str(Path(__file__)), str(tether.read_fd), *command]
    try:
        process = subprocess.Popen(
            supervisor,
            cwd=cwd,
            env=dict(env),
            pass_fds=(tether.read_fd,),
            stdin=subprocess.DEVNULL if capture else None,
            stdout=output,
            stderr=subprocess.STDOUT if capture else None,
            text=True,
        )
        try:
            text = process.communicate()[0]
        except BaseException:
            end(process)
            raise
    finally:
        tether.close()
    return subprocess.CompletedProcess(list(command), process.returncode, text or "")


def run_side_by_side(
    commands: Sequence[tuple[Sequence[str], Mapping[str, str]]],
    *,
    cwd: Path,
    watch: Callable[[], None],
) -> "list[subprocess.CompletedProcess[str]]":
    """Run commands at the same time, each with its environment; they all end when we do.

    `watch` is called again and again meanwhile. Returns their exit codes and outputs.
    """
    tether = Tether.open()
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile()) for _ in commands]
        try:
            for (command, env), output in zip(commands, outputs, strict=True):
                process = subprocess.Popen(
                    [sys.executable, "-P", str(Path(__file__)), str(tether.read_fd), *command],
                    cwd=cwd,
                    env=dict(env),
                    pass_fds=(tether.read_fd,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                processes.append(process)
            for process in processes:
                while not _has_ended(process, WATCH_SECONDS):
                    watch()
        except BaseException:
            for process in processes:
                end(process)
            raise
        finally:
            tether.close()
        return [
            subprocess.CompletedProcess(list(command), process.returncode, _text(output))
            for (command, _), process, output in zip(commands, processes, outputs, strict=True)
        ]


def _has_ended(process: "subprocess.Popen[bytes]", patience_seconds: float) -> bool:
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _supervise(read_fd: int, command: Sequence[str]) -> int:
    process = subprocess.Popen(command)
    on_lost(read_fd, lambda: end(process))
    # Ctrl-C reaches the command too, through the terminal; it decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_supervise(int(sys.argv[1]), sys.argv[2:]))
