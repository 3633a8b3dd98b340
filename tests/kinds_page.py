"""The page of `docs/` that lists the kinds of nodes, edges, failures and datastores."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from sls_patterns_cli.catalog.compiler.outputs import of_node
from sls_patterns_cli.catalog.compiler.records import Graph
from sls_patterns_cli.catalog.kinds import Attributes, NodeKind, Vocabulary

HEAD = """\
# Kinds of nodes and edges

Generated from [templates/graph.yml](../templates/graph.yml) by `make golden`;
[adding-a-pattern.md](adding-a-pattern.md) says how a pattern uses them.
"""


OF_FAILURES = re.compile("(DeadLetterQueue|FailuresBucket).*")
"""The end of the name of an output that is of a node's failures, or of those of an edge."""


def kinds_page(vocabulary: Vocabulary, graphs: Iterable[Graph]) -> str:
    """Return the page's text; the outputs of a kind are those that its nodes have in the graphs."""
    return "\n".join((HEAD, *_sections(vocabulary, _outputs(graphs))))


def _sections(vocabulary: Vocabulary, outputs: Mapping[str, Collection[str]]) -> Iterator[str]:
    yield "## Nodes\n"
    yield from _table(
        ("kind", "what it is", "attributes", "variable", "outputs"),
        (
            (
                *(f"`{kind.name}`", kind.title, _attributes(kind.attributes)),
                *(_variable(kind), ", ".join(f"`…{end}`" for end in outputs[kind.name])),
            )
            for kind in vocabulary.nodes.values()
        ),
    )
    yield (
        "A function knows a node by its variable, such as `ORDERS_QUEUE_URL` for the queue "
        "`orders`; proofs and people know it by the outputs of the stack, `OrdersQueueUrl` and "
        "`OrdersDeadLetterQueueUrl`. A datastore has those of its own kind.\n"
    )
    yield "## Edges\n"
    yield "In brackets: `by`, which says how the source reaches the target if there is a choice.\n"
    yield from _table(
        ("edge", "call", "fails by", "attributes"),
        (
            (f"`{kind.name}`", kind.call, ", ".join(kind.failures), _attributes(kind.attributes))
            for kind in vocabulary.edges.values()
        ),
    )
    yield "## Failures\n"
    yield from _table(
        ("id", "mechanism", "dead-letter queue"),
        (
            (each.id, each.mechanism, f"`{each.end}`" if each.end else "")
            for each in vocabulary.failures.values()
        ),
    )
    yield "## Datastores\n"
    yield from _table(
        (
            "datastore",
            "what it is",
            "cost while idle",
            "used by",
            "access",
            "retained when the stack is deleted",
        ),
        (
            (
                f"`{store.name}`",
                store.title + (" (experimental)" if store.experimental else ""),
                store.idle,
                *(", ".join(store.used_by), ", ".join(store.access), ", ".join(store.retained)),
            )
            for store in vocabulary.datastores.values()
        ),
    )


def _variable(kind: NodeKind) -> str:
    if kind.variable is None:
        return ""
    return f"`…_{kind.variable['name'].replace('-', '_').upper()}`"


def _outputs(graphs: Iterable[Graph]) -> Mapping[str, Collection[str]]:
    """The ends of the names of the outputs of each kind."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for graph in graphs:
        for node in graph.nodes:
            if node["kind"] != "datastore":
                found[node["kind"]] |= {_end(each.name, node["id"]): None for each in of_node(node)}
    return found


def _end(output: str, node: str) -> str:
    failures = OF_FAILURES.search(output)
    return failures[0] if failures else output.removeprefix(node)


def _attributes(attributes: Attributes) -> str:
    return "<br>".join(
        f"`{each.name}`{'' if each.required else ' (optional)'}: {each.meaning}; {each.allowed}"
        for each in attributes.values()
    ).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
