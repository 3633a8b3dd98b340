"""The tool of a project that lists dead letters, where a redrive has nothing to send back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from environments import link_modules, node
from local.support import Client, DeployStack
from rendering import render_project

from sls_patterns_cli.local.emulator import Emulator

QUEUE_OF_DEPLOYMENTS = """
Resources:
  MigrateDeadLetterQueue: {Type: "AWS::SQS::Queue"}
Outputs:
  MigrateDeadLetterQueueUrl: {Value: !Ref MigrateDeadLetterQueue}
"""

FAILED_REQUEST = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": {"RequestType": "Update"},
    "responsePayload": {"errorType": "Sandbox.Timedout"},
}


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_a_redrive_succeeds_though_a_request_of_a_deployment_stays(
    runtime: str, deploy_stack: DeployStack, emulator: Emulator, client: Client, tmp_path: Path
) -> None:
    answers = {"pattern": "simple-web-service", "runtime": runtime, "iac": "sam"}
    project = render_project(tmp_path / "project", **answers, datastore="aurora-postgresql")
    tool: list[str | Path] = [sys.executable, "tools/dead_letters.py"]
    if runtime == "typescript":
        link_modules(project)
        tool = [node().executable, "tools/dead-letters.ts"]
    stack = f"deployment-{runtime}"
    queue = deploy_stack(QUEUE_OF_DEPLOYMENTS, stack)["MigrateDeadLetterQueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(FAILED_REQUEST))

    done = subprocess.run(
        [*tool, "redrive"],
        cwd=project,
        env={**emulator.client_environment(os.environ), "STACK_NAME": stack},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == [
        "MigrateDeadLetterQueue: 0 sent back, 1 stay",
        "  stays: deploy again: that invokes MigrateFunction anew",
    ], done.stderr
    assert done.returncode == 0
    assert client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"] == {"ApproximateNumberOfMessages": "1"}
