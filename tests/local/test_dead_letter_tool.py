"""The tool of a project that lists dead letters and sends them back."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from environments import link_modules, node
from local.support import Client, DeployStack, wait_until
from rendering import render_project

from sls_patterns_cli.local.emulator import Emulator

BOTH = pytest.mark.parametrize("runtime", ["python", "typescript"])
# What each reader of the answer needs to know of a queue that was not read whole.
NOT_ALL = "not all seen"


@dataclass(frozen=True)
class Done:
    status: int | str
    lines: list[str]


Run = Callable[..., Done]


@pytest.fixture
def run(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Runs the tool of a project with these answers against a stack; returns what it printed."""

    def run_tool(answers: dict[str, str], stack: str, action: str, **variables: str) -> Done:
        project = tmp_path / "project"
        if not project.exists():
            render_project(project, iac="sam", **answers)
        environment = {**emulator.client_environment({}), "STACK_NAME": stack, **variables}
        if answers["runtime"] == "typescript":
            link_modules(project)
            done = subprocess.run(
                [node().executable, "tools/dead-letters.ts", action],
                cwd=project,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            return Done(done.returncode, (done.stdout + done.stderr).splitlines())
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["dead_letters.py", action])
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(project / "tools/dead_letters.py"), run_name="__main__")
        return Done(ended.value.code or 0, capfd.readouterr().out.splitlines())

    return run_tool


def queues(*names: str, fifo: bool = False, more: str = "") -> str:
    """Return a stack with these queues, whose outputs are their URLs."""
    kind = "{FifoQueue: true}" if fifo else "{}"
    resources = "\n".join(f'  {n}: {{Type: "AWS::SQS::Queue", Properties: {kind}}}' for n in names)
    outputs = "\n".join(f"  {name}Url: {{Value: !Ref {name}}}" for name in names)
    return f"Resources:\n{resources}\nOutputs:\n{outputs}\n{more}"


def function(name: str, code: str) -> str:
    """Return a function, and what the tool reads of it, as the end of a stack with queues."""
    return f"""  {name}FunctionName: {{Value: !Ref {name}Function}}
  {name}FunctionLogGroupName: {{Value: "/aws/lambda/{name}"}}
Resources:
  {name}Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        {code}
"""


def texts(client: Client, queue: str) -> list[str]:
    return [each["Body"] for each in received(client, queue)]


def received(client: Client, queue: str, seconds: int = 0) -> list[dict[str, Any]]:
    """Receive what is visible in a queue, and hide it for so many seconds."""
    found: list[dict[str, Any]] = []
    while batch := client("sqs").receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        VisibilityTimeout=seconds or 1,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        found += batch
    return found


FAILED_REQUEST = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": {"RequestType": "Update"},
    "responsePayload": {"errorType": "Sandbox.Timedout"},
}


@BOTH
def test_a_redrive_succeeds_though_a_request_of_a_deployment_stays(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"deployment-{runtime}"
    queue = deploy_stack(queues("MigrateDeadLetterQueue"), stack)["MigrateDeadLetterQueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(FAILED_REQUEST))
    answers = {"pattern": "simple-web-service", "datastore": "aurora-postgresql"}

    done = run({**answers, "runtime": runtime}, stack, "redrive")

    assert done.lines == [
        "MigrateDeadLetterQueue: 0 sent back, 1 stay",
        "  stays: deploy again: that invokes MigrateFunction anew",
    ]
    assert done.status == 0
    assert texts(client, queue) == [json.dumps(FAILED_REQUEST)]


USAGE = ("UsageQueue", "UsageDeadLetterQueue")
USAGE_LOG = '  StoreFunctionLogGroupName: {Value: "/aws/lambda/store"}\n'


@BOTH
def test_no_run_succeeds_while_another_holds_letters(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"held-{runtime}"
    queue = deploy_stack(queues(*USAGE, more=USAGE_LOG), stack)["UsageDeadLetterQueueUrl"]
    for number in range(3):
        client("sqs").send_message(QueueUrl=queue, MessageBody=str(number))
    assert len(received(client, queue, seconds=120)) == 3  # as by a listing that was killed
    answers = {"pattern": "frugal-consumer", "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")

    held = "3 missing, 3 held by another run until "
    (line,) = listed.lines
    assert held in line, line
    assert listed.status == 1
    assert redriven.lines[0] == "UsageDeadLetterQueue: 0 sent back"
    assert held in redriven.lines[1]
    assert redriven.status == 1


@BOTH
def test_a_redrive_keeps_group_and_attributes_of_a_message(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    """Also of one that somebody sent into the queue, for which SQS knows no source."""
    stack = f"attributes-{runtime}"
    outputs = deploy_stack(queues(*USAGE, more=USAGE_LOG), stack)
    attributes = {
        f"attribute-{number}": {"StringValue": str(number), "DataType": "String"}
        for number in range(10)
    }
    client("sqs").send_message(
        QueueUrl=outputs["UsageDeadLetterQueueUrl"],
        MessageBody="letter",
        MessageGroupId="tenant",
        MessageAttributes=attributes,
    )

    done = run({"pattern": "frugal-consumer", "runtime": runtime}, stack, "redrive")

    assert done == Done(0, ["UsageDeadLetterQueue: 1 sent back"])
    (message,) = received(client, outputs["UsageQueueUrl"])
    assert message["Body"] == "letter"
    assert message["Attributes"]["MessageGroupId"] == "tenant"
    assert message["MessageAttributes"] == attributes
    assert texts(client, outputs["UsageDeadLetterQueueUrl"]) == []


@BOTH
def test_a_group_of_a_fifo_queue_is_redriven_whole_though_a_listing_sees_ten(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"fifo-{runtime}"
    names = ("EntriesQueue", "EntriesDeadLetterQueue")
    log = '  PostFunctionLogGroupName: {Value: "/aws/lambda/post"}\n'
    outputs = deploy_stack(queues(*names, fifo=True, more=log), stack)
    sent = [f"entry-{number}" for number in range(15)]
    for queue in ("EntriesQueueUrl", "EntriesDeadLetterQueueUrl"):
        for text in sent:
            client("sqs").send_message(
                QueueUrl=outputs[queue],
                MessageBody=text,
                MessageGroupId="account",
                MessageDeduplicationId=text,
            )
    # The source has had each within the five minutes in which SQS drops a second one.
    client("sqs").purge_queue(QueueUrl=outputs["EntriesQueueUrl"])
    answers = {"pattern": "fifoer", "topology": "native", "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")

    assert "10 seen; not all seen: 5 missing" in listed.lines[-1]
    assert redriven == Done(0, ["EntriesDeadLetterQueue: 15 sent back"])
    arrived = client("sqs").receive_message(
        QueueUrl=outputs["EntriesQueueUrl"], MaxNumberOfMessages=10
    )["Messages"]
    assert [each["Body"] for each in arrived] == sent[:10]
