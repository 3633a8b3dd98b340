"""A compiled graph with what an answer changes of it is what compiling with the answer gives."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rendering import ROOT

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import answers, authorized
from sls_patterns_cli.catalog.compiler import graph, graph_file
from sls_patterns_cli.catalog.compiler.difference import difference

SCHEMA = json.loads((ROOT / "templates/graph.schema.json").read_text())


def asked() -> Iterator[tuple[str, str, str, str]]:
    """Yield pattern, topology, datastore and answer wherever the answer changes the graph."""
    for pattern in catalog.patterns():
        for topology in pattern.topologies:
            for datastore in topology.datastores:
                for answer in answers(topology):
                    yield pattern.slug, topology.name, datastore, answer


@cache
def environment() -> Environment:
    """Return Jinja as Copier has it, with its filter for JSON."""
    made = Environment(  # noqa: S701 - no HTML
        loader=FileSystemLoader(ROOT), undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["to_json"] = json.dumps
    return made


def composed(base: Any, change: Any) -> Any:
    macro = environment().get_template("templates/composed.jinja").module
    return json.loads(macro.composed(base, change))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("slug", "topology", "datastore", "answer"), [*asked()])
def test_a_composed_graph_is_the_compiled_one(
    slug: str, topology: str, datastore: str, answer: str
) -> None:
    pattern, vocabulary = catalog.pattern(slug), catalog.vocabulary()
    file = ROOT / "templates/patterns" / slug / graph_file(topology, datastore)
    base = json.loads(file.read_text())
    changes = base.pop("auth")
    base.pop("former", None)

    made = composed(base, changes[answer])

    given = authorized(pattern.topology(topology).on(datastore), answer, vocabulary, datastore)
    expected = graph(pattern, given, vocabulary, vocabulary.datastores[datastore]).as_dict()
    assert made == json.loads(json.dumps(expected))
    assert [*made["nodes"]] == [*expected["nodes"]]
    assert Draft202012Validator(SCHEMA).is_valid(made)


@pytest.mark.parametrize(
    "place", [("nodes", "api", "rate_limit"), ("edges", 1, "route"), ("alarms", 0), ("local",)]
)
def test_what_changes_anywhere_is_composed_again(place: tuple[Any, ...]) -> None:
    file = ROOT / "templates/patterns/simple-web-service/graphs/http-api-dynamodb.json"
    base = json.loads(file.read_text())
    changed = deepcopy(base)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = "another"

    assert composed(base, difference(base, changed)) == changed != base
