"""What `list` and `show` print in plain text."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sls_patterns_cli import catalog
from sls_patterns_cli.terminal.output import heading, paragraph, show, table

if TYPE_CHECKING:
    from sls_patterns_cli.catalog.listed import Listed
    from sls_patterns_cli.catalog.model import Edge, Node, Pattern, Topology

OTHERS = "Other topologies; --topology NAME shows one"
ALARMS = "Alarms: a page needs somebody now, a ticket can wait"


def show_patterns(patterns: Sequence["Listed"]) -> None:
    """Print each pattern's name, summary and options."""
    for number, pattern in enumerate(patterns):
        if number:
            show()
        show(f"{pattern.slug}  {pattern.title}")
        paragraph(pattern.summary)
        show(f"  {' | '.join(map(', '.join, pattern.options))}")
        for text in pattern.caveats:
            paragraph(text)


def show_pattern(pattern: "Pattern", topology: "Topology") -> None:
    """Print what a pattern offers, one topology's graph, and what is proven of it."""
    from sls_patterns_cli.catalog.authorization import refusals

    show(f"{pattern.title} ({pattern.slug})")
    paragraph(pattern.summary, indent="")
    use, avoid = pattern.when(topology)
    paragraph(f"Use it {use}", indent="")
    paragraph(f"Do not use it {avoid}", indent="")
    heading("Options, the default first")
    table(
        [
            ("topology", ", ".join(pattern.options[0])),
            ("runtime", ", ".join(pattern.runtimes)),
            ("iac", ", ".join(pattern.flavours)),
            ("datastore", ", ".join(topology.datastores)),
        ]
    )
    for store, unshown in topology.experimental.items():
        paragraph(f"{store} is experimental. {unshown}")
    heading(f"Topology {topology.name}")
    paragraph(topology.summary)
    if topology.retired:
        paragraph(f"Retired. {topology.retired}")
    if others := other_topologies(pattern, topology):
        heading(OTHERS)
        table(others)
    heading("Nodes")
    table([(node.name, node.kind, node_facts(node)) for node in topology.nodes])
    heading("Edges: -> waits for the answer, => does not; ! is where a failure goes")
    for edge in topology.edges:
        _show_edge(edge)
    heading(ALARMS)
    table(alarms_of(pattern, topology))
    heading(topology.proofs_title)
    table([(proof.id, proof.text) for proof in topology.proofs])
    for auth, proofs in refusals(topology, catalog.vocabulary()).items():
        heading(f"Proofs with auth {auth}")
        table([(proof.id, proof.text) for proof in proofs])


def _show_edge(edge: "Edge") -> None:
    arrow = "=>" if edge.call == "async" else "->"
    show(f"  {edge.source} {arrow} {edge.target}{_facts(edge.attributes)}")
    for failure in edge.failures:
        if failure.end is None:
            show(f"      ! {failure.mechanism}")
        else:
            show(f"      ! {failure.end}: {failure.mechanism}")


def node_facts(node: "Node") -> str:
    """What a node does, with its other attributes in brackets."""
    facts = {
        key: value
        for key, value in node.attributes.items()
        if key not in {"does", "former_seconds"}
    }
    return f"{node.attributes.get('does', '')}{_facts(facts)}".strip()


def listed(attributes: Mapping[str, Any]) -> str:
    """Attributes in a line; filters and patterns of events are JSON, as AWS has them."""
    return ", ".join(
        f"{key.replace('_', ' ')} {json.dumps(value) if isinstance(value, dict) else value}"
        for key, value in attributes.items()
    )


def other_topologies(pattern: "Pattern", topology: "Topology") -> list[tuple[str, str]]:
    """Each other topology of a pattern, and what it is, or that it is retired."""
    return [
        (each.name, f"Retired. {each.retired}" if each.retired else each.summary)
        for each in pattern.topologies
        if each is not topology
    ]


def alarms_of(pattern: "Pattern", topology: "Topology") -> list[tuple[str, str]]:
    """Each alarm of a topology with its first datastore, when it goes off, and for what."""
    return [
        (each["id"], f"{each['tier']} {each['after']}: {each['what']}")
        for each in catalog.alarms(pattern.slug, topology.name, topology.datastores[0])
    ]


def _facts(attributes: Mapping[str, Any]) -> str:
    return f" ({listed(attributes)})" if attributes else ""
