"""The ways back: one class for each kind of letter."""

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
from sls_patterns_cli.letters.ways.messages import Messages
from sls_patterns_cli.letters.ways.streams import PipeBatches, StreamBatches, StreamRecords
from sls_patterns_cli.letters.ways.way import Context, NoWayBack, Way
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.model import (
    BUCKET,
    DELIVERY,
    FUNCTION,
    QUEUE,
    SUBSCRIBER,
    Edge,
    Mechanism,
)

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
