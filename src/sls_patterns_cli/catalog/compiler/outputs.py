"""The outputs of a stack, by which people and proofs find its resources."""

from collections.abc import Callable, Collection, Iterator

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    aurora,
    bucket,
    cache,
    delivery,
    event_bus,
    function,
    log_group,
    openid_provider,
    queue,
    redshift,
    schedule,
    secret,
    state_machine,
    stream,
    table,
    topic,
)
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Graph,
    Output,
    OutputWhereRead,
)

OUTPUTS: dict[str, Callable[[CompiledNode], Iterator[Output]]] = {
    "http-api": api.outputs,
    "rest-api": api.outputs,
    "function": function.outputs,
    "queue": queue.outputs,
    "secret": secret.outputs,
    "dynamodb": table.outputs,
    "s3": bucket.outputs,
    "aurora-postgresql": aurora.outputs,
    "redshift-serverless": redshift.outputs,
    "cache": cache.outputs,
    "topic": topic.outputs,
    "event-bus": event_bus.outputs,
    "log-group": log_group.outputs,
    "schedule": schedule.outputs,
    "bucket": bucket.outputs,
    "state-machine": state_machine.outputs,
    "openid-provider": openid_provider.outputs,
    "stream": stream.outputs,
    "delivery": delivery.outputs,
}
"""By resource."""


def outputs(graph: Graph, read: Collection[str]) -> Iterator[Output]:
    """The outputs of a stack, node by node, beside that of the topic for alarms.

    Each function, and what else few look for, has those that are read.
    """
    for node in graph.nodes:
        yield from (
            each
            for each in of_node(node)
            if not isinstance(each, OutputWhereRead) or each.name in read
        )


def read_by_tool(redrive: Facts | None) -> set[str]:
    """What the tool for dead letters reads of the functions that failed."""
    failed = {row["failed"] for row in redrive["queues"]} if redrive else set()
    return {f"{each}{what}" for each in failed for what in ("Name", "AliasArn", "LogGroupName")}


def of_node(node: CompiledNode) -> Iterator[Output]:
    """The outputs of one node."""
    if node["resource"] in OUTPUTS:
        yield from OUTPUTS[node["resource"]](node)
