"""The ways back: one class for each kind of letter."""

from collections.abc import Iterator
from dataclasses import replace

from sls_patterns_cli.cloudformation.metadata import LETTERS, OWN
from sls_patterns_cli.cloudformation.stack import Resource
from sls_patterns_cli.letters.ways.buses import SubscriberRecords
from sls_patterns_cli.letters.ways.deliveries import (
    NotificationsToFirehose,
    NotificationsToFunction,
    NotificationsToQueue,
    RuleEvents,
    ScheduledRuns,
)
from sls_patterns_cli.letters.ways.executions import Executions
from sls_patterns_cli.letters.ways.express_executions import ExpressExecutions
from sls_patterns_cli.letters.ways.firehose import UndeliveredRecords
from sls_patterns_cli.letters.ways.invocations import Events, InvocationRecords
from sls_patterns_cli.letters.ways.kept import (
    MapItems,
    RejectedRecords,
    SetAsideEvents,
    SetAsideMessages,
    UnreadableLines,
)
from sls_patterns_cli.letters.ways.messages import Messages
from sls_patterns_cli.letters.ways.redshift import REDSHIFT, RefusedBatches
from sls_patterns_cli.letters.ways.streams import PipeBatches, StreamBatches, StreamRecords
from sls_patterns_cli.letters.ways.way import Context, NoWayBack, Way
from sls_patterns_cli.wiring import edges as wiring
from sls_patterns_cli.wiring.edges.executions import items_of_maps
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.edges.mappings import polls
from sls_patterns_cli.wiring.model import (
    BUCKET,
    DELIVERY,
    FUNCTION,
    LOG_FILTER,
    OUTSIDE,
    QUEUE,
    SUBSCRIBER,
    Edge,
    End,
    Mechanism,
)
from sls_patterns_cli.wiring.policies import may, role_of

Kind = type[Way]

BY_MECHANISM: dict[Mechanism, Kind] = {
    "sqs": Messages,
    "eventbridge": RuleEvents,
    "scheduler": ScheduledRuns,
    "step-functions": Executions,
    "express": ExpressExecutions,
    "firehose": UndeliveredRecords,
}
"""Where the mechanism alone says it."""

BY_TARGET: dict[tuple[Mechanism, str], Kind] = {
    ("sns", DELIVERY): NotificationsToFirehose,
    ("sns", FUNCTION): NotificationsToFunction,
    ("sns", QUEUE): NotificationsToQueue,
}


def way_back(edge: Edge, context: Context) -> Way:
    """Return the way back of what ends on an edge; NoWayBack where there is none."""
    if kind := _kind(edge, context):
        return kind(edge, context)
    why = f"nothing here can send to {edge.target} what {edge.mechanism} has kept"
    return NoWayBack(edge, context, why)


def kept_beside(edge: Edge, context: Context) -> list[Way]:
    """Return the ways back of what else is in the end of an edge: what is put there by code."""
    stack = context.stack
    declared, end = stack.resources[edge.declared_by], stack.resources[edge.end.name]
    if edge.mechanism == "lambda-async" and declared.type == LOG_FILTER:
        return [UnreadableLines(edge, context)]
    if edge.mechanism == "stream" and end.type == BUCKET:
        return [RejectedRecords(edge, context)]
    if edge.mechanism == "firehose" and declared.get(REDSHIFT):
        return [RefusedBatches(edge, context)]
    return []


def kept_alone(context: Context) -> Iterator[Way]:
    """Yield the ways back of what is kept in queues where nothing ends that AWS delivers."""
    stack = context.stack
    yield from (MapItems(edge, context) for edge in items_of_maps(stack))
    for queue in stack.of_type(QUEUE):
        if queue.metadata.get(OWN) == LETTERS:
            yield from _set_aside(context, queue)


def _set_aside(context: Context, queue: Resource) -> Iterator[Way]:
    """Yield the way back of what a rule or the consumer of another queue sets aside in a queue."""
    stack, end = context.stack, End("resource", queue.name)
    found = False
    for edge in wiring.edges(stack):
        if edge.target == queue.name and edge.mechanism == "eventbridge":
            yield SetAsideEvents(replace(edge, end=end), context)
            found = True
    for poll in polls(stack):
        function, source = poll.function, poll.source
        if not function or source is None or source.type != QUEUE or source == queue:
            continue
        if may(stack, role_of(stack, function), "sqs:SendMessage", queue):
            edge = Edge(source.name, function.name, "other", queue.name, end)
            yield SetAsideMessages(edge, context)
            found = True
    if not found:
        why = "nothing in the stack says where it came from"
        yield NoWayBack(Edge(OUTSIDE, queue.name, "other", queue.name, end), context, why)


def _kind(edge: Edge, context: Context) -> Kind | None:
    stack = context.stack
    target = stack.resources.get(edge.target) if edge.target in context.deployed.ids else None
    type_ = target.type if target else ""
    if edge.mechanism == "pipe":
        source = stack.resources.get(edge.source)
        return Messages if source and source.type == QUEUE else PipeBatches
    if target and (edge.mechanism, type_) == ("lambda-async", FUNCTION):
        config = configuration(stack, target, edge.qualifier)
        has_record = config and config.get("DestinationConfig", "OnFailure", "Destination")
        return InvocationRecords if has_record else Events
    if edge.mechanism in {"stream", "kafka"} and type_ == FUNCTION:
        in_bucket = stack.resources[edge.end.name].type == BUCKET
        return StreamRecords if in_bucket else StreamBatches
    if edge.mechanism == "eventbridge-v2":
        declared = stack.resources[edge.declared_by]
        return SubscriberRecords if declared.type == SUBSCRIBER else None
    return BY_MECHANISM.get(edge.mechanism) or BY_TARGET.get((edge.mechanism, type_))
