"""What cdk-nag finds and a stack does not change: its test acknowledges it, with the reasons."""

from collections.abc import Callable, Iterator

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    aurora,
    bucket,
    cache,
    delivery,
    function,
    queue,
    redshift,
    secret,
    state_machine,
    stream,
    table,
)
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    CompiledNode,
    Graph,
    unique,
)

ACKNOWLEDGED: dict[str, Callable[[CompiledNode], Iterator[Acknowledgement]]] = {
    "http-api": api.acknowledged,
    "rest-api": api.acknowledged,
    "function": function.acknowledged,
    "secret": secret.acknowledged,
    "dynamodb": table.acknowledged,
    "s3": bucket.acknowledged,
    "aurora-postgresql": aurora.acknowledged,
    "redshift-serverless": redshift.acknowledged,
    "cache": cache.acknowledged,
    "bucket": bucket.acknowledged,
    "state-machine": state_machine.acknowledged,
    "stream": stream.acknowledged,
    "delivery": delivery.acknowledged,
}
"""By resource."""


def acknowledgements(graph: Graph) -> Iterator[Acknowledgement]:
    """What is acknowledged of a stack, resource by resource, each finding once."""
    found: dict[tuple[str, str | None], Acknowledgement] = {}
    for resource in unique(node["resource"] for node in graph.nodes):
        for node in graph.nodes:
            if node["resource"] == resource and resource in ACKNOWLEDGED:
                for each in ACKNOWLEDGED[resource](node):
                    known = found.setdefault((each.rule, each.finding), each)
                    if known.traced is not None and each.traced is None:
                        found[each.rule, each.finding] = each
    yield from found.values()
    yield from queue.acknowledged(graph)
