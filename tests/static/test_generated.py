"""What is generated from the vocabulary and the patterns is as they say."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli.test_pattern import DECLARED, MISTAKES, changed
from generated import ROOT, generated, stray
from graphs.overlay import GRAPHS
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.compiler import compiled, graph
from sls_patterns_cli.catalog.declaration import read_pattern
from sls_patterns_cli.catalog.model import Pattern

DECLARATIONS = [*ROOT.glob("templates/patterns/*/pattern.yml"), *GRAPHS.glob("*/pattern.yml")]


def test_generated_files_are_as_the_declarations_say() -> None:
    """One test, since only to name them takes as long as to compare them."""
    stale = [
        file.relative_to(ROOT).as_posix()
        for file, text in generated().items()
        if not file.is_file() or file.read_text() != text
    ]
    assert stale == [], "run `make golden`"


def test_no_graph_is_of_a_pattern_that_is_gone() -> None:
    assert stray() == set()


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    loaded = json.loads((ROOT / "templates/pattern.schema.json").read_text())
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded)


@pytest.mark.parametrize("file", DECLARATIONS, ids=lambda file: file.parent.name)
def test_every_pattern_fits_the_schema(schema: Draft202012Validator, file: Path) -> None:
    assert [error.message for error in schema.iter_errors(yaml.safe_load(file.read_text()))] == []


# A schema cannot look up a name, compare two entries, or know what a datastore can do.
LOOKED_UP = {
    "access that the datastore lacks",
    "datastore that the node cannot use",
    "datastore twice",
    "dead-letter queue of what is not invoked asynchronously",
    "FIFO queue that a standard topic would feed",
    "edge that there is not",
    "edge twice",
    "example for an answer that is not offered",
    "node twice",
    "proof twice",
    "retries of what is not invoked asynchronously",
    "retired topology as the default",
    "route that any token opens",
    "scope that nobody checks",
    "smoke test that runs on the local stack only",
    "token of a system that is not called",
    "topology twice",
    "unknown node",
}


@pytest.mark.parametrize("mistake", [name for name in MISTAKES if name not in LOOKED_UP])
def test_the_schema_refuses_what_the_tool_refuses(
    schema: Draft202012Validator, mistake: str
) -> None:
    path, value, _ = MISTAKES[mistake]
    assert not schema.is_valid(changed(path, value))


def built(declared: dict[str, Any]) -> tuple[Pattern, dict[str, Any]]:
    pattern = read_pattern("worker", declared, catalog.vocabulary())
    vocabulary = catalog.vocabulary()
    topology = pattern.topology()
    return pattern, graph(
        pattern, topology, vocabulary, vocabulary.datastores["dynamodb"]
    ).as_dict()


def test_a_compiled_graph_links_nodes_and_edges_by_number() -> None:
    _, facts = built(DECLARED)
    work = facts["nodes"]["work"]
    assert (work["id"], work["incoming"], work["outgoing"]) == ("WorkFunction", [0], [1])
    assert facts["nodes"]["results"]["id"] == "ResultsTable"
    assert facts["edges"][0]["failures"] == [
        {"id": "E1", "end": "jobs-dlq", "queue": "JobsDeadLetterQueue", "at": "work"}
    ]
    assert facts["ends"] == ["jobs-dlq"]


def test_a_compiled_graph_is_json_that_jinja_leaves_as_it_is() -> None:
    declared = deepcopy(DECLARED)
    declared["topologies"][0]["nodes"][1]["does"] = "says {{ this }}, {% that %} and {# more #}"
    pattern, facts = built(declared)
    text = compiled(pattern, catalog.vocabulary())["graphs/queue-dynamodb.json"]
    assert not any(tag in text for tag in ("{{", "{%", "{#"))
    loaded = json.loads(text)
    assert loaded["nodes"]["work"]["does"] == declared["topologies"][0]["nodes"][1]["does"]
    assert loaded == json.loads(json.dumps(facts))
