"""One id is in each log line of a request, from what begins it to the last consumer.

With the tracing of new projects and without it. What a project logs is read here rather than by a
proof of its own, which would be the same in each of them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from bursts import deployed
from conservation.patterns import SERVICES, Service
from conservation.schedule import Message
from conservation.stack import Stack
from local.support import wait_until

GOOD = Message("good-00000", "group-0")
POISON = Message("poison-00000", "group-0")
FUNCTIONS = {
    "scalable-webhook/function-dynamodb": {"receive", "process"},
    "notifier/sns-dynamodb": {"publish", "invoice", "audit"},
    "notifier/eventbridge-dynamodb": {"publish", "invoice", "audit"},
    "router/function-dynamodb": {"route", "invoice"},
}
"""The functions that a message passes; the ids of messages are in their log lines."""
OFTEN = [
    ("scalable-webhook/function-dynamodb", "typescript"),
    ("notifier/eventbridge-dynamodb", "python"),
]
"""What `make test` follows: messages of a batch that are processed together, and two ways on."""
FOLLOWED = [
    pytest.param(name, runtime, marks=() if (name, runtime) in OFTEN else pytest.mark.exhaustive)
    for name in FUNCTIONS
    for runtime in ("python", "typescript")
]


pytestmark = pytest.mark.proves("state-machine", *{each.partition("/")[0] for each in FUNCTIONS})


def service_of(name: str) -> Service:
    return next(each for each in SERVICES if str(each) == name)


def lines(stack: Stack, text: str) -> list[dict[str, Any]]:
    """Return the lines of all functions in which this text is."""
    logs, found = stack.client("logs"), []
    for group in (each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]):
        if "Function" in group:
            events = logs.filter_log_events(logGroupName=group).get("events", [])
            written = [event["message"] for event in events if text in event["message"]]
            found += [json.loads(each) for each in written if '"function_request_id"' in each]
    return found


def handlers(stack: Stack, found: list[dict[str, Any]]) -> set[str]:
    """Return the handlers that have written lines."""
    client = stack.client("lambda")
    names = {line["function_name"] for line in found}
    configured = [client.get_function_configuration(FunctionName=name) for name in names]
    return {each["Handler"].removesuffix(".handler").rpartition(".")[2] for each in configured}


def trace_of(line: dict[str, Any]) -> str:
    found: str = line.get("message_trace_id") or line["xray_trace_id"]
    return found


@pytest.mark.parametrize("tracing", ["xray", pytest.param("none", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(("name", "runtime"), FOLLOWED)
def test_one_id_leads_from_the_first_function_to_the_last(
    name: str, runtime: str, tracing: str, tmp_path: Path
) -> None:
    service = service_of(name)
    with deployed(
        tmp_path / "project",
        pattern=service.pattern,
        topology=service.topology,
        runtime=runtime,
        tracing=tracing,
    ) as made:
        stack = Stack(made.emulator, made.outputs, made.project.root)
        service.send(stack, GOOD)

        found = wait_until(
            lambda: (
                seen if handlers(stack, seen := lines(stack, GOOD.id)) >= FUNCTIONS[name] else None
            ),
            seconds=60,
        )

        (trace,) = {trace_of(line) for line in found}
        assert handlers(stack, lines(stack, trace)) >= FUNCTIONS[name]
        if service.pattern == "scalable-webhook":
            assert_a_dead_letter_has_the_trace(stack, service)


def assert_a_dead_letter_has_the_trace(stack: Stack, service: Service) -> None:
    service.send(stack, POISON)
    (queue,) = service.ends(POISON)

    def letter() -> dict[str, Any] | None:
        answer = stack.client("sqs").receive_message(
            QueueUrl=stack.queues[queue], MessageSystemAttributeNames=["All"]
        )
        return next(iter(answer.get("Messages", [])), None)

    header = wait_until(letter, seconds=60)["Attributes"]["AWSTraceHeader"]

    (enqueued,) = lines(stack, POISON.id)
    assert f"Root={enqueued['xray_trace_id']}" in header
    failed = [line for line in lines(stack, enqueued["xray_trace_id"]) if "failed" in str(line)]
    assert {line["message"] for line in failed} == {"message failed"}


@pytest.mark.parametrize(
    "runtime", ["python", pytest.param("typescript", marks=pytest.mark.exhaustive)]
)
def test_the_tasks_of_an_order_have_one_trace(runtime: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    with deployed(project, pattern="state-machine", topology="standard", runtime=runtime) as made:
        stack = Stack(made.emulator, made.outputs, made.project.root)
        order = json.loads((project / "events/order.json").read_text())
        stack.client("stepfunctions").start_execution(
            stateMachineArn=stack.outputs["OrderStateMachineArn"],
            name="order-00000",
            input=json.dumps(order),
        )

        expected = {"reserve", "charge", "ship"}
        found = wait_until(
            lambda: (
                seen if handlers(stack, seen := lines(stack, "order-00000")) >= expected else None
            ),
            seconds=60,
        )

        assert len({trace_of(line) for line in found}) == 1
