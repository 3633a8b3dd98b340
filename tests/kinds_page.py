"""The page of `docs/` that lists the kinds of nodes, edges, failures and datastores."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sls_patterns_cli.catalog.kinds import Attributes, NodeKind, Vocabulary

HEAD = """\
# Kinds of nodes and edges

Generated from [templates/graph.yml](../templates/graph.yml) by `make golden`;
[adding-a-pattern.md](adding-a-pattern.md) says how a pattern uses them.
"""


NODES = Path(__file__).parents[1] / "templates/iac/sam/nodes"

OUTPUT = re.compile(r"^  \{\{ (?P<of>\S+).*\}\}(?P<end>\w+):$", re.MULTILINE)
"""An output in the template of a kind: the id of what it is of, and the end of its name."""

DEAD_LETTERS = re.compile(r"dlq|end_id")


def kinds_page(vocabulary: Vocabulary) -> str:
    """Return the page's text."""
    return "\n".join((HEAD, *_sections(vocabulary)))


def _sections(vocabulary: Vocabulary) -> Iterator[str]:
    yield "## Nodes\n"
    yield from _table(
        ("kind", "what it is", "attributes", "variable", "outputs"),
        (
            (
                *(f"`{kind.name}`", kind.title, _attributes(kind.attributes)),
                *(_variable(kind), _outputs(kind.name)),
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
                *(f"`{store.name}`", store.title, store.idle),
                *(", ".join(store.used_by), ", ".join(store.access), ", ".join(store.retained)),
            )
            for store in vocabulary.datastores.values()
        ),
    )


def _variable(kind: NodeKind) -> str:
    if kind.variable is None:
        return ""
    return f"`…_{kind.variable['name'].replace('-', '_').upper()}`"


def _outputs(kind: str) -> str:
    file = NODES / kind / "outputs.yaml.jinja"
    found = OUTPUT.finditer(file.read_text()) if file.exists() else ()
    # A dead-letter queue is of the node, or of an edge that ends in it.
    ends = [
        f"{'DeadLetterQueue' if DEAD_LETTERS.search(each['of']) else ''}{each['end']}"
        for each in found
    ]
    return ", ".join(f"`…{end}`" for end in dict.fromkeys(ends))


def _attributes(attributes: Attributes) -> str:
    return "<br>".join(
        f"`{each.name}`{'' if each.required else ' (optional)'}: {each.meaning}; {each.allowed}"
        for each in attributes.values()
    ).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
