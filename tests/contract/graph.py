"""Compares what the contract finds in a template with what the pattern's graph declares."""

import re
from collections.abc import Iterable, Iterator

from contract.edges import CALLERS, OUTSIDE, Edge

from sls_patterns_cli.catalog.model import Topology

MECHANISM = re.compile(r"E\d+x?")

# The mechanism, the two ends by their nodes, where the failures end, the most consumers at a time.
Comparable = tuple[str, str, str, str | None, int | None]


def differences(found: Iterable[Edge], topology: Topology) -> list[str]:
    """Say what only the template or only the graph has; [] where they agree."""
    in_template, in_graph = set(_of_template(found, topology)), set(_of_graph(topology))
    return [
        *(
            f"only the template has {_say(edge)}"
            for edge in sorted(in_template - in_graph, key=str)
        ),
        *(f"only the graph has {_say(edge)}" for edge in sorted(in_graph - in_template, key=str)),
    ]


def _of_template(found: Iterable[Edge], topology: Topology) -> Iterator[Comparable]:
    for edge in found:
        source, target = _node(edge.source, topology), _node(edge.target, topology)
        end = _end(edge.end, topology) if edge.end else None
        yield edge.mechanism, source, target, end, edge.limit


def _of_graph(topology: Topology) -> Iterator[Comparable]:
    for edge in topology.edges:
        if edge.call == "async":
            limit = edge.attributes.get("max_concurrency")
            for failure in edge.failures:
                for mechanism in MECHANISM.findall(failure.id):
                    yield mechanism, _source(edge.source, topology), edge.target, failure.end, limit


def _source(node: str, topology: Topology) -> str:
    """Return where an edge of the graph begins, as a template has it: that knows no callers."""
    kinds = {each.name: each.kind for each in topology.nodes}
    return CALLERS if kinds[node] == "client" and pascal(node) != OUTSIDE else node


def _node(logical_id: str, topology: Topology) -> str:
    """Return the node a resource belongs to: the one with the longest name that begins its id.

    SAM's ids are `DeliveriesQueue`, those of CDK `DeliveriesQueue5A8F3C1E`, of the node
    `deliveries`. An id that belongs to no node stays as it is, and so is a difference.
    """
    names = (node.name for node in topology.nodes if logical_id.startswith(pascal(node.name)))
    return max(names, key=len, default=logical_id)


def _end(logical_id: str, topology: Topology) -> str:
    """Return the end that the graph has for a queue, by its id: `DeliveriesDeadLetterQueue`."""
    ends = {failure.end for edge in topology.edges for failure in edge.failures if failure.end}
    names = {f"{pascal(end.removesuffix('-dlq'))}DeadLetterQueue": end for end in ends}
    return next(
        (end for name, end in names.items() if logical_id.startswith(name)),
        f"{_node(logical_id, topology)}-dlq",
    )


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _say(edge: Comparable) -> str:
    mechanism, source, target, end, limit = edge
    bound = f", {limit} consumers at a time" if limit else ""
    return f"{source} => {target} by {mechanism}, ending in {end}{bound}"
