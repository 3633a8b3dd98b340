"""The comparison of a template with the pattern's graph notices what only one of them has."""

from dataclasses import replace

import pytest
from contract.edges import Edge
from contract.graph import differences

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.declaration import read_pattern
from sls_patterns_cli.catalog.model import Topology

DECLARED = {
    "title": "Two queues",
    "summary": "Names that begin alike",
    "source": "a test",
    "use": "where two queues are needed.",
    "avoid": "where one is enough.",
    "suits": {"callers": ["services"], "waits": [False], "ordered": [False], "receivers": ["one"]},
    "runtimes": ["python"],
    "flavours": ["sam"],
    "topologies": [
        {
            "name": "only",
            "summary": "one",
            "datastores": ["dynamodb"],
            "nodes": [
                {"name": "orders", "kind": "queue", "does": "holds orders"},
                {"name": "orders-late", "kind": "queue", "does": "holds late orders"},
                {"name": "store", "kind": "function", "does": "stores orders", "timeout": 5},
            ],
            "edges": [
                {"from": "orders", "to": "store", "batch_size": 10, "max_concurrency": 5},
                {"from": "orders-late", "to": "store", "batch_size": 10},
            ],
            "proofs": [{"id": "stored", "text": "stored", "where": "anywhere"}],
        }
    ],
}

ORDERS = Edge("OrdersQueue", "StoreFunction", "E1", "M1", "OrdersDeadLetterQueue", limit=5)
LATE = Edge("OrdersLateQueue3F2A9C1B", "StoreFunction", "E1", "M2", "OrdersLateDeadLetterQueue")


@pytest.fixture
def topology() -> Topology:
    return read_pattern("two-queues", DECLARED, catalog.vocabulary()).topologies[0]


def test_the_same_edges_under_the_names_of_each_flavour_are_no_difference(
    topology: Topology,
) -> None:
    assert differences([ORDERS, LATE], topology) == []


def test_an_edge_that_only_the_graph_has_is_named(topology: Topology) -> None:
    assert differences([LATE], topology) == [
        "only the graph has orders => store by E1, ending in orders-dlq, 5 consumers at a time"
    ]


def test_an_edge_that_only_the_template_has_is_named(topology: Topology) -> None:
    more = Edge("OrdersQueue", "AuditFunction", "E1", "M3", "OrdersDeadLetterQueue", limit=5)

    (said,) = differences([ORDERS, LATE, more], topology)

    assert said.startswith("only the template has orders => AuditFunction by E1")


@pytest.mark.parametrize(
    "other",
    [
        replace(ORDERS, limit=None),
        replace(ORDERS, end=None),
        replace(ORDERS, end=LATE.end),
        replace(ORDERS, mechanism="E2"),
    ],
)
def test_another_bound_end_or_mechanism_is_a_difference(topology: Topology, other: Edge) -> None:
    assert len(differences([other, LATE], topology)) == 2
