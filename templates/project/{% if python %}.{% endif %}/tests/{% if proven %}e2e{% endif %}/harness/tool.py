"""`sls-patterns harness`, which changes, reads and restores the stack for the proofs.

It restores what a proof has changed even if the proofs are killed.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3

from e2e.stack import STACK_NAME

# Only a function on this machine reaches a server that a proof starts.
LOCAL = "AWS_ENDPOINT_URL" in os.environ

_http = urllib3.PoolManager(retries=False)


def start(*, smoke: bool) -> None:
    """Start it; no proof runs if it refuses the stack. It ends when this process does."""
    command = ["sls-patterns", "harness", "--stack", STACK_NAME, *(["--smoke"] if smoke else [])]
    try:
        process = subprocess.Popen(  # noqa: S603 (the command is ours)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        reason = "proofs need sls-patterns; README.md says how to install it"
        pytest.exit(reason, returncode=2)
    assert process.stdout
    told = json.loads(process.stdout.readline() or '{"refused": "sls-patterns has no harness"}')
    if "refused" in told:
        pytest.exit(told["refused"], returncode=2)
    os.environ["HARNESS_URL"] = told["url"]


def ask(operation: str, **arguments: Any) -> Any:
    """Ask for an operation; the proof fails if that does."""
    response = _http.request("POST", os.environ["HARNESS_URL"] + operation, json=arguments)
    answer = response.json()
    if response.status != 200:
        pytest.fail(answer, pytrace=False)
    return answer


@contextmanager
def changed(operation: str, **arguments: Any) -> Iterator[None]:
    """Change a resource for a while."""
    change = ask(operation, **arguments)
    try:
        yield
    finally:
        ask("restore", change=change)
