"""How a message sets out along an edge of each mechanism, and how the edge is made to fail."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from typing import Any

from graphs.deployed import Deployed

from sls_patterns_cli.catalog.model import Edge

Message = dict[str, Any]


def message(edge: Edge, identity: str, fails_at: str = "") -> Message:
    """Return a message that the edge's filter or pattern lets through."""
    wanted = {name: values[0] for name, values in edge.attributes.get("filter", {}).items()}
    return {"id": identity, "fail": fails_at, "level": "ERROR", **wanted}


def failing_nodes(stack: Deployed, edge: Edge) -> str:
    """Return who has to fail at the other side: the function, where there is one."""
    kind = stack.node(edge.target).kind
    if edge.failures[0].id == "E8":
        # Firehose has no other end but for what its function refuses.
        ends = [e.target for e in stack.graph.topology.edges if e.failures[0].id == "E8"]
        return " ".join(name for name in ends if stack.node(name).kind == "function")
    return edge.target if kind == "function" else ""


@contextmanager
def on_its_way(stack: Deployed, edge: Edge, travelling: Message) -> Iterator[None]:
    """Hand a message to the edge's source; a schedule has it only within the block."""
    kind = stack.node(edge.source).kind
    if kind in ("client", "function") and stack.node(edge.target).kind == "function":
        _invoke(stack, stack.address(edge.target), travelling)
    elif kind in ("http-api", "rest-api"):
        _to_api(stack, edge, travelling)
    else:
        SOURCES[kind](stack, stack.address(edge.source), travelling)
    try:
        yield
    finally:
        if kind == "schedule":
            _to_schedule(stack, stack.address(edge.source), None)


@contextmanager
def mended(stack: Deployed, functions: str) -> Iterator[None]:
    """Let these functions process what tells them to fail."""
    configured = {name: _variables(stack, name) for name in map(stack.address, functions.split())}
    for name, variables in configured.items():
        _configure(stack, name, {**variables, "MENDED": "1"})
    try:
        yield
    finally:
        for name, variables in configured.items():
            _configure(stack, name, variables)


def _variables(stack: Deployed, function: str) -> dict[str, str]:
    found = stack.client("lambda").get_function_configuration(FunctionName=function)
    variables: dict[str, str] = found.get("Environment", {}).get("Variables", {})
    return variables


def _configure(stack: Deployed, function: str, variables: dict[str, str]) -> None:
    functions = stack.client("lambda")
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)


def broken(stack: Deployed, edge: Edge, mechanism: str) -> Context[None]:
    """Make deliveries along the edge fail, where it is not the message that makes them fail."""
    kind = stack.node(edge.target).kind
    if mechanism == "E5":
        return _soon_given_up(stack, edge)
    if mechanism == "E4":
        return (_closed_queue if kind == "queue" else _closed_function)(stack, edge)
    return _closed_role(stack, edge) if mechanism == "E6" else nullcontext()


def _to_queue(stack: Deployed, url: str, travelling: Message) -> None:
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(travelling))


def _to_topic(stack: Deployed, arn: str, travelling: Message) -> None:
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in travelling.items()
        if value
    }
    stack.client("sns").publish(
        TopicArn=arn, Message=json.dumps(travelling), MessageAttributes=attributes
    )


def _invoke(stack: Deployed, name: str, travelling: Message) -> None:
    stack.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(travelling)
    )


def _to_api(stack: Deployed, edge: Edge, travelling: Message) -> None:
    method, path = edge.attributes["route"].split(" ")
    url = f"{stack.address(edge.source)}{path}"
    body = json.dumps(travelling).encode()
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - of the emulator
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status == 202


def _to_schedule(stack: Deployed, name: str, travelling: Message | None) -> None:
    """Make it what the schedule starts its target with."""
    scheduler = stack.client("scheduler")
    schedule = _schedule(stack, name)
    target = {key: value for key, value in schedule["Target"].items() if key != "Input"}
    if travelling:
        target["Input"] = json.dumps(travelling)
    scheduler.update_schedule(
        GroupName=schedule["GroupName"],
        Name=name,
        ScheduleExpression=schedule["ScheduleExpression"],
        FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
        Target=target,
    )


def _schedule(stack: Deployed, name: str) -> dict[str, Any]:
    scheduler = stack.client("scheduler")
    (listed,) = scheduler.list_schedules(NamePrefix=name)["Schedules"]
    found: dict[str, Any] = scheduler.get_schedule(GroupName=listed["GroupName"], Name=name)
    return found


def _to_stream(stack: Deployed, name: str, travelling: Message) -> None:
    record = json.dumps({"received_at": 0, "event": travelling}).encode()
    stack.client("kinesis").put_record(StreamName=name, PartitionKey="a", Data=record)


def _to_delivery(stack: Deployed, name: str, travelling: Message) -> None:
    """Through the stream that it delivers from: nobody else may put into it."""
    described = stack.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    source = described["DeliveryStreamDescription"]["Source"]["KinesisStreamSourceDescription"]
    _to_stream(stack, source["KinesisStreamARN"].rpartition("/")[2], travelling)


SOURCES: dict[str, Callable[[Deployed, str, Message], None]] = {
    "queue": _to_queue,
    "topic": _to_topic,
    "schedule": _to_schedule,
    "stream": _to_stream,
    "delivery": _to_delivery,
}


@contextmanager
def _soon_given_up(stack: Deployed, edge: Edge) -> Iterator[None]:
    """Records are tried as often as a test can wait for, not for hours."""
    functions = stack.client("lambda")
    found = functions.list_event_source_mappings(FunctionName=stack.address(edge.target))
    (mapping,) = found["EventSourceMappings"]
    retries = mapping["MaximumRetryAttempts"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=2)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=retries)


@contextmanager
def _closed_queue(stack: Deployed, edge: Edge) -> Iterator[None]:
    """The queue's policy lets nobody in."""
    sqs, url = stack.client("sqs"), stack.address(edge.target)
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)


@contextmanager
def _closed_function(stack: Deployed, edge: Edge) -> Iterator[None]:
    """The function's policy lets nobody in."""
    functions, name = stack.client("lambda"), stack.address(edge.target)
    statements = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    for statement in statements:
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    try:
        yield
    finally:
        for statement in statements:
            functions.add_permission(
                FunctionName=name,
                StatementId=statement["Sid"],
                Action=statement["Action"],
                Principal=statement["Principal"]["Service"],
                SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
            )


@contextmanager
def _closed_role(stack: Deployed, edge: Edge) -> Iterator[None]:
    """The schedule's role may send to queues, but invoke nothing."""
    schedule = _schedule(stack, stack.address(edge.source))
    iam, role = stack.client("iam"), schedule["Target"]["RoleArn"].rpartition("/")[2]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    sends = [s for s in policy["Statement"] if s["Action"] == "sqs:SendMessage"]
    without = json.dumps({**policy, "Statement": sends})
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=without)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
