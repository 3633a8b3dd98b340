"""Projects on the local stack, and Schemathesis, which calls them as their documents say."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from environments import link_requirements
from openapi.described import installed
from proofs.proving import assemble
from tools import tool

from sls_patterns_cli.local import project as projects

HERE = Path(__file__).parent
READY = "The functions' logs follow"
CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "positive_data_acceptance",
    "negative_data_rejection",
    "missing_required_header",
}
LEFT_OUT = {
    # What is accepted is checked by what consumes it, which keeps what is invalid.
    "scalable-webhook": {"negative_data_rejection", "missing_required_header"},
    "streamer": {"negative_data_rejection"},
    # The machine checks the order. An id of another order is refused with 400, and few ids occur.
    "state-machine/standard": {"negative_data_rejection", "positive_data_acceptance"},
    "state-machine/express": {"positive_data_acceptance"},
}
"""The checks that do not fit a pattern or topology."""
ANSWERS = {
    "Carrier": {"status": "in transit", "place": "Hamburg"},
    "Catalog": {"name": "Tea pot", "price": 4200},
    "Stock": {"available": 7},
    "Reviews": {"rating": 4.5, "count": 12},
}
"""What stand-ins of other systems answer, so that the service has something to return."""


@dataclass(frozen=True)
class Served:
    """A project that the local stack serves, with the variables that `local up` prints."""

    project: Path
    variables: Mapping[str, str]


@contextmanager
def served(project: Path) -> Iterator[Served]:
    """Run `sls-patterns local up` in a project while the block runs."""
    made = projects.load(installed(project))
    if made.runtime == "python":
        link_requirements(project)
    if made.iac == "cdk":
        assemble(project, build=made.runtime == "typescript")
    with tempfile.TemporaryFile("w+") as printed:
        running = subprocess.Popen(
            [sys.executable, "-m", "sls_patterns_cli", "local", "up", project],
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
        )
        try:
            assert running.stdout
            lines = []
            for line in running.stdout:
                lines.append(line)
                if line.startswith(READY):
                    break
            else:
                printed.seek(0)
                pytest.fail("".join(lines) + printed.read(), pytrace=False)
            said = (re.fullmatch(r"export (\w+)=(.*)", line.strip()) for line in lines)
            variables = {each[1]: shlex.split(each[2])[0] for each in said if each}
            _prepare(variables)
            yield Served(project, variables)
        finally:
            running.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.communicate(timeout=20)
            running.kill()


def _prepare(variables: dict[str, str]) -> None:
    for name, content in ANSWERS.items():
        if control := variables.get(f"{name}ControlUrl"):
            told = {"status": 200, "body": json.dumps(content)}
            urllib3.request("PUT", f"{control}/answer", json=told)
    if function := variables.get("AdministerFunctionName"):
        client = boto3.client(
            "lambda",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_DEFAULT_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        asked = {"operation": "grant", "principal": "proof", "scopes": "rates:read labels:write"}
        answer = client.invoke(FunctionName=function, Payload=json.dumps(asked).encode())
        granted = json.load(answer["Payload"])
        if "token" in granted:  # the function of another pattern has no such operation
            variables["TOKEN"] = granted["token"]


def differences(served: Served, document: Mapping[str, Any], *options: str) -> str:
    """Return what Schemathesis finds: where the service and its document differ; "" if nowhere."""
    made = projects.load(served.project)
    named = (made.pattern, f"{made.pattern}/{made.topology}")
    checks = CHECKS.difference(*(LEFT_OUT.get(each, set()) for each in named))
    if "sigv4" in document["components"].get("securitySchemes", {}):
        # Schemathesis expects 401 without the header Authorization; IAM answers 403.
        checks -= {"missing_required_header"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "openapi.json"
        file.write_text(json.dumps(document))
        command: list[str | Path] = [
            *(tool("SLS_SCHEMATHESIS"), "--config-file", HERE / "schemathesis.toml", "--no-color"),
            *("run", file, "--url", served.variables["ApiUrl"], "--warnings", "off"),
            *("--checks", ",".join(sorted(checks)), "--continue-on-failure", *options),
            *("--request-timeout", "60"),
        ]
        done = subprocess.run(
            command,
            env={
                **os.environ,
                **served.variables,
                "SCHEMATHESIS_HOOKS": "hooks",
                "PYTHONPATH": str(HERE),
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    return "" if done.returncode == 0 else done.stdout + done.stderr
