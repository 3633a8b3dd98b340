"""A pattern that does not fit the vocabulary is refused with one line that says where."""

from copy import deepcopy
from typing import Any

import pytest

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.pattern import Pattern

VOCABULARY: dict[str, Any] = {
    "nodes": {"queue": "SQS queue", "function": "Lambda function"},
    "edges": {
        "queue -> function": {"call": "async", "failures": ["E1"]},
        "function -> queue": {"call": "sync", "failures": ["behind"]},
    },
    "failures": {
        "behind": {"mechanism": "the hand-over fails"},
        "E1": {"mechanism": "moved", "end": "{source}-dlq"},
    },
}
DECLARED: dict[str, Any] = {
    "title": "Worker",
    "summary": "Works.",
    "runtimes": ["python"],
    "flavours": ["sam"],
    "topologies": [
        {
            "name": "function",
            "summary": "One function.",
            "datastores": ["dynamodb"],
            "nodes": [
                {"name": "jobs", "kind": "queue"},
                {"name": "work", "kind": "function", "timeout": 5},
            ],
            "edges": [{"from": "jobs", "to": "work", "batch_size": 10}],
            "proofs": [{"id": "done", "text": "A job is done.", "where": "anywhere"}],
        }
    ],
}
TOPOLOGY = "pattern worker, topology function"


def built(declared: Any) -> Pattern:
    return Pattern.from_declaration("worker", declared, VOCABULARY)


def test_how_an_edge_calls_and_fails_follows_from_its_ends() -> None:
    edge = built(DECLARED).topology().edges[0]
    assert edge.call == "async"
    assert [(failure.id, failure.end) for failure in edge.failures] == [("E1", "jobs-dlq")]
    assert edge.attributes == {"batch_size": 10}


def test_edges_between_the_same_nodes_may_differ() -> None:
    declared = deepcopy(DECLARED)
    declared["topologies"][0]["edges"].append({"from": "jobs", "to": "work", "batch_size": 1})
    assert len(built(declared).topology().edges) == 2


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (
            ("edges", 0, "to"),
            "wrok",
            f"{TOPOLOGY}: edge jobs -> wrok ends at the unknown node 'wrok'",
        ),
        (
            ("nodes", 0, "kind"),
            "quueue",
            f"{TOPOLOGY}: node 'jobs' has the unknown kind 'quueue'; kinds are: queue, function",
        ),
        (
            ("nodes", 0, "kind"),
            "function",
            f"{TOPOLOGY}: edge jobs -> work: there are no edges function -> function",
        ),
        (("nodes", 0, "name"), "work", f"{TOPOLOGY}: node 'work' is declared more than once"),
        (("nodes", 0), "jobs", f"{TOPOLOGY}: expected a mapping with 'name', got 'jobs'"),
        (("nodes",), {}, f"{TOPOLOGY}: 'nodes' must be a list, got {{}}"),
        (("proofs", 0, "id"), None, f"{TOPOLOGY}: 'id' is missing"),
        (
            ("proofs", 0, "where"),
            "here",
            f"{TOPOLOGY}: proof 'done': 'where' is anywhere or local, not 'here'",
        ),
        (("proofs", 0, "smoke"), True, f"{TOPOLOGY}: 'smoke' must be text, got True"),
        (
            ("proofs", 0),
            {"id": "done", "text": "A job is done.", "where": "local", "smoke": "leaves a job"},
            f"{TOPOLOGY}: proof 'done': 'smoke' is for a proof that runs anywhere",
        ),
        (
            ("proofs",),
            DECLARED["topologies"][0]["proofs"] * 2,
            f"{TOPOLOGY}: proof 'worker.done' is declared more than once",
        ),
        (
            ("edges",),
            DECLARED["topologies"][0]["edges"] * 2,
            f"{TOPOLOGY}: edge jobs -> work is declared more than once",
        ),
        (
            ("datastores",),
            ["dynamodb", "dynamodb"],
            (
                f"{TOPOLOGY}: 'datastores' must be a list of different names, "
                "got ['dynamodb', 'dynamodb']"
            ),
        ),
    ],
)
def test_a_malformed_topology_is_refused(path: tuple[Any, ...], value: Any, line: str) -> None:
    declared = deepcopy(DECLARED)
    where: Any = declared["topologies"][0]
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    with pytest.raises(UserError) as refused:
        built(declared)
    assert refused.value.message == line


def test_a_topology_is_declared_once() -> None:
    declared = deepcopy(DECLARED)
    declared["topologies"] *= 2
    with pytest.raises(UserError, match=r"^pattern worker: topology 'function' is declared more"):
        built(declared)


def test_a_missing_title_is_refused() -> None:
    with pytest.raises(UserError, match=r"^pattern worker: 'title' is missing$"):
        built({key: value for key, value in DECLARED.items() if key != "title"})


def with_datastore() -> tuple[dict[str, Any], dict[str, Any]]:
    """The pattern with a function that uses a datastore, and a vocabulary of two datastores."""
    declared, vocabulary = deepcopy(DECLARED), deepcopy(VOCABULARY)
    vocabulary["nodes"]["datastore"] = "Datastore"
    vocabulary["edges"]["function -> datastore"] = {"call": "sync", "failures": ["behind"]}
    vocabulary["datastores"] = {
        "dynamodb": {},
        "aurora-postgresql": {
            "reachable": ["datastore"],
            "nodes": [{"name": "migrate", "kind": "function"}],
            "edges": [{"from": "migrate", "to": "{datastore}"}],
        },
    }
    topology = declared["topologies"][0]
    topology["nodes"].append({"name": "store", "kind": "datastore"})
    topology["edges"].append({"from": "work", "to": "store"})
    topology["datastores"] = ["dynamodb", "aurora-postgresql"]
    return declared, vocabulary


def test_a_datastore_brings_its_nodes_and_edges_into_the_graph() -> None:
    topology = Pattern.from_declaration("worker", *with_datastore()).topology()

    brought = topology.on("aurora-postgresql")

    assert [node.name for node in brought.nodes] == ["jobs", "work", "store", "migrate"]
    assert [(edge.source, edge.target) for edge in brought.edges][-1] == ("migrate", "store")
    assert topology.on("dynamodb").nodes == topology.nodes == brought.nodes[:-1]


def test_a_function_inside_the_vpc_may_not_call_what_it_cannot_reach() -> None:
    declared, vocabulary = with_datastore()
    declared["topologies"][0]["edges"].append({"from": "work", "to": "jobs"})

    with pytest.raises(UserError) as refused:
        Pattern.from_declaration("worker", declared, vocabulary)

    assert str(refused.value) == (
        f"{TOPOLOGY}: edge work -> jobs: with aurora-postgresql work is inside the VPC, "
        "where no queue answers it"
    )
