"""A pattern that does not fit is refused with one line: the file, the place, what is allowed."""

import os
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.declaration import read_pattern
from sls_patterns_cli.catalog.model import Edge, Pattern, Topology
from sls_patterns_cli.errors import UserError

FILE = "templates/patterns/worker/pattern.yml"
TOPOLOGY = f"{FILE}: topology queue"
DECLARED: dict[str, Any] = {
    "title": "Worker",
    "summary": "Works.",
    "use": "where it works.",
    "avoid": "where it does not.",
    "suits": {"callers": ["people"], "waits": [True], "ordered": [False], "receivers": ["one"]},
    "source": "a test",
    "runtimes": ["python"],
    "flavours": ["sam"],
    "topologies": [
        {
            "name": "queue",
            "summary": "One function.",
            "datastores": ["dynamodb", "aurora-postgresql"],
            "nodes": [
                {"name": "jobs", "kind": "queue", "does": "holds jobs"},
                {"name": "work", "kind": "function", "does": "works", "timeout": 20},
                {"name": "results", "kind": "datastore", "does": "what was done", "key": "id"},
            ],
            "edges": [
                {"from": "jobs", "to": "work", "batch_size": 10},
                {"from": "work", "to": "results", "access": "write"},
            ],
            "proofs": [{"id": "done", "text": "A job is done.", "where": "anywhere"}],
        }
    ],
    "examples": [
        {"title": "Look", "command": "aws dynamodb scan", "of": {"datastore": "dynamodb"}}
    ],
}
REMOVED = object()


def built(declared: Any) -> Pattern:
    return read_pattern("worker", declared, catalog.vocabulary())


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The declaration with another value at a path, or without it."""
    declared = deepcopy(DECLARED)
    where: Any = declared
    for key in path[:-1]:
        where = where[key]
    if value is REMOVED:
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return declared


def in_topology(*path: Any) -> tuple[Any, ...]:
    return ("topologies", 0, *path)


def with_api(*edges: dict[str, Any]) -> dict[str, Any]:
    """The topology with an API in front of its function."""
    topology = deepcopy(DECLARED["topologies"][0])
    topology["nodes"] += [
        {"name": "api", "kind": "http-api", "rate_limit": 10, "burst_limit": 20},
        {"name": "issuer", "kind": "openid-provider", "does": "signs tokens"},
    ]
    topology["edges"] += edges
    return dict(topology)


def with_token(system: str) -> dict[str, Any]:
    """The topology with a system that its function calls, and a token of some system."""
    topology = deepcopy(DECLARED["topologies"][0])
    topology["datastores"] = ["dynamodb"]
    topology["nodes"] += [
        {"name": "shop", "kind": "external", "does": "sells"},
        {"name": "token", "kind": "secret", "does": "signs in", "length": 32},
    ]
    topology["edges"] += [
        {"from": "work", "to": "shop"},
        {"from": "work", "to": "token", "by": "bearer-token", "signs_in_to": system},
    ]
    return dict(topology)


FUNCTION = (
    "does, timeout, retries, failed_events, reserved_concurrency, refusals, signed_refusals, "
    "folder, alias, "
    "durable, former_seconds"
)
MISTAKES: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    # The first five, and the kind that a flavour lacks, were accepted by 0.3.0.
    "misspelt attribute": (
        in_topology("nodes", 1),
        {"name": "work", "kind": "function", "does": "works", "timeuot": 5},
        (
            f"{TOPOLOGY}, node work: unknown attribute 'timeuot'; did you mean timeout? "
            f"those of a function: {FUNCTION}"
        ),
    ),
    "attribute of another kind": (
        in_topology("nodes", 1, "fifo"),
        True,
        f"{TOPOLOGY}, node work: unknown attribute 'fifo'; those of a function: {FUNCTION}",
    ),
    "wrong type": (
        in_topology("nodes", 1, "timeout"),
        "5",
        f"{TOPOLOGY}, node work: timeout must be a whole number from 1 to 900; got '5'",
    ),
    "boolean as number": (
        in_topology("nodes", 1, "timeout"),
        True,
        f"{TOPOLOGY}, node work: timeout must be a whole number from 1 to 900; got True",
    ),
    "beyond the limit": (
        in_topology("nodes", 1, "timeout"),
        901,
        f"{TOPOLOGY}, node work: timeout must be a whole number from 1 to 900; got 901",
    ),
    "attribute missing": (
        in_topology("nodes", 1, "timeout"),
        REMOVED,
        f"{TOPOLOGY}, node work: timeout is missing; it must be a whole number from 1 to 900",
    ),
    "unknown edge attribute": (
        in_topology("edges", 0, "batchsize"),
        5,
        (
            f"{TOPOLOGY}, edge jobs -> work: unknown attribute 'batchsize'; "
            "did you mean batch_size? those of an edge queue -> function: "
            "batch_size, max_concurrency"
        ),
    ),
    "edge attribute that is not one of those": (
        in_topology("edges", 1, "access"),
        "wirte",
        (
            f"{TOPOLOGY}, edge work -> results: access must be one of: "
            "read, write, write-once, write-update, append, update, read-many, read-update, "
            "read-write, write-delete, manage, own; got 'wirte'"
        ),
    ),
    "access that the datastore lacks": (
        in_topology("edges", 1, "access"),
        "own",
        (
            f"{TOPOLOGY}, edge work -> results: access to dynamodb must be one of: "
            "read, write, write-once, write-update, append, update, append-update, read-many, "
            "read-update, write-delete, manage; got 'own'"
        ),
    ),
    "FIFO queue that a standard topic would feed": (
        in_topology(),
        {
            **DECLARED["topologies"][0],
            "nodes": [
                *DECLARED["topologies"][0]["nodes"],
                {"name": "news", "kind": "topic", "does": "tells"},
                {"name": "told", "kind": "queue", "does": "is told", "fifo": True},
            ],
            "edges": [*DECLARED["topologies"][0]["edges"], {"from": "news", "to": "told"}],
        },
        f"{TOPOLOGY}, edge news -> told: topic -> queue cannot be where told has fifo",
    ),
    "unknown node": (
        in_topology("edges", 0, "to"),
        "wrok",
        f"{TOPOLOGY}, edge jobs -> wrok: there is no node 'wrok'; nodes are: jobs, work, results",
    ),
    "unknown kind": (
        in_topology("nodes", 0, "kind"),
        "quueue",
        (
            f"{TOPOLOGY}, node jobs: kind must be one of: {', '.join(catalog.vocabulary().nodes)}; "
            "got 'quueue'"
        ),
    ),
    "edge that there is not": (
        in_topology("edges", 1),
        {"from": "results", "to": "jobs"},
        (
            f"{TOPOLOGY}, edge results -> jobs: no edge datastore -> queue; "
            "see the edges in templates/graph.yml"
        ),
    ),
    "way that there is not": (
        in_topology("edges", 0),
        {"from": "jobs", "to": "work", "by": "pool"},
        (
            f"{TOPOLOGY}, edge jobs -> work: no edge queue -> function by pool; "
            "allowed: without by, by: poll"
        ),
    ),
    "retries of what is not invoked asynchronously": (
        in_topology("nodes", 1, "retries"),
        2,
        (f"{TOPOLOGY}, node work: retries is only for a function that is invoked asynchronously"),
    ),
    "token of a system that is not called": (
        ("topologies", 0),
        with_token("bank"),
        (
            f"{TOPOLOGY}: edge work -> token: signs_in_to must be a system that work calls: shop; "
            f"got 'bank'"
        ),
    ),
    "scope that nobody checks": (
        ("topologies", 0),
        with_api({"from": "api", "to": "work", "route": "GET /jobs", "scope": "jobs:read"}),
        (
            f"{TOPOLOGY}: edge api -> work: scope is only for an API with an openid-provider, "
            "which signs the tokens"
        ),
    ),
    "route that any token opens": (
        ("topologies", 0),
        with_api(
            {"from": "api", "to": "issuer"}, {"from": "api", "to": "work", "route": "GET /jobs"}
        ),
        (
            f"{TOPOLOGY}: edge api -> work: scope is missing; without it any token of the provider "
            "would do, also one that only says who signed in"
        ),
    ),
    "dead-letter queue of what is not invoked asynchronously": (
        in_topology("nodes", 1, "failed_events"),
        "dead-letter-queue",
        (
            f"{TOPOLOGY}, node work: failed_events is only for a function that is invoked "
            "asynchronously"
        ),
    ),
    "node twice": (
        in_topology("nodes", 0, "name"),
        "work",
        f"{TOPOLOGY}: node 'work' is declared more than once",
    ),
    "node that is no mapping": (
        in_topology("nodes", 0),
        "jobs",
        f"{TOPOLOGY}: a node must be a mapping with name, kind; got 'jobs'",
    ),
    "name that is none": (
        in_topology("nodes", 0, "name"),
        "My Jobs",
        f"{TOPOLOGY}: name must be text of the form [a-z][a-z0-9]*(-[a-z0-9]+)*, got 'My Jobs'",
    ),
    "nodes that are no list": (
        in_topology("nodes"),
        {},
        f"{TOPOLOGY}: nodes must be a list, got {{}}",
    ),
    "no proofs": (
        in_topology("proofs"),
        [],
        f"{TOPOLOGY}: proofs must have at least one entry",
    ),
    "module that proofs do not share": (
        in_topology("harness"),
        {"stand-ins": ["hang"]},
        (
            f"{TOPOLOGY}, harness: unknown key 'stand-ins'; did you mean stand-in? "
            f"allowed: {', '.join(catalog.vocabulary().harness)}"
        ),
    ),
    "part that a module does not have": (
        in_topology("harness"),
        {"stand-in": ["hangs"]},
        (
            f"{TOPOLOGY}, harness: stand-in must be of: "
            f"{', '.join(catalog.vocabulary().harness['stand-in'].parts)}; got 'hangs'"
        ),
    ),
    "part of a module without parts": (
        in_topology("harness"),
        {"hostile-bodies": ["wait-until"]},
        f"{TOPOLOGY}, harness: hostile-bodies must be of: none; got 'wait-until'",
    ),
    "proof without text": (
        in_topology("proofs", 0, "text"),
        None,
        f"{TOPOLOGY}: text is missing",
    ),
    "proof that runs nowhere": (
        in_topology("proofs", 0, "where"),
        "aws",
        f"{TOPOLOGY}, proof done: where must be one of: anywhere, local; got 'aws'",
    ),
    "smoke test that runs on the local stack only": (
        in_topology("proofs", 0),
        {"id": "done", "text": "A job is done.", "where": "local", "smoke": "leaves a job"},
        f"{TOPOLOGY}, proof done: smoke is only for a proof that runs anywhere",
    ),
    "proof twice": (
        in_topology("proofs"),
        DECLARED["topologies"][0]["proofs"] * 2,
        f"{TOPOLOGY}: proof 'worker.done' is declared more than once",
    ),
    "edge twice": (
        in_topology("edges"),
        [*DECLARED["topologies"][0]["edges"], DECLARED["topologies"][0]["edges"][0]],
        f"{TOPOLOGY}: edge jobs -> work is declared more than once",
    ),
    "datastore twice": (
        in_topology("datastores"),
        ["dynamodb", "dynamodb"],
        f"{TOPOLOGY}: datastores 'dynamodb' is declared more than once",
    ),
    "unknown datastore": (
        in_topology("datastores"),
        ["mongodb"],
        (
            f"{TOPOLOGY}: datastores must be of: none, dynamodb, s3, iceberg, aurora-postgresql, "
            "elasticache-valkey, redshift-serverless; got 'mongodb'"
        ),
    ),
    "topology twice": (
        ("topologies",),
        DECLARED["topologies"] * 2,
        f"{FILE}: topology 'queue' is declared more than once",
    ),
    "title missing": (("title",), REMOVED, f"{FILE}: title is missing"),
    "misspelt key": (
        ("exampels",),
        [],
        (
            f"{FILE}: unknown key 'exampels'; did you mean examples? "
            "allowed: title, summary, source, use, avoid, suits, runtimes, flavours, "
            "topologies, order, dependencies, test_dependencies, test_helpers, migrations, "
            "examples, events, clients, stacks, temporary_failures, item_stores, reads_json, "
            "validates_requests, auth"
        ),
    ),
    "what is no yes or no": (
        ("reads_json",),
        "json",
        f"{FILE}: reads_json must be true or false, got 'json'",
    ),
    "unknown runtime": (
        ("runtimes",),
        ["python", "ruby"],
        f"{FILE}: runtimes must be of: python, typescript; got 'ruby'",
    ),
    "unknown flavour": (
        ("flavours",),
        ["terraform"],
        f"{FILE}: flavours must be of: sam, cdk; got 'terraform'",
    ),
    "retired topology as the default": (
        in_topology("retired"),
        "Take the other one.",
        f"{FILE}: the first topology is the default; it cannot be retired",
    ),
    "example for an answer that is not offered": (
        ("examples", 0, "of"),
        {"datastore": "s3"},
        f"{FILE}: example 1: datastore must be one of: dynamodb, aurora-postgresql; got 's3'",
    ),
    "example without a command": (
        ("examples", 0, "command"),
        REMOVED,
        f"{FILE}: example 1: command is missing",
    ),
    "packages of an unknown runtime": (
        ("dependencies",),
        {"ruby": []},
        f"{FILE}: dependencies: unknown key 'ruby'; allowed: python, typescript",
    ),
    "events that are no list": (("events",), "job", f"{FILE}: events must be a list, got 'job'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_what_is_allowed(mistake: str) -> None:
    path, value, line = MISTAKES[mistake]
    with pytest.raises(UserError) as refused:
        built(changed(path, value))
    assert refused.value.message == line


@pytest.mark.parametrize(
    "key", ["examples", "test_helpers", "events", "migrations", "clients", "stacks"]
)
def test_what_a_pattern_does_not_have_it_need_not_name(key: str) -> None:
    assert built({name: value for name, value in DECLARED.items() if name != key}).slug == "worker"


def test_examples_may_be_none() -> None:
    assert built(changed(("examples",), [])).examples == ()


def test_a_kind_that_a_flavour_lacks_is_refused() -> None:
    vocabulary = catalog.vocabulary()
    nodes = {
        **vocabulary.nodes,
        "queue": replace(vocabulary.nodes["queue"], flavours=("cdk/python",)),
    }
    with pytest.raises(UserError) as refused:
        read_pattern("worker", DECLARED, replace(vocabulary, nodes=nodes))
    assert refused.value.message == (
        f"{TOPOLOGY}, node jobs: sam with python has no queue; only: cdk/python"
    )


def test_how_an_edge_calls_and_fails_follows_from_its_ends() -> None:
    edge = built(DECLARED).topology().edges[0]
    assert edge.call == "async"
    assert [(failure.id, failure.end) for failure in edge.failures] == [("E1", "jobs-dlq")]
    assert edge.attributes == {"batch_size": 10}


def test_edges_between_the_same_nodes_may_differ() -> None:
    other = {"from": "jobs", "to": "work", "batch_size": 1}
    edges = [*DECLARED["topologies"][0]["edges"], other]
    assert len(built(changed(in_topology("edges"), edges)).topology().edges) == 3


def test_a_datastore_brings_its_nodes_and_edges_into_the_graph() -> None:
    topology = built(DECLARED).topology()
    brought = topology.on("aurora-postgresql")
    names = [node.name for node in brought.nodes]
    assert names == ["jobs", "work", "results", "cloud-formation", "migrate"]
    assert [(edge.source, edge.target) for edge in brought.edges][-1] == ("migrate", "results")
    assert [node.name for node in topology.on("dynamodb").nodes] == names[:3]


def test_a_function_has_the_time_that_its_datastore_needs() -> None:
    """B5: a consumer waits longer for its database than who answers a caller."""
    consumer = built(DECLARED).topology()
    declared = deepcopy(DECLARED)
    nodes, edges = declared["topologies"][0]["nodes"], declared["topologies"][0]["edges"]
    nodes.append({"name": "api", "kind": "http-api", "rate_limit": 100, "burst_limit": 20})
    edges[0] = {"from": "api", "to": "work", "route": "GET /"}

    assert waits(consumer.on("dynamodb")) == (20, None)
    assert waits(consumer.on("aurora-postgresql")) == (60, 35)
    assert waits(built(declared).topology().on("aurora-postgresql")) == (25, 22)


def waits(topology: Topology) -> tuple[int, int | None]:
    """The timeout of `work`, and for how long of it it tries to connect."""
    (timeout,) = (node.attributes["timeout"] for node in topology.nodes if node.name == "work")
    (connect,) = (edge.attributes.get("connect") for edge in topology.edges if is_write(edge))
    return timeout, connect


def is_write(edge: Edge) -> bool:
    return (edge.source, edge.target) == ("work", "results")


def test_what_a_datastore_cannot_bear_is_bounded() -> None:
    """B22."""
    declared = deepcopy(DECLARED)
    nodes, edges = declared["topologies"][0]["nodes"], declared["topologies"][0]["edges"]
    nodes.append({"name": "api", "kind": "http-api", "rate_limit": 100, "burst_limit": 20})
    edges.append({"from": "api", "to": "work", "route": "GET /"})
    topology = built(declared).topology()
    bounded = topology.on("aurora-postgresql")

    def bounds(topology: Topology) -> tuple[object, ...]:
        (api,) = (node.attributes for node in topology.nodes if node.name == "api")
        consumers = topology.edges[0].attributes.get("max_concurrency")
        return api["rate_limit"], api["burst_limit"], consumers

    assert bounds(topology.on("dynamodb")) == (100, 20, None)
    assert bounds(bounded) == (25, 20, 20)


def test_a_datastore_that_a_node_cannot_use_is_refused() -> None:
    declared = changed(in_topology("datastores"), ["dynamodb"])
    delivery = {"kind": "delivery", "buffer_megabytes": 1, "buffer_seconds": 60}
    declared["topologies"][0]["nodes"].append({"name": "more", "does": "more", **delivery})
    declared["topologies"][0]["edges"].append({"from": "more", "to": "results"})
    with pytest.raises(UserError) as refused:
        built(declared)
    assert refused.value.message == (
        f"{TOPOLOGY}, edge more -> results: "
        "dynamodb cannot be used by a delivery; only by: function, state-machine"
    )


def test_a_delivery_that_reads_a_stream_has_no_other_source() -> None:
    declared = deepcopy(DECLARED)
    delivery = {"kind": "delivery", "buffer_megabytes": 1, "buffer_seconds": 60}
    limits = {"stage": "live", "rate_limit": 1, "burst_limit": 1}
    declared["topologies"][0]["nodes"] += [
        {"name": "api", "kind": "rest-api", **limits},
        {"name": "clicks", "kind": "stream", "does": "clicks"},
        {"name": "more", "does": "more", **delivery},
    ]
    put = {"route": "POST /", "action": "PutRecord", "request": "put"}
    declared["topologies"][0]["edges"] += [
        {"from": "clicks", "to": "more"},
        {"from": "api", "to": "more", **put},
    ]
    with pytest.raises(UserError) as refused:
        built(declared)
    assert refused.value.message == (
        f"{TOPOLOGY}, node more: clicks and api lead to it, "
        "but a delivery that reads a stream has no other source"
    )


def test_a_function_inside_the_vpc_may_not_call_what_it_cannot_reach() -> None:
    declared = changed(
        in_topology("edges", 1), {"from": "work", "to": "results", "access": "write"}
    )
    declared["topologies"][0]["nodes"].append({"name": "more", "kind": "queue", "does": "more"})
    declared["topologies"][0]["edges"].append({"from": "work", "to": "more"})
    with pytest.raises(UserError) as refused:
        built(declared)
    assert refused.value.message == (
        f"{TOPOLOGY}: edge work -> more: with aurora-postgresql work is inside the VPC, "
        "where no queue answers it; what does: datastore, table, bucket, cache"
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The tool and its template as a checkout, whose patterns a test may break."""
    for folder in ("src", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in ("copier.yml", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    work = checkout / "work"
    work.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "sls_patterns_cli", *arguments],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def edit(checkout: Path, old: str, new: str) -> None:
    file = checkout / "templates/patterns/scalable-webhook/pattern.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("command", ["show", "new"])
def test_every_command_refuses_a_pattern_with_a_mistake(checkout: Path, command: str) -> None:
    edit(checkout, "timeout: 30", "timeuot: 10")
    done = run(checkout, command, "scalable-webhook")
    assert done.stderr == (
        "sls-patterns: templates/patterns/scalable-webhook/pattern.yml: topology function, "
        "node process: unknown attribute 'timeuot'; did you mean timeout? "
        f"those of a function: {FUNCTION}\n"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert list((checkout / "work").iterdir()) == []


def test_a_project_is_not_made_from_a_graph_that_is_stale(checkout: Path) -> None:
    edit(checkout, "timeout: 30", "timeout: 31")
    done = run(checkout, "new", "scalable-webhook", "--defaults")
    assert done.stderr == (
        "sls-patterns: templates/patterns/scalable-webhook/graphs/function-dynamodb.json "
        "is not what pattern.yml says; run `make golden`\n"
    )
    assert done.returncode == 1
    assert list((checkout / "work").iterdir()) == []


def test_a_pattern_without_examples_events_and_helpers_becomes_a_project(checkout: Path) -> None:
    file = checkout / "templates/patterns/simple-web-service/pattern.yml"
    declared = yaml.safe_load(file.read_text())
    for key in ("examples", "events", "test_helpers"):
        del declared[key]
    file.write_text(yaml.safe_dump(declared, sort_keys=False))
    done = run(checkout, "new", "simple-web-service", "made", "--defaults", "--no-git")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (checkout / "work/made/events").exists()
    readme = (checkout / "work/made/README.md").read_text()
    assert "With the outputs of the stack in the environment" not in readme
