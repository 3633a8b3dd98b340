"""Each client of an internal API calls the service of the other language, as a role that is named.

What a project's own proofs cannot show: they use the client of its own language, as its deployer.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from environments import link_modules, link_requirements, node
from rendering import render_project

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

ACCOUNT = "000000000000"
CALLER = f"arn:aws:iam::{ACCOUNT}:role/caller"
ITEM = {"item": {"S": "tea-pot"}, "amount": {"N": "4200"}, "currency": {"S": "EUR"}}

pytestmark = pytest.mark.proves("internal-api")

BY_PYTHON = """
import os, sys
sys.path.insert(0, "clients")
import prices_client
client = prices_client.PricesClient(os.environ["ALIAS_ARN"])
print(client.quote("tea-pot", 3, within=20).total_amount)
"""
BY_TYPESCRIPT = """
const { PricesClient } = await import("./clients/prices-client.ts");
const client = new PricesClient(process.env.ALIAS_ARN);
console.log((await client.quote("tea-pot", 3, 20_000)).totalAmount);
"""
CALLS = {
    "python": [sys.executable, "-c", BY_PYTHON],
    "typescript": [str(node().executable), "--input-type=module", "--eval", BY_TYPESCRIPT],
}


def project_of(runtime: str, folder: Path) -> Path:
    """Return a project with the packages of its functions, and those that both clients need."""
    answers = {"pattern": "internal-api", "tests_adapters": "true"}
    made = render_project(folder / runtime, **answers, runtime=runtime)
    if runtime == "typescript":
        link_modules(made)
    else:
        link_requirements(made)
        other = render_project(folder / "other", **answers, runtime="typescript")
        link_modules(other)
        (made / "node_modules").symlink_to(other / "node_modules")
    return made


@contextmanager
def environment_of_the_caller(running: Any) -> Iterator[dict[str, str]]:
    """Yield the variables with which a process acts as the role; it has no policy of its own."""
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    name = CALLER.rpartition("/")[2]
    running.emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    assumed = running.emulator.client("sts").assume_role(RoleArn=CALLER, RoleSessionName="test")
    credentials = assumed["Credentials"]
    yield {
        **running.emulator.client_environment(os.environ),
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "ALIAS_ARN": running.outputs["QuoteFunctionAliasArn"],
    }


def call(project: Path, caller: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    """Deploy the service, and ask it for a quote with the client of a language."""
    with (
        session._stack(project, Progress(), parameters) as running,
        environment_of_the_caller(running) as environment,
    ):
        prices = running.outputs["PricesTableName"]
        running.emulator.client("dynamodb").put_item(TableName=prices, Item=ITEM)
        return subprocess.run(
            CALLS[caller], cwd=project, env=environment, capture_output=True, text=True, check=False
        )


@pytest.mark.parametrize(
    ("service", "caller"), [("python", "typescript"), ("typescript", "python")]
)
def test_a_caller_of_the_other_language_that_is_named_gets_a_quote(
    service: str, caller: str, tmp_path: Path
) -> None:
    called = call(project_of(service, tmp_path), caller, CallerArn=CALLER)

    assert called.stdout.strip() == "12600", called.stderr


def test_a_caller_that_nobody_names_does_not_get_to_the_service(tmp_path: Path) -> None:
    called = call(project_of("python", tmp_path), "python")

    assert called.returncode != 0
    assert "prices_client.UnreachableError" in called.stderr
