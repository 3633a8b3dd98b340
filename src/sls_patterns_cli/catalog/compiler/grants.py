"""What functions, state machines and roles may do: no more than the graph needs."""

from collections.abc import Callable, Iterator

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    bucket,
    cache,
    delivery,
    event_bus,
    function,
    queue,
    redshift,
    remote_function,
    schedule,
    secret,
    state_machine,
    stream,
    table,
    topic,
)
from sls_patterns_cli.catalog.compiler.records import CompiledNode, Facts, Grant, Graph

OfEdge = Callable[[Facts, CompiledNode, CompiledNode], Iterator[Grant]]

CALLED: dict[str, OfEdge] = {
    "function": function.called,
    "remote-function": remote_function.called,
    "queue": queue.called,
    "secret": secret.called,
    "dynamodb": table.called,
    "s3": bucket.called,
    "bucket": bucket.called,
    "cache": cache.called,
    "topic": topic.called,
    "event-bus": event_bus.called,
    "state-machine": state_machine.called,
}
"""What functions and state machines need to call a node, by its resource. Aurora is not among them:
in CDK one method lets a function sign in, with the permission and the variables for it."""

CONSUMED: dict[str, OfEdge] = {
    "http-api": api.integrated,
    "rest-api": api.integrated,
    "queue": queue.consumed,
    "stream": stream.consumed,
    "dynamodb": table.consumed,
    "schedule": schedule.starts,
}
"""What the delivery from a node needs, by its resource."""

OWN: dict[str, Callable[[CompiledNode], Iterator[Grant]]] = {
    "function": function.grants,
    "state-machine": state_machine.grants,
    "delivery": delivery.grants,
    "redshift-serverless": redshift.grants,
}
"""What the role of a node needs whatever calls it, by its resource."""


def granted(graph: Graph) -> Graph:
    """The graph with the permissions that each node and each edge needs."""
    return Graph(
        {node["name"]: node.facts | _own(node) for node in graph.nodes},
        tuple(
            {**edge, "grants": [each.as_dict() for each in _of_edge(edge, graph)]}
            for edge in graph.edges
        ),
    )


def _own(node: CompiledNode) -> Facts:
    if node["resource"] not in OWN:
        return {}
    return {"grants": [each.as_dict() for each in OWN[node["resource"]](node)]}


def _of_edge(edge: Facts, graph: Graph) -> Iterator[Grant]:
    source, target = graph.node(edge["from"]), graph.node(edge["to"])
    calls = source["kind"] in {"function", "state-machine"}
    found = CALLED.get(target["resource"]) if calls else CONSUMED.get(source["resource"])
    if found:
        yield from found(edge, source, target)
