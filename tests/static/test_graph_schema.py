"""Templates read the compiled graph, which a closed schema describes, and nothing beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rendering import ROOT
from static.test_decisions_by_text import sources

TEMPLATES = ROOT / "templates"
SCHEMA = json.loads((TEMPLATES / "graph.schema.json").read_text())
GRAPHS = sorted((TEMPLATES / "patterns").glob("*/graphs/*.json"))

READERS = {
    "graph": {*SCHEMA["properties"]},
    "node": {
        name
        for kind in SCHEMA["properties"]["nodes"]["additionalProperties"]["oneOf"]
        for name in kind["properties"]
    },
    "edge": {*SCHEMA["properties"]["edges"]["items"]["properties"]},
    "alarm": {*SCHEMA["properties"]["alarms"]["items"]["properties"]},
    "threshold": {*SCHEMA["properties"]["thresholds"]["items"]["properties"]},
    "grant": {
        *SCHEMA["properties"]["edges"]["items"]["properties"]["grants"]["items"]["properties"]
    },
    "variable": {
        *SCHEMA["properties"]["edges"]["items"]["properties"]["variables"]["items"]["properties"]
    },
    "output": {*SCHEMA["properties"]["outputs"]["items"]["properties"]},
}
"""What may be read of the variables that templates give these names."""
READERS["source"] = READERS["target"] = READERS["consumer"] = READERS["api"] = READERS["node"]
# What nodes are called where the template is about a kind.
OF_DICTIONARIES = {"items", "values", "keys", "get"}


def undeclared(source: str) -> Iterator[str]:
    """Yield what a template reads that the schema does not have, as `edge.colour`."""
    tree = jinja2.Environment().parse(source)  # noqa: S701 - it is only parsed
    for read in tree.find_all(nodes.Getattr):
        name = read.node.name if isinstance(read.node, nodes.Name) else None
        if name in READERS and read.attr not in READERS[name] | OF_DICTIONARIES:
            yield f"{name}.{read.attr}"
    declared = set().union(*READERS.values())
    for used in tree.find_all(nodes.Filter):
        if used.name in {"selectattr", "rejectattr"} and used.args:
            attribute = used.args[0]
            if (
                isinstance(attribute, nodes.Const)
                and isinstance(used.node, nodes.Name)
                and used.node.name in {"nodes", "edges"}
                and attribute.value not in declared
            ):
                yield f"{used.node.name} | {attribute.value}"


@pytest.mark.parametrize("file", GRAPHS, ids=lambda file: f"{file.parents[1].name}-{file.stem}")
def test_a_compiled_graph_keeps_the_schema(file: Path) -> None:
    errors = Draft202012Validator(SCHEMA).iter_errors(json.loads(file.read_text()))

    assert [f"{'/'.join(map(str, each.path))}: {each.message[:200]}" for each in errors] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("edges", 0, "colour"), "red"),
        (("edges", 0, "variables"), [{"name": "ORDERS_TABLE_NAME"}]),
        (("edges", 0, "grants"), [{"grantee": "OrdersFunction"}]),
        (("alarms", 0, "colour"), "red"),
        (("outputs", 0, "value", "attribute"), "colour"),
        (("nodes", "api", "colour"), "red"),
        (("nodes", "api", "rate_limit"), "many"),
        (("reserved_concurrency",), None),
    ],
)
def test_the_schema_is_closed(path: tuple[Any, ...], value: Any) -> None:
    graph = json.loads(
        (TEMPLATES / "patterns/robust-api/graphs/http-api-dynamodb.json").read_text()
    )
    inner = graph
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    assert not Draft202012Validator(SCHEMA).is_valid(graph)


def test_templates_read_nothing_else() -> None:
    found = {
        f"{place}: {read}" for place, source in sources(TEMPLATES) for read in undeclared(source)
    }

    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "{{ graph.colour }}",
        "{% for edge in edges if edge.colour %}x{% endfor %}",
        "{{ nodes | selectattr('colour', 'defined') | list }}",
    ],
)
def test_a_template_that_reads_something_else_is_found(source: str) -> None:
    assert [*undeclared(source)] != []
