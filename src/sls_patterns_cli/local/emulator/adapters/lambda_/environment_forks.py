"""Environments of a Python function that a process forks which has imported the packages already.

Importing boto3, Pydantic and Powertools is most of a start, and what they hold then is the same in
each environment: it follows from the function's variables, so another configuration gets another
process. What the function's own modules do happens in each environment anew, as on AWS.

Linux only: on macOS what the system's libraries have begun may not go on in a fork.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

SUPPORTED = sys.platform == "linux"

PID_BYTES = 8

_functions: dict[str, "_Function"] = {}
_lock = threading.Lock()


class Fork:
    """An environment, of which we are not the parent; has what is used of Popen."""

    def __init__(self, pid: int, standard: Sequence[int], ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = os.fdopen(standard[0], "w", buffering=1)
        self.stdout = os.fdopen(standard[1])
        self.stderr = os.fdopen(standard[2])
        self._ended = ended

    def __del__(self) -> None:
        os.close(self._ended)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its end of the pipe closes when it ends; how it has ended only its parent knows."""
        if self.returncode is None:
            ended = select.poll()  # `select` knows no descriptors beyond 1023
            ended.register(self._ended, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = 1
        return self.returncode

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(frozen=True)
class Program:
    """What runs a configuration of a function: a command in the folder of its code.

    `init` is told to it as the first line.
    """

    command: tuple[str, ...]
    code: Path
    init: str


class Forker:
    """The process that forks the environments of a program."""

    def __init__(self, program: Program, environment: Mapping[str, str]) -> None:
        self.program = program
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*program.command, str(theirs.fileno())],
                cwd=program.code,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                pass_fds=[theirs.fileno()],
            )
        told = cast("TextIO", self._process.stdin)
        with told, suppress(BrokenPipeError):
            told.write(f"{program.init}\n")

    def fork(self, patience_seconds: float) -> Fork:
        pipes = [os.pipe() for _ in range(4)]  # the last one only tells when the fork has ended
        theirs = [pipes[0][0], *(write for _, write in pipes[1:])]
        ours = [pipes[0][1], *(read for read, _ in pipes[1:])]
        try:
            self._socket.settimeout(patience_seconds)
            socket.send_fds(self._socket, [b"f"], theirs)
            pid = int.from_bytes(self._socket.recv(PID_BYTES), "big")
        except OSError:
            pid = 0
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        if not pid:
            self.end()
            for descriptor in ours:
                os.close(descriptor)
            raise RuntimeError("The runtime did not start")
        return Fork(pid, ours[:3], ours[3])

    def end(self) -> None:
        """End this process; the environments go on."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


@dataclass
class _Function:
    """The last program of a function, and what forks its environments, one after the other."""

    forker: Forker | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def fork(
    key: str, program: Program, environment: Mapping[str, str], patience_seconds: float
) -> Fork:
    """Fork an environment of a function, that awaits its own first line; raises RuntimeError."""
    with _lock:
        function = _functions.setdefault(key, _Function())
    with function.lock:
        forker = function.forker
        if forker is None or not forker.alive or forker.program != program:
            if forker:
                forker.end()
            forker = function.forker = Forker(program, environment)
        return forker.fork(patience_seconds)
