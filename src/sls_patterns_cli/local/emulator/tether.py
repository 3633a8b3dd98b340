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
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 5.0
"""How long a process gets to end after SIGTERM before it is killed."""


WATCH_SECONDS = 0.1
"""How often `run` calls `watch`."""


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
    watch: Callable[[], None] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends when we do; returns its exit code and, with `capture`, its output.

    Without `capture` the command has our terminal. `watch` is called again and again meanwhile.
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
            text = _output(process, watch)
        except BaseException:
            end(process)
            raise
    finally:
        tether.close()
    return subprocess.CompletedProcess(list(command), process.returncode, text or "")


def _output(process: "subprocess.Popen[str]", watch: Callable[[], None] | None) -> str | None:
    while watch:
        try:
            return process.communicate(timeout=WATCH_SECONDS)[0]
        except subprocess.TimeoutExpired:
            watch()
    return process.communicate()[0]


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
