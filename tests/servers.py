"""Processes that do the same for many tests of a worker: what they have loaded is loaded once."""

import atexit
import json
import os
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from spending import CLOCK


@cache
def server(command: tuple[str | Path, ...], **variables: str) -> "Server":
    """Return the one process of this worker that runs the command, with more variables."""
    return Server(command, variables)


class Server:
    """A process that answers a JSON line with a JSON line, until its input ends."""

    def __init__(self, command: tuple[str | Path, ...], variables: dict[str, str]) -> None:
        self._name = " ".join(map(str, command))
        self._process = subprocess.Popen(
            command,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        CLOCK.watch(self._process.pid)
        atexit.register(self._end)

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer, or fail the test where the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):  # it has ended, as its output tells
            self._process.stdin.write(f"{json.dumps(request)}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            pytest.fail(f"{self._name} has ended: {self._process.wait()}", pytrace=False)
        return json.loads(answer)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
