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
from urllib.parse import urlsplit

import pytest
from command import wait_for
from environments import link_modules, node
from letters.conftest import bodies
from letters.proxy import proxy
from letters.test_order import ShownAgain, Throttle
from local.support import Client, DeployStack
from rendering import render_project
from variants import Variant, all_variants, covering

from sls_patterns_cli.local.emulator.server import Emulator

TRACE = "1-5759e988-bd862e3fe1be46a994272793"
BOTH = pytest.mark.parametrize("runtime", ["python", "typescript"])
# Of what a client receives, the local stack divides the time; these are some minutes.
HALF_A_DAY = 43_200


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

    def run_tool(answers: dict[str, str], stack: str, *arguments: str, **variables: str) -> Done:
        project = tmp_path / "project"
        if not project.exists():
            render_project(project, iac="sam", dead_letters="tool", **answers)
        environment = {**emulator.client_environment({}), "STACK_NAME": stack, **variables}
        if answers["runtime"] == "typescript":
            link_modules(project)
            done = subprocess.run(
                [node().executable, "tools/dead-letters.ts", *arguments],
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
            patch.setattr(sys, "argv", ["dead_letters.py", *arguments])
            patch.syspath_prepend(project / "tools")
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
    return f"Outputs:\n{outputs}\n{more or 'Resources:'}\n{resources}\n"


def addresses(outputs: dict[str, str]) -> str:
    """Return a stack with these outputs."""
    told = "\n".join(f'  {name}: {{Value: "{value}"}}' for name, value in outputs.items())
    return f'Outputs:\n{told}\nResources:\n  Any: {{Type: "AWS::SQS::Queue"}}\n'


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
    """Receive what is visible in a queue, each once, and hide it for so many seconds."""
    found: dict[str, dict[str, Any]] = {}
    while (
        batch := client("sqs")
        .receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            VisibilityTimeout=seconds or 1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        .get("Messages")
    ):
        # On a busy machine the first is shown again before the last is received.
        if found.keys() >= {each["MessageId"] for each in batch}:
            break
        found |= {each["MessageId"]: each for each in batch}
    return list(found.values())


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
        "  stays: deploy again: that invokes MigrateFunction again",
    ]
    assert done.status == 0
    assert texts(client, queue) == [json.dumps(FAILED_REQUEST)]


FRUGAL = {"pattern": "frugal-consumer", "datastore": "dynamodb"}
USAGE = ("UsageQueue", "UsageDeadLetterQueue")
USAGE_LOG = '  StoreFunctionLogGroupName: {Value: "/aws/lambda/store"}\nResources:'


@BOTH
def test_no_run_succeeds_while_another_holds_letters(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"held-{runtime}"
    queue = deploy_stack(queues(*USAGE, more=USAGE_LOG), stack)["UsageDeadLetterQueueUrl"]
    for number in range(3):
        client("sqs").send_message(QueueUrl=queue, MessageBody=str(number))
    assert len(received(client, queue, seconds=HALF_A_DAY)) == 3  # as by a listing that was killed
    answers = {**FRUGAL, "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")

    total = "0 of 3 seen (0 visible, 3 in flight, 0 delayed); not all seen"
    held = f"UsageDeadLetterQueue: {total}, 3 held by another run until "
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
    """Also of one that its consumer sent into the queue, for which SQS knows no source."""
    stack = f"attributes-{runtime}"
    outputs = deploy_stack(queues(*USAGE, more=USAGE_LOG), stack)
    names = [*(f"attribute-{number}" for number in range(8)), "reason", "source_message_id"]
    attributes = {name: {"StringValue": name, "DataType": "String"} for name in names}
    client("sqs").send_message(
        QueueUrl=outputs["UsageDeadLetterQueueUrl"],
        MessageBody="letter",
        MessageGroupId="tenant",
        MessageAttributes=attributes,
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": f"Root={TRACE};Sampled=1"}
        },
    )

    listed = run({**FRUGAL, "runtime": runtime}, stack, "list").lines
    done = run({**FRUGAL, "runtime": runtime}, stack, "redrive")

    assert f"  trace:    {TRACE}" in listed

    assert done == Done(0, ["UsageDeadLetterQueue: 1 sent back"])
    printed = run({**FRUGAL, "runtime": runtime}, stack, "redrive", "--json").lines
    (report,) = json.loads("\n".join(printed))
    assert (report["queue"], report["sent"], report["total"]["seen"]) == (USAGE[1], 0, 0)
    assert (report["stays"], report["left"]) == ([], [])
    (message,) = received(client, outputs["UsageQueueUrl"])
    assert message["Body"] == "letter"
    assert message["Attributes"]["MessageGroupId"] == "tenant"
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["AWSTraceHeader"] == f"Root={TRACE};Sampled=1"
    assert texts(client, outputs["UsageDeadLetterQueueUrl"]) == []


ENTRIES = ("EntriesQueue", "EntriesDeadLetterQueue")
ENTRIES_LOG = '  PostFunctionLogGroupName: {Value: "/aws/lambda/post"}\nResources:'
FIFOER = {"pattern": "fifoer", "topology": "native"}


@dataclass(frozen=True)
class Redriven:
    """What two runs printed, and what the first tried to send."""

    first: Done
    again: Done
    tried: list[str]
    ids: dict[str, str]
    """The id of each message by its text."""
    arrived: list[str]
    """What of the blocked group is in the queue in the end."""


Blocked = Callable[[str, str], Redriven]
BEFORE = ["a1", *(f"b{number}" for number in range(9))]


@pytest.fixture
def blocked(run: Run, deploy_stack: DeployStack, client: Client, emulator: Emulator) -> Blocked:
    """Redrives a FIFO queue whose first message is throttled, and again when it is not.

    Meanwhile the first message is shown again.
    """

    def redrive_twice(runtime: str, stack: str) -> Redriven:
        outputs = deploy_stack(queues(*ENTRIES, fifo=True, more=ENTRIES_LOG), stack)
        dead_letters = outputs["EntriesDeadLetterQueueUrl"]
        ids = {
            text: client("sqs").send_message(
                QueueUrl=dead_letters,
                MessageBody=text,
                MessageGroupId=text[0],
                MessageDeduplicationId=text,
            )["MessageId"]
            for text in (*BEFORE, "a2", "a3", "c1")
        }
        answers = {**FIFOER, "runtime": runtime}
        throttle = Throttle("a1", times=1000)
        hook = ShownAgain(throttle, BEFORE[-1], client, dead_letters)
        with proxy(emulator.port, hook, "ThrottlingException") as address:
            # The SDK for JavaScript takes the host of a queue's address for SQS.
            through = {key: f"{address}{urlsplit(url).path}" for key, url in outputs.items()}
            deploy_stack(addresses(through), f"{stack}-proxy")
            given = {"AWS_ENDPOINT_URL": address, "AWS_MAX_ATTEMPTS": "1"}
            first = run(answers, f"{stack}-proxy", "redrive", **given)
        again = run(answers, stack, "redrive")
        arrived = [text for text in bodies(client, outputs["EntriesQueueUrl"]) if text[0] == "a"]
        return Redriven(first, again, throttle.sent, ids, arrived)

    return redrive_twice


@BOTH
def test_what_is_behind_a_message_that_cannot_be_sent_waits_and_goes_back_in_order(
    runtime: str, blocked: Blocked
) -> None:
    done = blocked(runtime, f"order-{runtime}")

    assert done.first.status == 1
    total, throttled, *behind = done.first.lines
    assert total == "EntriesDeadLetterQueue: 10 sent back, 3 stay"
    assert "the role may not" in throttled
    for line, text in zip(behind, ("a2", "a3"), strict=True):
        assert line.endswith(f"message {done.ids[text]} is behind one of its group that stays")
    assert done.tried == [*BEFORE, "c1"]
    assert done.again == Done(0, ["EntriesDeadLetterQueue: 3 sent back"])
    assert done.arrived == ["a1", "a2", "a3"]


MUTANT = {
    "python": (
        "dead_letters.py",
        "            self._waiting.add(message.group)",
        "            pass",
    ),
    "typescript": ("dead-letters.ts", "      this.#waiting.add(Attributes?.MessageGroupId);", ""),
}


@BOTH
def test_a_tool_that_holds_no_group_back_is_noticed(
    runtime: str, blocked: Blocked, tmp_path: Path
) -> None:
    project = render_project(
        tmp_path / "project", iac="sam", dead_letters="tool", **FIFOER, runtime=runtime
    )
    name, held, sent = MUTANT[runtime]
    tool = project / "tools" / name
    assert tool.read_text().count(held) == 1
    tool.write_text(tool.read_text().replace(held, sent))

    done = blocked(runtime, f"overtaken-{runtime}")

    assert done.tried == [*BEFORE, "a2", "a3", "c1"]
    assert done.arrived == ["a2", "a3", "a1"]


@BOTH
def test_a_group_of_a_fifo_queue_is_redriven_whole_though_a_listing_sees_ten(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"fifo-{runtime}"
    outputs = deploy_stack(queues(*ENTRIES, fifo=True, more=ENTRIES_LOG), stack)
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
    answers = {**FIFOER, "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")

    total = "10 of 15 seen (15 visible, 0 in flight, 0 delayed); not all seen"
    assert listed.lines[-1] == f"EntriesDeadLetterQueue: {total}"
    assert redriven == Done(0, ["EntriesDeadLetterQueue: 15 sent back"])
    arrived = client("sqs").receive_message(
        QueueUrl=outputs["EntriesQueueUrl"], MaxNumberOfMessages=10
    )["Messages"]
    assert [each["Body"] for each in arrived] == sent[:10]


@BOTH
@pytest.mark.parametrize(
    "verdict",
    [
        ('raise ValueError("poison")', "AwardFunction failed again: poison"),
        ('return {"batchItemFailures": [{}]}', "AwardFunction could not process it again"),
        ("return None", ""),
    ],
)
def test_a_letter_stays_until_its_function_has_processed_it(
    runtime: str, verdict: tuple[str, str], run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    answer, outcome = verdict
    stack = f"verdict-{runtime}-{len(answer)}"
    more = function("Award", f"def handler(event, context): {answer}")
    queue = deploy_stack(queues("AwardDeadLetterQueue", more=more), stack)
    record = json.dumps({**FAILED_REQUEST, "requestPayload": {"order": 1}})
    client("sqs").send_message(QueueUrl=queue["AwardDeadLetterQueueUrl"], MessageBody=record)
    answers = {"pattern": "internal-handoff", "topology": "destination", "runtime": runtime}

    done = run(answers, stack, "redrive")

    if outcome:
        told = ["AwardDeadLetterQueue: 0 sent back, 1 stay", f"  stays: {outcome}"]
        assert done == Done(1, told)
        assert texts(client, queue["AwardDeadLetterQueueUrl"]) == [record]
    else:
        assert done == Done(0, ["AwardDeadLetterQueue: 1 sent back"])
        assert texts(client, queue["AwardDeadLetterQueueUrl"]) == []


@BOTH
def test_what_a_function_set_aside_goes_to_the_queue_that_it_consumes(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"set-aside-{runtime}"
    names = ("RefusedQueue", "DeliveriesQueue", "DeliveriesDeadLetterQueue")
    log = '  ProcessFunctionLogGroupName: {Value: "/aws/lambda/process"}\nResources:'
    outputs = deploy_stack(queues(*names, more=log), stack)
    client("sqs").send_message(
        QueueUrl=outputs["RefusedQueueUrl"],
        MessageBody="delivery",
        MessageAttributes={"reason": {"StringValue": "outdated", "DataType": "String"}},
    )
    answers = {"pattern": "scalable-webhook", "topology": "direct", "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")

    assert listed.lines[0].startswith("RefusedQueue: ")
    assert listed.lines[0].endswith("failed at ProcessFunction")
    assert listed.lines[-2:] == [
        "  why:      outdated",
        "RefusedQueue: 1 of 1 seen (1 visible, 0 in flight, 0 delayed)",
    ]
    assert redriven.status == 0
    assert "RefusedQueue: 1 sent back" in redriven.lines
    assert texts(client, outputs["DeliveriesQueueUrl"]) == ["delivery"]


MACHINE = """
  OrderStateMachineArn: {Value: !Ref OrderStateMachine}
Resources:
  OrderStateMachine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: arn:aws:iam::000000000000:role/any
      DefinitionString: '%s'
"""
FAILS = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Poison"}}}
WAITS = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 3, "End": True}},
}


@BOTH
def test_an_execution_that_fails_again_stays_and_a_stopped_one_is_restarted_by_name(
    runtime: str, run: Run, deploy_stack: DeployStack, client: Client
) -> None:
    stack = f"executions-{runtime}"
    names = ("OrderStateMachineDeadLetterQueue", "OrderDeadLetterQueue")
    outputs = deploy_stack(queues(*names, more=MACHINE % json.dumps(FAILS)), stack)
    waiting = deploy_stack(queues(*names, more=MACHINE % json.dumps(WAITS)), f"{stack}-waits")
    machines = client("stepfunctions")
    machine = outputs["OrderStateMachineArn"]
    failing = machines.start_execution(stateMachineArn=machine)
    stopped = machines.start_execution(
        stateMachineArn=waiting["OrderStateMachineArn"], name="stopped"
    )["executionArn"]
    machines.stop_execution(executionArn=stopped)
    # EventBridge reports an execution that has failed.
    ended = {"stateMachineArn": machine, "statusFilter": "FAILED"}
    wait_for(10, lambda: machines.list_executions(**ended)["executions"])
    for arn, status in ((failing["executionArn"], "FAILED"), (stopped, "ABORTED")):
        detail = {"executionArn": arn, "status": status, "input": "{}"}
        client("sqs").send_message(
            QueueUrl=outputs["OrderDeadLetterQueueUrl"], MessageBody=json.dumps({"detail": detail})
        )
    answers = {"pattern": "state-machine", "topology": "standard", "runtime": runtime}

    listed = run(answers, stack, "list")
    redriven = run(answers, stack, "redrive")
    by_name = run(answers, stack, "redrive", EXECUTION="stopped")

    assert "  why:      ABORTED: stopped by an operator" in listed.lines
    again = f"  stays: {failing['executionArn']} ended again: FAILED"
    asked = "make redrive EXECUTION=stopped restarts it"
    assert sorted(redriven.lines) == sorted(
        [
            "OrderDeadLetterQueue: 0 sent back, 2 stay",
            again,
            f"  stays: an operator stopped stopped: {asked}",
        ]
    )
    assert redriven.status == 1
    assert by_name.lines == ["OrderDeadLetterQueue: 1 sent back, 1 stay", again]
    assert machines.describe_execution(executionArn=stopped)["status"] == "SUCCEEDED"


TOOLS = sorted(
    (v for v in covering(all_variants()) if (v.runtime, v.iac) == ("typescript", "sam")), key=str
)
# Prefixes of IAM that are not the names of the clients.
PREFIXES = {"sfn": "states", "eventbridge": "events", "secrets-manager": "secretsmanager"}


@pytest.mark.parametrize("variant", TOOLS, ids=str)
def test_the_readme_lists_the_permissions_that_the_tool_needs(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", dead_letters="tool", **variant.answers)
    tool = [project / f"tools/{name}.ts" for name in ("dead-letters", "dead-letter-queue")]
    if not tool[0].exists():
        return
    code = "".join(module.read_text() for module in tool)
    imports = re.findall(r"import \{([^}]+)\} from \"@aws-sdk/client-([\w-]+)\"", code)
    called = {
        f"{PREFIXES.get(client, client)}:{name}"
        for names, client in imports
        for name in re.findall(r"(\w+)Command\b", names)
    }

    readme = (project / "README.md").read_text()

    (listed,) = re.findall(r"To list and redrive, a role needs (.*?)\. ", readme)
    invoked = {each.replace(":Invoke", ":InvokeFunction") for each in called}
    # The tool reads the outputs of the stack, and loads what the warehouse refused.
    others = re.compile("cloudformation:|redshift|firehose:Describe|secretsmanager:")
    assert {each for each in re.findall(r"`([^`]+)`", listed) if not others.match(each)} == invoked
