"""A topology as a tree: each node once, below the node that first leads to it."""

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


_ARROWS = {"start": "", "sync": "─> ", "async": "═> "}


def picture(topology: Topology, width: int) -> list[str]:
    """Draw the ways through the topology in few lines: its nodes alone, without dead-letter queues.

    What a node calls stands beside it, below each other if it is more than one; below it where a
    line would be longer than `width`, if that helps.
    """
    roots: list[_Drawn] = []
    above: list[_Drawn] = []
    for row in rows(topology):
        if row.way == "failure" or row.repeated:
            continue
        drawn = _Drawn(row, [])
        del above[len(row.rails) :]
        (above[-1].onward if above else roots).append(drawn)
        above.append(drawn)
    return [line for root in roots for line in root.lines(width)]


@dataclass(frozen=True)
class _Drawn:
    row: Row
    onward: "list[_Drawn]"

    def lines(self, width: int) -> list[str]:
        name = self.row.name
        if not self.onward:
            return [name]
        if len(self.onward) == 1:
            return list(self._led(self.onward[0], f"{name} ", "", " " * (len(name) + 1), width))
        beside = list(self._branches(f"{name} ", " " * (len(name) + 1), width))
        if max(map(len, beside)) <= width:
            return beside
        return [name, *self._branches("", "", width)]

    def _branches(self, first: str, others: str, width: int) -> Iterator[str]:
        last = len(self.onward) - 1
        for number, drawn in enumerate(self.onward):
            start = first if number == 0 else others
            branch = "┬" if number == 0 and first else "├└"[number == last]
            yield from self._led(drawn, start, branch, others + "│ "[number == last], width)

    def _led(
        self, drawn: "_Drawn", start: str, branch: str, below: str, width: int
    ) -> Iterator[str]:
        """What is led to, behind an arrow; `below` stands before all lines but the first."""
        arrow = _ARROWS[drawn.row.way]
        first, *others = drawn.lines(width - len(start) - len(branch) - len(arrow))
        yield f"{start}{branch}{arrow}{first}"
        for line in others:
            yield f"{below}{' ' * len(arrow)}{line}"


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
