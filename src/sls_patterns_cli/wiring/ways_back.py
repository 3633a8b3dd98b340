"""How what has ended comes back: by the service itself, or by something of the stack."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack, once_a_stack
from sls_patterns_cli.wiring.edges.mappings import MECHANISMS, polls
from sls_patterns_cli.wiring.model import (
    BUS,
    DELIVERY,
    FUNCTION,
    MACHINE,
    PIPE,
    QUEUE,
    SUBSCRIBER,
    Edge,
    Mechanism,
)

REDRIVE, REPLAY = "redrive", "replay"

SENT_TO: dict[Mechanism, tuple[str, ...]] = {
    "lambda-async": (FUNCTION,),
    "stream": (FUNCTION,),
    "kafka": (FUNCTION,),
    "sns": (DELIVERY, FUNCTION, QUEUE),
    "eventbridge": (FUNCTION, MACHINE, QUEUE),
    "scheduler": (FUNCTION, MACHINE, QUEUE),
    "pipe": (FUNCTION, MACHINE, QUEUE),
    "express": (MACHINE,),
}
"""To what of the stack `letters` sends back what has ended, by what did not deliver it."""


def way_back(stack: Stack, edge: Edge) -> str | None:
    """Return the way back in words, such as `to Orders`; None where there is none.

    `check`, `prove` and `letters` print it behind the word "back". Names are logical ids.
    """
    way = back(stack, edge)
    if way == REPLAY:
        return f"by replay from {edge.source}"
    if way == REDRIVE:
        is_queue = edge.mechanism != "step-functions"
        return f"to {edge.source}" if is_queue else f"to {edge.target}, as the same execution"
    if way:
        return f"by {way}, which takes it"
    return (
        f"to {taker}" if edge.end.kind == "resource" and (taker := _sent_to(stack, edge)) else None
    )


def _sent_to(stack: Stack, edge: Edge) -> str | None:
    """Return what `letters` sends to what has ended in a resource, by itself."""
    if edge.mechanism == "firehose":
        return edge.declared_by
    if edge.mechanism == "kafka" and stack.resources[edge.end.name].type == QUEUE:
        return None  # only the cluster has the records
    target = stack.resources.get(edge.target)
    is_sent = target is not None and target.type in SENT_TO.get(edge.mechanism, ())
    return edge.target if is_sent else None


def back(stack: Stack, edge: Edge) -> str | None:
    """Return the way back: `redrive`, `replay`, the resource that takes it, or None.

    SQS moves messages back only to queues that sent them there, Step Functions redrives executions
    that failed, an archive sends events again, and a custom bus to a subscriber that begins in the
    past, as it keeps each event for a day if it does not say for how long:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-create.html
    """
    if stack.resources[edge.declared_by].type == SUBSCRIBER and edge.mechanism == "eventbridge-v2":
        return REPLAY
    if edge.mechanism == "eventbridge" and _is_archived(stack, edge.source):
        return REPLAY
    if edge.end.kind == "none":
        return None
    if edge.mechanism == "step-functions":
        return REDRIVE
    source = stack.resources.get(edge.source)
    if edge.mechanism in {"sqs", "pipe"} and source and source.type == QUEUE:
        return REDRIVE
    return _taken_by(stack, edge.end.name)


def _is_archived(stack: Stack, bus: str) -> bool:
    for archive in stack.of_type("AWS::Events::Archive"):
        found = stack.found(archive.get("SourceArn"), BUS)
        name = stack.text(archive.get("SourceArn")).rpartition("/")[2]
        if (found and found.name == bus) or name == bus:
            return True
    return False


def _taken_by(stack: Stack, end: str) -> str | None:
    """Return the resource that consumes what is in an end."""
    return next((taker for source, taker in _takers(stack) if source == end), None)


@once_a_stack
def _takers(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield what is consumed, and by which mapping or pipe."""
    for poll in polls(stack):
        if poll.source:
            yield poll.source.name, poll.mapping.name
    for pipe in stack.of_type(PIPE):
        source = stack.found(pipe.get("Source"), *MECHANISMS)
        if source:
            yield source.name, pipe.name
