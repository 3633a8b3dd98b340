"""Runs the tools that check rendered projects."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

TIME_LIMIT = 600
"""Seconds: the slowest of these commands takes one minute on a busy machine."""


def run(command: Iterable[str | Path], project: Path, **variables: str) -> str:
    """Run a command in the project; fail with what it printed unless it succeeds in time."""
    process = subprocess.Popen(
        list(command),
        cwd=project,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        # What it started ends with it: a loop without an end would take the memory of all tests.
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        pytest.fail(f"not ended within {TIME_LIMIT} s\n{printed}", pytrace=False)
    if process.returncode != 0:
        pytest.fail(f"exit code {process.returncode}\n{printed}", pytrace=False)
    return printed


def tool(variable: str) -> str:
    """Return a tool that lives in an environment of its own, which `make test` makes."""
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f"{variable} is not set; run the tests by `make test`", pytrace=False)
    return path
