"""The outputs of a stack, by which people and proofs find its resources."""

from collections.abc import Callable, Iterator

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
from sls_patterns_cli.catalog.compiler.records import CompiledNode, Graph, Output

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


def outputs(graph: Graph) -> Iterator[Output]:
    """The outputs of a stack, node by node, beside that of the topic for alarms."""
    for node in graph.nodes:
        yield from of_node(node)


def of_node(node: CompiledNode) -> Iterator[Output]:
    """The outputs of one node."""
    if node["resource"] in OUTPUTS:
        yield from OUTPUTS[node["resource"]](node)
