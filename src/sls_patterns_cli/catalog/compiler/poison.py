"""What becomes of a message that its consumer can never process.

The function sends it to the dead-letter queue of its queue at the first attempt. Inside a VPC
without a way to SQS it cannot: there SQS moves the message after its receives, like all that fails.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.kinds import Datastore
from sls_patterns_cli.catalog.model import Edge, Node, Topology

Poison = Literal["sent", "retried", "former"]

SENT: Poison = "sent"
RETRIED: Poison = "retried"
FORMER: Poison = "former"
"""As in projects whose handlers name no poison: nothing of their queues changes."""

PACKAGES = {"typescript": ("@aws-sdk/client-sqs",)}
"""What a function needs that sends it."""


def treated(topology: Topology, datastore: Datastore, *, former: bool) -> Topology:
    """The topology whose edges from queues to functions say so in `poison`."""
    kinds = {node.name: node for node in topology.nodes}
    return replace(
        topology,
        nodes=tuple(_node(node, former=former) for node in topology.nodes),
        edges=tuple(_edges(topology.edges, kinds, datastore, former=former)),
    )


def _node(node: Node, *, former: bool) -> Node:
    attributes = {key: value for key, value in node.attributes.items() if key != "former_seconds"}
    if former and "former_seconds" in node.attributes:
        attributes["timeout"] = node.attributes["former_seconds"]
    return replace(node, attributes=attributes)


def _edges(
    edges: tuple[Edge, ...], nodes: dict[str, Node], datastore: Datastore, *, former: bool
) -> Iterator[Edge]:
    for edge in edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if source.kind != "queue" or target.kind != "function":
            yield edge
            continue
        inside = any(
            _is_in_vpc(nodes[each.target], datastore)
            for each in edges
            if each.source == target.name
        )
        poison = FORMER if former else RETRIED if inside else SENT
        of_batch = {}
        if former and "batch_size" in edge.attributes and not source.attributes.get("fifo"):
            of_batch = {"batch_size": queue.FORMER_BATCH_SIZE}
        yield replace(edge, attributes={**edge.attributes, **of_batch, "poison": poison})


def _is_in_vpc(node: Node, datastore: Datastore) -> bool:
    """Whether a function that uses the node is inside a VPC, from where SQS does not answer."""
    reachable = (
        datastore.reachable if node.kind == "datastore" else () if node.facts.in_vpc else None
    )
    return reachable is not None and "queue" not in reachable
