"""Environments of Python functions, forked from a process that has imported the packages already.

Importing boto3, Pydantic and Powertools is most of a start, and what they hold then is the same in
each environment of each function whose variables are those that were read meanwhile: a function
with others gets a process of its own. Of each function's configuration another process is forked,
which has made its clients, and forks its environments. What the function's own modules do happens
in each environment anew, as on AWS.

Linux only: on macOS what the system's libraries have begun may not go on in a fork.
"""

import json
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
from typing import Any

SUPPORTED = sys.platform == "linux"

PID_BYTES = 8

SERVED = b"y"
NOT_STARTED = "The runtime did not start"

_packages: dict[str, "Packages"] = {}
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

    `init` is how it starts; `environment` has the variables of its first environment, and `common`
    those of them that all functions have.
    """

    command: tuple[str, ...]
    code: Path
    init: Mapping[str, Any]
    environment: Mapping[str, str] = field(compare=False)
    common: Mapping[str, str] = field(compare=False)


class Packages:
    """A process that has imported what functions use of packages."""

    def __init__(self, program: Program, environment: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*program.command, str(theirs.fileno())],
                cwd=program.code,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._lock = threading.Lock()

    def forker(self, init: Mapping[str, Any], patience_seconds: float) -> "Forker | None":
        """Fork what forks the environments of a function, unless these packages do not serve it."""
        ours, theirs = socket.socketpair()
        answer = b""
        with self._lock, theirs:
            self._socket.settimeout(patience_seconds)
            try:
                socket.send_fds(self._socket, [json.dumps(init).encode()], [theirs.fileno()])
                answer = self._socket.recv(1)
            except TimeoutError:
                self.end()
                raise RuntimeError(NOT_STARTED) from None
            except OSError:
                self.end()
        return Forker(ours) if answer == SERVED else None

    def end(self) -> None:
        """End this process; what it has forked goes on."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


class Forker:
    """The process that forks the environments of a program, from packages of its `own` if any."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.own: Packages | None = None

    def fork(self, patience_seconds: float) -> Fork | None:
        """Fork an environment; None if this process is not there any more."""
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
        if pid:
            return Fork(pid, ours[:3], ours[3])
        for descriptor in ours:
            os.close(descriptor)
        return None

    def end(self) -> None:
        """End this process; the environments go on."""
        self._socket.close()
        if self.own:
            self.own.end()


@dataclass
class _Function:
    """The last program of a function, and what forks its environments, one after the other."""

    program: Program | None = None
    forker: Forker | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def fork(key: str, program: Program, patience_seconds: float) -> Fork:
    """Fork an environment of a function, that awaits its own first line; raises RuntimeError."""
    with _lock:
        function = _functions.setdefault(key, _Function())
    with function.lock:
        known = function.forker if function.program == program else None
        if known and (environment := known.fork(patience_seconds)):
            return environment
        if function.forker:
            function.forker.end()
        function.program = program
        function.forker = _shared(program, patience_seconds) or _own(program, patience_seconds)
        if function.forker and (environment := function.forker.fork(patience_seconds)):
            return environment
        raise RuntimeError(NOT_STARTED)


def _shared(program: Program, patience_seconds: float) -> Forker | None:
    """Fork from packages that other functions use as well."""
    key = json.dumps([program.command, program.init["path"], program.common])
    with _lock:
        packages = _packages.get(key)
        if packages is None or not packages.alive:
            packages = _packages[key] = Packages(program, program.common)
    return packages.forker({**program.init, "environment": program.environment}, patience_seconds)


def _own(program: Program, patience_seconds: float) -> Forker | None:
    """Fork from packages that have seen the function's variables when they were imported.

    From none at all, where packages start threads: a fork would lose them.
    """
    for alone in (False, True):
        packages = Packages(program, program.environment)
        if forker := packages.forker({**program.init, "alone": alone}, patience_seconds):
            forker.own = packages
            return forker
        packages.end()
    return None
