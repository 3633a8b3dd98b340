"""Runs the tools that check rendered projects."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def run(command: Iterable[str | Path], project: Path, **variables: str) -> str:
    """Run a command in the project; fail with what it printed unless it succeeds."""
    result = subprocess.run(
        list(command),
        cwd=project,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        pytest.fail(f"exit code {result.returncode}\n{result.stdout}", pytrace=False)
    return result.stdout


def tool(variable: str) -> str:
    """Return a tool that lives in an environment of its own, which `make test` makes."""
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f"{variable} is not set; run the tests by `make test`", pytrace=False)
    return path
