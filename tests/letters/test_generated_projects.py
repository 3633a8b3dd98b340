"""Deployed projects of this tool: `letters` finds their queues and says what their tool says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from letters.conftest import Letters, bodies
from letters.test_ways_back import EVENT, notification, record
from local.support import REGION, RUNTIME, Client
from local.test_dead_letter_tool import Run, run
from rendering import render_project
from synthesis import template_file
from variants import PATTERNS, Variant, all_variants, few_of, parameters

from sls_patterns_cli.catalog.compiler import graph_file
from sls_patterns_cli.cloudformation.conditions import Choice
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.cloudformation.stack import stack_of as stack_of_template
from sls_patterns_cli.letters import Deployed, ends
from sls_patterns_cli.letters.deployed import machines_in_s3
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["run"]

CODE = """
import json
def handler(event, context):
    if "poison" in json.dumps(event):
        raise ValueError("poison")
"""
HANDOFF = {"pattern": "internal-handoff", "topology": "destination", "runtime": "python"}
OLDER = {"pattern": "internal-handoff", "topology": "dead-letter-queue", "runtime": "python"}
TOPIC = {"pattern": "notifier", "topology": "sns", "runtime": "python"}
RULES = {"pattern": "notifier", "topology": "eventbridge", "runtime": "python"}

ORDERED = {"pattern": "fifoer", "topology": "native", "runtime": "python"}
DRAINED = {"pattern": "fifoer", "topology": "scheduled", "runtime": "python"}

ERROR = {
    name: {"DataType": "String", "StringValue": name} for name in ("ERROR_CODE", "ERROR_MESSAGE")
}

HASH = re.compile(r"[0-9A-F]{8}$")
"""What CDK adds to a logical id."""

Deploy = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture
def deploy_project(emulator: Emulator, tmp_path: Path) -> Deploy:
    """Deploys a rendered project with small functions in the place of its own."""

    def deployed(answers: dict[str, str]) -> dict[str, str]:
        folder = tmp_path / "deployed"
        render_project(folder, iac="sam", datastore="dynamodb", auth="none", **answers)
        template = next(sources(folder / "template.yaml")).template
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                properties = resource["Properties"]
                properties |= {"Code": {"ZipFile": CODE}, "Handler": "index.handler"}
                properties["Runtime"] = RUNTIME
                properties.pop("Layers", None)
        return deploy.deploy(emulator, stack_of(answers), template)

    return deployed


def redrive_of(variant: Variant) -> Any:
    """Return the compiled facts of the tool for dead letters; None where nothing has an end."""
    compiled = PATTERNS / variant.pattern / graph_file(variant.topology, variant.datastore)
    return json.loads(compiled.read_text())["redrive"]


WAYS = {
    "HalfDoneExecutions": "express executions",
    "KeptInvocations": "invocation records",
    "EventsForFunction": "events of a rule",
    "EventsForQueue": "events of a rule",
    "FailedChanges": "records of a stream, rejected records of a stream",
    "FailedDeployments": "invocation records",
    "FailedDurableExecutions": "events of a function",
    "FailedEvents": "events of a function",
    "FailedExecutions": "executions",
    "FailedInvocations": "invocation records",
    "FailedItems": "items of a map",
    "FailedLines": "invocation records, lines of a log",
    "FailedMessages": "messages",
    "FailedRecords": "records of a stream, rejected records of a stream",
    "MissedRuns": "runs of a schedule",
    "NotificationsForFunction": "notifications for a function",
    "NotificationsForQueue": "notifications for a queue",
    "SetAsideEvents": "events set aside",
    "SetAsideMessages": "messages set aside",
    "UndeliveredBatches": "batches of a warehouse, records of a delivery",
    "UndeliveredRecords": "records of a delivery",
}
"""What `letters` calls what the generated tool has a class for."""

KEEPING = [each for each in all_variants() if redrive_of(each)]


def kept_in(variant: Variant) -> set[tuple[str, ...]]:
    """Return what a variant keeps its letters in: each queue once, each kind by each writer."""
    language = variant.runtime if variant.iac == "cdk" else ""
    queues = redrive_of(variant)["queues"]
    kinds = {(variant.iac, language, row["class"]) for row in queues}
    return kinds | {(row["id"],) for row in queues}


@pytest.mark.parametrize("variant", parameters(KEEPING, few_of(KEEPING, kept_in)))
def test_the_command_finds_every_queue_of_the_tool_that_it_takes_the_place_of(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    template = next(sources(template_file(project))).template
    stack = stack_of_template(template, Choice({}, {}))
    for machine in machines_in_s3(stack):
        # What AWS says of it.
        (definition,) = project.glob("statemachines/*.asl.json")
        machine.properties["DefinitionString"] = definition.read_text()
    deployed = Deployed(
        "shop", "arn:aws:cloudformation::::", stack, {n: n for n in stack.resources}
    )
    rows = redrive_of(variant)["queues"]

    found, said = ends(deployed, lambda _: None)

    by_us = {HASH.sub("", end.name): {way.kind for way in end.ways} for end in found}
    assert by_us == {row["id"]: {*WAYS[row["class"]].split(", ")} for row in rows}
    assert said == []


def stack_of(answers: dict[str, str]) -> str:
    return f"{answers['pattern']}-{answers['topology']}"


@pytest.mark.parametrize(
    "answers", [HANDOFF, pytest.param(OLDER, marks=pytest.mark.exhaustive)], ids=stack_of
)
def test_both_say_the_same_of_what_fails_again(
    answers: dict[str, str],
    letters: Letters,
    run: Run,
    deploy_project: Deploy,
    client: Client,
) -> None:
    outputs, stack = deploy_project(answers), stack_of(answers)
    queue = "AwardDeadLetterQueue"
    function = f"arn:aws:lambda:{REGION}:000000000000:function:{outputs['AwardFunctionName']}"
    told = {
        name: {"DataType": "String", "StringValue": name} for name in ("RequestID", "ErrorMessage")
    }
    client("sqs").send_message(
        QueueUrl=outputs[f"{queue}Url"],
        MessageBody=json.dumps(record(function, "poison") if answers is HANDOFF else "poison"),
        MessageAttributes={} if answers is HANDOFF else told,
    )
    project = {**answers, "datastore": "dynamodb"}

    listed = run(project, stack, "list")
    shown = letters("show", "--stack", stack, "--end", queue, "--payload")
    redriven = run(project, stack, "redrive")
    ours = letters("redrive", "--stack", stack, "--end", queue, "--older-than", "0s", "--yes")

    said = [line for line in redriven.lines if queue in line or line.startswith("  stays")]
    assert said == ours.stdout.splitlines()
    assert redriven.status == ours.returncode == 1
    what = '  what:     "poison"'
    assert what in listed.lines
    assert what in shown.stdout.splitlines()
    assert len(bodies(client, outputs[f"{queue}Url"])) == 1


@pytest.mark.parametrize(
    "answers", [TOPIC, pytest.param(RULES, marks=pytest.mark.exhaustive)], ids=stack_of
)
def test_both_send_back_the_same_letters(
    answers: dict[str, str],
    letters: Letters,
    run: Run,
    deploy_project: Deploy,
    client: Client,
) -> None:
    outputs, stack = deploy_project(answers), stack_of(answers)
    ends = json.loads(letters("list", "--stack", stack, "--json").stdout)["ends"]
    assert {f"{end['end']}Url" for end in ends} == {
        name for name in outputs if name.endswith("DeadLetterQueueUrl")
    }
    project = {**answers, "datastore": "dynamodb"}
    undelivered = notification(outputs["OrdersTopicArn"], "x") if answers is TOPIC else EVENT
    audit = f"arn:aws:lambda:{REGION}:000000000000:function:{outputs['AuditFunctionName']}"
    failed = {"AuditDeadLetterQueue": record(audit, {"order": 1})}
    for end in ends:
        body = failed.get(end["end"], undelivered)
        letter = {"QueueUrl": outputs[f"{end['end']}Url"], "MessageBody": json.dumps(body)}
        only = ("--end", end["end"], "--older-than", "0s", "--yes")

        client("sqs").send_message(**letter, MessageAttributes=ERROR)
        by_tool = run(project, stack, "redrive").lines
        client("sqs").send_message(**letter, MessageAttributes=ERROR)
        by_us = letters("redrive", "--stack", stack, *only).stdout.splitlines()

        assert by_us[0] == f"{end['end']}: 1 sent back"
        assert by_us[0] in by_tool


STARTED = {
    "PostFunction": (ORDERED, "event source mapping of EntriesQueue", "PostFunction"),
    "DrainFunction": (DRAINED, "schedule", "EntriesQueue"),
}
"""What starts a consumer, and what its letters are of."""


@pytest.mark.parametrize("function", STARTED)
def test_an_account_that_is_held_up_goes_on_without_a_deployment(
    function: str, letters: Letters, deploy_project: Deploy, client: Client
) -> None:
    answers, started_by, failed = STARTED[function]
    outputs, stack = deploy_project(answers), stack_of(answers)
    paused = letters("pause", function, "--stack", stack, "--yes")
    entry = {"QueueUrl": outputs["EntriesQueueUrl"], "MessageGroupId": "acme"}
    head, _ = (
        client("sqs").send_message(**entry, MessageBody=body, MessageDeduplicationId=body)
        for body in ("poison", "behind")
    )

    done = letters(
        *("set-aside", "EntriesQueue", "acme", "--id", head["MessageId"]),
        *("--stack", stack, "--yes"),
    )

    assert f"({started_by}) is disabled; " in paused.stdout
    assert done.returncode == 0, done.stderr
    listed = letters("list", "--stack", stack).stdout
    row = rf"\w{{8}} +1  {failed} .*  set aside by an operator: "
    assert re.search(row, listed)
    assert f"{function} is paused: " in listed
    assert bodies(client, outputs["EntriesQueueUrl"]) == ["behind"]
    assert bodies(client, outputs["EntriesDeadLetterQueueUrl"]) == ["poison"]
