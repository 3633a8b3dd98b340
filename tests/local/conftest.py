"""One emulator for all tests of the local stack, and small stacks deployed to it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from command import Cli, environment
from local.support import REGION, RUNTIME, Client, DeployStack

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.languages import interpreters
from sls_patterns_cli.local.languages.interpreters import Interpreter

HEAD = f"""
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: {RUNTIME}
    Handler: index.handler
    Timeout: 10
"""


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    return interpreters.find(RUNTIME)[0]


@pytest.fixture(scope="session")
def emulator(interpreter: Interpreter) -> Iterator[Emulator]:
    with Emulator(REGION, {RUNTIME: interpreter.executable}) as running:
        yield running


@pytest.fixture(scope="session")
def deploy_stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> DeployStack:
    """Deploys a template without its head, under a name of its own; returns its outputs."""
    numbers = count(1)
    folder = tmp_path_factory.mktemp("templates")

    def deploy_body(body: str, name: str | None = None) -> dict[str, str]:
        stack = name or f"stack-{next(numbers)}"
        file = folder / f"{stack}.yaml"
        file.write_text(HEAD + body)
        template = expand(read(file), REGION)
        return deploy.deploy(emulator, stack, template)

    return deploy_body


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Client:
    clients: dict[str, Any] = {}

    def of(service: str) -> Any:
        return clients.setdefault(service, emulator.client(service))

    return of


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Somebody without any settings, in a folder of their own."""
    return Cli(tmp_path_factory.mktemp("work"), environment(tmp_path_factory.mktemp("home")))
