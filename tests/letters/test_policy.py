"""What `letters policy` prints for a command: all that it calls, and nothing that it does not."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from command import Cli
from letters.conftest import Letters, Put, bodies
from letters.proxy import proxy
from letters.test_ways_back import EVENT, UNDELIVERED, batch, notification, record
from local.support import Client, objects, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

Shop = dict[str, str]
Actions = set[str]
RunAs = Callable[..., Actions]

OF_STACK = ("--stack", "shop")
TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
SERVICES = {
    "AmazonSQS": "sqs",
    "AWSEvents": "events",
    "AWSStepFunctions": "states",
    "DynamoDBStreams_20120810": "dynamodb",
    "Firehose_20150804": "firehose",
    "Kinesis_20131202": "kinesis",
    "Logs_20140328": "logs",
}
PATHS = {
    r"GET /\S+/functions/[^/]+/configuration": "lambda:GetFunctionConfiguration",
    r"GET /\S+/functions/[^/]+/event-invoke-config": "lambda:GetFunctionEventInvokeConfig",
    r"POST /\S+/functions/[^/]+/invocations": "lambda:InvokeFunction",
    r"GET /\S+/event-source-mappings/": "lambda:GetEventSourceMapping",
    r"PUT /\S+/event-source-mappings/": "lambda:UpdateEventSourceMapping",
    r"GET /schedules/": "scheduler:GetSchedule",
    r"PUT /schedules/": "scheduler:UpdateSchedule",
    r"GET /[^/?]+/?\?list-type": "s3:ListBucket",
    r"GET /[^/?]+/": "s3:GetObject",
    r"DELETE /[^/?]+/": "s3:DeleteObject",
}
ALLOW = {"Effect": "Allow", "Resource": "*"}
ASKED_INSTEAD = {
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
    "lambda:GetFunctionEventInvokeConfig": "lambda:GetFunction",
}
NOT_SEEN = {
    *ASKED_INSTEAD,
    "dynamodb:GetRecords",
    "events:ListTargetsByRule",
    "kinesis:GetRecords",
    "sns:GetSubscriptionAttributes",
    "sqs:ListMessageMoveTasks",
    "sqs:StartMessageMoveTask",
}
"""The emulator asks for these on all resources."""
WITHOUT_CALL = {"iam:PassRole"}
"""AWS asks for it when a schedule is written."""
BY_HAND = {"sqs:CancelMessageMoveTask"}
"""Of the command that a redrive prints, for whoever wants to stop it."""


def action_of(called: str, body: bytes) -> str:
    """Return the permission that a request needs, as AWS's reference names it."""
    target, _, operation = called.rpartition(".")
    if target in SERVICES:
        operation = operation.removesuffix("Batch") if target == "AmazonSQS" else operation
        return f"{SERVICES[target]}:{operation}"
    if called == "POST /":
        form = parse_qs(body.decode())
        services = {"2010-05-15": "cloudformation", "2010-03-31": "sns", "2011-06-15": "sts"}
        return f"{services[form['Version'][0]]}:{form['Action'][0]}"
    return next(action for pattern, action in PATHS.items() if re.match(pattern, called))


@pytest.fixture
def run_as(user: Cli, letters: Letters, client: Client, emulator: Emulator) -> RunAs:
    """Runs commands with a role that has the policy of a verb only; returns what they call."""
    iam, sts = client("iam"), client("sts")

    def run(verb: str, *commands: tuple[str | Path, ...]) -> Actions:
        name = f"letters-{verb}-{uuid4()}"
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}),
        )["Role"]["Arn"]
        policy = json.loads(letters("policy", verb, *OF_STACK).stdout)
        document = json.dumps(as_the_emulator_has_it(policy))
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=document)
        given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        called: Actions = set()

        def note(action: str, when: str, body: bytes) -> bool:
            if when == "before":
                called.add(action_of(action, body))
            return False

        with proxy(emulator.port, note) as address:
            for command in commands:
                done = user(
                    "letters",
                    *command,
                    *OF_STACK,
                    AWS_ENDPOINT_URL=address,
                    AWS_ACCESS_KEY_ID=given["AccessKeyId"],
                    AWS_SECRET_ACCESS_KEY=given["SecretAccessKey"],
                    AWS_SESSION_TOKEN=given["SessionToken"],
                )
                assert done.returncode in {0, 1}, done.stderr
                assert "permission" not in done.stdout + done.stderr
        return called

    return run


@pytest.fixture
def filled(put: Put, shop: Shop, client: Client) -> None:
    """Puts a letter into each end of the shop."""
    put("OrdersDlq", '{"order": "of the policy"}')
    put("AwardFailed", record(shop["AwardArn"], {"award": "of the policy"}))
    put("OlderFailed", '{"policy": 1}', RequestID="r", ErrorCode="200", ErrorMessage="poison")
    put("MailboxFailed", notification(shop["Topic"], "of the policy"))
    put("ListenerFailed", notification(shop["Topic"], "of the policy"))
    targets = {"ToFunction": shop["ListenerArn"], "ToQueue": shop["MailboxArn"]}
    for rule, target in {**targets, "ToMachine": shop["Machine"]}.items():
        put("Undelivered", EVENT, RULE_ARN=shop[rule], TARGET_ARN=target, **UNDELIVERED)
    arn = f"arn:aws:scheduler:eu-west-1:000000000000:schedule/default/{shop['Nightly']}"
    put("NightlyFailed", '{"policy": 1}', SCHEDULE_ARN=arn, **UNDELIVERED)
    number = client("kinesis").put_record(
        StreamName=shop["Readings"], PartitionKey="meter", Data=b"one"
    )["SequenceNumber"]
    put("ReaderFailed", batch(shop["ReaderArn"], shop["ReadingsArn"], number, number, 1))
    machine = client("stepfunctions")
    machine.start_execution(stateMachineArn=shop["Machine"], input='{"fail": 1}')
    gone = f"{shop['Machine'].replace(':stateMachine:', ':execution:')}:gone"
    detail = {"executionArn": gone, "status": "FAILED", "input": '{"policy": 1}'}
    put("FailedExecutions", {"source": "aws.states", "detail": detail})
    client("dynamodb").put_item(TableName=shop["Table"], Item={"id": {"S": f"poison {uuid4()}"}})
    wait_until(lambda: objects(client, shop["Changes"]))
    line = {"errorCode": "x", "errorMessage": "y", "rawData": base64.b64encode(b"z").decode()}
    key = "failed/processing-failed/2026/policy"
    client("s3").put_object(Bucket=shop["Lake"], Key=key, Body=json.dumps(line))


QUEUES = (
    *("OrdersDlq", "AwardFailed", "OlderFailed", "MailboxFailed", "ListenerFailed", "Undelivered"),
    *("NightlyFailed", "ReaderFailed", "FailedExecutions"),
)


@pytest.fixture
def empty(shop: Shop, client: Client) -> Iterator[None]:
    """Empties each end of the shop after a test."""
    yield
    for queue in (*QUEUES, "Mailbox"):
        bodies(client, shop[queue])
    for bucket in ("Changes", "Lake"):
        for key in objects(client, shop[bucket]):
            client("s3").delete_object(Bucket=shop[bucket], Key=key)


SWITCHED = "Store", "Listener"

COMMANDS: dict[str, tuple[tuple[str | Path, ...], ...]] = {
    "list": (("list",),),
    "show": (("show", "--payload"),),
    "redrive": (
        ("redrive", "--end", "OrdersDlq", "--all", "--yes"),
        ("redrive", "--group", "00000000", "--yes"),
        ("redrive", "--older-than", "0s", "--wait", "1", "--yes"),
    ),
}


@pytest.fixture
def switch(letters: Letters, shop: Shop) -> Iterator[Callable[[str], None]]:
    """Pauses or resumes what starts two functions of the shop; in the end they are resumed."""

    def run(verb: str) -> None:
        for function in SWITCHED:
            done = letters(verb, function, *OF_STACK, "--yes")
            assert shop
            assert done.returncode == 0, done.stderr

    yield run
    run("resume")


@pytest.mark.usefixtures("filled", "empty")
@pytest.mark.parametrize("verb", COMMANDS)
def test_a_command_calls_what_its_policy_allows_and_the_policy_allows_nothing_more(
    verb: str, run_as: RunAs, letters: Letters
) -> None:
    called = run_as(verb, *COMMANDS[verb])

    assert called == actions(letters, verb) - WITHOUT_CALL - BY_HAND


@pytest.mark.parametrize(("verb", "before"), [("pause", "resume"), ("resume", "pause")])
def test_switching_calls_what_its_policy_allows_and_the_policy_allows_nothing_more(
    verb: str, before: str, run_as: RunAs, letters: Letters, switch: Callable[[str], None]
) -> None:
    switch(before)

    called = run_as(verb, *((verb, function, "--yes") for function in SWITCHED))

    assert called == actions(letters, verb) - WITHOUT_CALL


@pytest.mark.usefixtures("filled", "empty")
def test_discarding_calls_what_its_policy_allows_and_nothing_more(
    run_as: RunAs, letters: Letters, tmp_path: Path
) -> None:
    ends = json.loads(letters("list", *OF_STACK, "--json").stdout)["ends"]
    chosen = [f"--group={group['group']}" for end in ends for group in end["groups"]]

    called = run_as("discard", ("discard", *chosen, "--to", tmp_path / "copy.jsonl", "--yes"))

    assert called == actions(letters, "discard")
    kept = (tmp_path / "copy.jsonl").read_text().splitlines()
    assert {json.loads(line)["end"] for line in kept} == {*QUEUES, "Changes", "Lake"}


def test_what_is_no_verb_is_one_line(letters: Letters, shop: Shop) -> None:
    done = letters("policy", "redriev", *OF_STACK)

    assert shop
    says = "redriev is no verb and no path; the verbs are list, show, redrive, discard, pause, "
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sls-patterns: {says}resume, set-aside.\n"


def as_the_emulator_has_it(policy: dict[str, Any]) -> dict[str, Any]:
    """Return a policy with the names that the emulator asks for in the place of AWS's.

    It knows a log group by its ARN without `:*`, takes some requests for others, and does not see
    what some are about.
    """
    text = re.sub(r"(:log-group:[^\"]+):\*", r"\1", json.dumps(policy))
    statements = json.loads(text)["Statement"]
    allowed = {action for each in statements for action in each["Action"]}
    more = [ASKED_INSTEAD.get(action, action) for action in allowed & NOT_SEEN]
    return {**policy, "Statement": [*statements, {**ALLOW, "Action": [*more, "sts:Nothing"]}]}


def actions(letters: Letters, verb: str) -> Actions:
    statements = json.loads(letters("policy", verb, *OF_STACK).stdout)["Statement"]
    return {action for statement in statements for action in statement["Action"]}
