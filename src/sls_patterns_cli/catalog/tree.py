"""A topology as rows of a tree: each node once, below the node that first leads to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sls_patterns_cli.catalog.kinds import Call
from sls_patterns_cli.catalog.model import Edge, Node, Topology


@dataclass(frozen=True)
class Row:
    """A node, or a dead-letter queue; the rows of what it leads to follow."""

    name: str
    way: Call | Literal["start", "failure"]
    """How the node above leads here; `start` where none does."""
    rails: tuple[bool, ...]
    """For each level above, from the left: whether more rows of that level follow."""
    node: Node | None
    """None for a dead-letter queue."""
    edges: tuple[Edge, ...] = ()
    """The edges from the node above; an API may have several routes to one function."""
    repeated: bool = False
    """Whether the node is drawn further up, with all that follows it."""


def rows(topology: Topology) -> Iterator[Row]:
    """Draw the topology from the nodes that nothing leads to, and from the rest of any circle."""
    tree = _Tree(topology)
    led_to = {edge.target for edge in topology.edges}
    starts = [node for node in topology.nodes if node.name not in led_to]
    for node in (*starts, *topology.nodes):
        if node.name not in tree.drawn:
            yield from tree.below(node.name, "start", (), ())


class _Tree:
    def __init__(self, topology: Topology) -> None:
        self._nodes = {node.name: node for node in topology.nodes}
        self._edges = topology.edges
        self.drawn: set[str] = set()

    def below(
        self,
        name: str,
        way: Call | Literal["start"],
        edges: tuple[Edge, ...],
        rails: tuple[bool, ...],
    ) -> Iterator[Row]:
        repeated = name in self.drawn
        yield Row(name, way, rails, self._nodes[name], edges, repeated)
        if repeated:
            return
        self.drawn.add(name)
        ends = dict.fromkeys(
            failure.end
            for edge in self._edges
            for failure in edge.failures
            if failure.end and failure.at == name
        )
        targets = dict.fromkeys(edge.target for edge in self._edges if edge.source == name)
        left = len(ends) + len(targets)
        for end in ends:
            left -= 1
            yield Row(str(end), "failure", (*rails, left > 0), None)
        for target in targets:
            left -= 1
            led = tuple(e for e in self._edges if (e.source, e.target) == (name, target))
            yield from self.below(target, led[0].call, led, (*rails, left > 0))
