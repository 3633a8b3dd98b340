"""What becomes of a message that its consumer can never process.

The function sends it to the dead-letter queue of its queue at the first attempt.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.model import Edge, Node, Topology

Poison = Literal["sent", "former"]

SENT: Poison = "sent"
FORMER: Poison = "former"
"""As in projects whose handlers name no poison: nothing of their queues changes."""

PACKAGES = {"typescript": ("@aws-sdk/client-sqs",)}
"""What a function needs that sends it."""


def treated(topology: Topology, *, former: bool) -> Topology:
    """The topology whose edges from queues to functions say so in `poison`."""
    kinds = {node.name: node for node in topology.nodes}
    return replace(
        topology,
        nodes=tuple(_node(node, former=former) for node in topology.nodes),
        edges=tuple(_edges(topology.edges, kinds, former=former)),
    )


def senders(edges: Iterable[Edge]) -> set[str]:
    """The names of the functions that send it."""
    return {edge.target for edge in edges if edge.attributes.get("poison") == SENT}


def _node(node: Node, *, former: bool) -> Node:
    attributes = {key: value for key, value in node.attributes.items() if key != "former_seconds"}
    if former and "former_seconds" in node.attributes:
        attributes["timeout"] = node.attributes["former_seconds"]
    return replace(node, attributes=attributes)


def _edges(edges: tuple[Edge, ...], nodes: dict[str, Node], *, former: bool) -> Iterator[Edge]:
    for edge in edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if source.kind != "queue" or target.kind != "function":
            yield edge
            continue
        of_batch = {}
        if former and "batch_size" in edge.attributes and not source.attributes.get("fifo"):
            of_batch = {"batch_size": queue.FORMER_BATCH_SIZE}
        poison = FORMER if former else SENT
        yield replace(edge, attributes={**edge.attributes, **of_batch, "poison": poison})
