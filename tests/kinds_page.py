"""The page of `docs/` that lists the kinds of nodes, edges, failures and datastores."""

from collections.abc import Iterable, Iterator

from sls_patterns_cli.catalog.kinds import Attributes, Vocabulary

HEAD = """\
# Kinds of nodes and edges

Generated from [templates/graph.yml](../templates/graph.yml) by `make golden`;
[adding-a-pattern.md](adding-a-pattern.md) says how a pattern uses them.
"""


def kinds_page(vocabulary: Vocabulary) -> str:
    """Return the page's text."""
    return "\n".join((HEAD, *_sections(vocabulary)))


def _sections(vocabulary: Vocabulary) -> Iterator[str]:
    yield "## Nodes\n"
    yield from _table(
        ("kind", "what it is", "attributes"),
        (
            (f"`{kind.name}`", kind.title, _attributes(kind.attributes))
            for kind in vocabulary.nodes.values()
        ),
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


def _attributes(attributes: Attributes) -> str:
    return "<br>".join(
        f"`{each.name}`{'' if each.required else ' (optional)'}: {each.meaning}; {each.allowed}"
        for each in attributes.values()
    ).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
