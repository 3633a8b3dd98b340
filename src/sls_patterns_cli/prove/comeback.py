"""Whether what has ended comes back: by `letters`, as an operator would bring it back.

What a custom event bus could not deliver comes back by a new subscriber, as the bus has it.
"""

import time

from botocore.exceptions import ClientError

from sls_patterns_cli import letters
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.ways.messages import Messages
from sls_patterns_cli.letters.ways.way import Way
from sls_patterns_cli.prove.deployment import STACK, Deployment, unqualified
from sls_patterns_cli.wiring.model import FUNCTION, MACHINE, Edge
from sls_patterns_cli.wiring.ways_back import REPLAY

RETURNS_SECONDS = 3.0
"""Within this the consumer has processed here what was sent back."""

LOOKS_EVERY_SECONDS = 0.02


def came_back(deployment: Deployment, edge: Edge) -> str | None:
    """Send back what has ended on an edge that works again; return as what it came, or None.

    A consumer that is here must have processed it. Such an end has letters of this edge only.
    """
    if edge.mechanism == "eventbridge-v2":
        return _replayed(deployment, edge)
    first = deployment.next_note()
    try:
        kind = _redriven(deployment, edge) or _sent_back(deployment, edge)
    except (ClientError, UserError):
        return None
    consumers = [deployment.resource(edge.target, FUNCTION, MACHINE)]
    if kind == Messages.kind and edge.mechanism == "pipe":
        consumers = [deployment.resource(edge.declared_by)]
    arns = {deployment.arn(consumer.name) for consumer in consumers if consumer}
    if kind is None or not arns:
        return kind
    until = time.monotonic() + RETURNS_SECONDS
    while time.monotonic() < until:
        for note in deployment.notes(first):
            worked = note["kind"] == "Attempt" and not note["fault"]
            if worked and unqualified(note["consumer"]) in arns:
                return kind
        time.sleep(LOOKS_EVERY_SECONDS)
    return None


def _replayed(deployment: Deployment, edge: Edge) -> str | None:
    """Let a new subscriber deliver what the bus has kept; return whether it has."""
    client, first = deployment.client("eventbridgev2"), deployment.next_note()
    given = client.describe_subscriber(SubscriberArn=deployment.arn(edge.declared_by))
    same = "EventBusArn", "InvokeConfiguration", "FilterConfiguration", "Transformer", "Type"
    replay = client.create_subscriber(
        Name=f"{given['Name']}-{REPLAY}",
        StartingPosition="POINT_IN_TIME",
        PointInTimeConfiguration={"PointType": "HORIZON"},
        **{name: given[name] for name in same if name in given},
    )["SubscriberArn"]
    until = time.monotonic() + RETURNS_SECONDS
    kind = None
    while kind is None and time.monotonic() < until:
        notes = deployment.notes(first)
        if any(note["kind"] == "Delivered" and note["by"] == replay for note in notes):
            kind = REPLAY
        time.sleep(LOOKS_EVERY_SECONDS)
    client.delete_subscriber(SubscriberArn=replay)
    return kind


def _sent_back(deployment: Deployment, edge: Edge) -> str | None:
    """Send the letters of an edge back, and delete what was sent."""
    deployed = letters.Deployed(STACK, STACK, deployment.stack, deployment.ids)
    found, _ = letters.ends(deployed, deployment.client)
    kind = None
    for end in found:
        if edge.end.name not in {end.name, end.keeper}:
            continue
        with end.store.reading() as reading:
            for batch in reading:
                for letter in batch:
                    way = end.way_of(letter)
                    if _is_way_of(way, edge) and end.send_back(letter).leaves:
                        reading.delete(letter)
                        kind = way.kind
                    else:
                        reading.hold(letter)
    return kind


def _is_way_of(way: Way, edge: Edge) -> bool:
    if edge.mechanism == "firehose":
        return way.edge.declared_by == edge.declared_by
    return (way.edge.mechanism, way.failed) == (edge.mechanism, edge.target)


def _redriven(deployment: Deployment, edge: Edge) -> str | None:
    """Redrive the executions that nothing but Step Functions keeps."""
    if edge.mechanism != "step-functions" or edge.end.name != edge.target:
        return None
    client = deployment.client("stepfunctions")
    failed = client.list_executions(
        stateMachineArn=deployment.arn(edge.target), statusFilter="FAILED"
    )["executions"]
    for execution in failed:
        client.redrive_execution(executionArn=execution["executionArn"])
    return "executions" if failed else None
