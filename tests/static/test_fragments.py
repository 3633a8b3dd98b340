"""What is of one kind of node is in the folder of that kind, in each flavour."""

import json
import re
from itertools import chain
from pathlib import Path

import pytest
from rendering import ROOT

from sls_patterns_cli import catalog

IAC = ROOT / "templates/iac"
FLAVOURS = {"sam": IAC / "sam", "python": IAC / "cdk/python", "typescript": IAC / "cdk/typescript"}
KINDS = ROOT / "src/sls_patterns_cli/catalog/compiler/kinds"
GRAPHS = sorted((ROOT / "templates/patterns").glob("*/graphs/*.json"))
STACKS = sorted(IAC.glob("cdk/*/*stack.*.jinja"))


def kinds() -> set[str]:
    """Return what a node can be: a kind that is deployed or, of a datastore, what was answered."""
    vocabulary = catalog.vocabulary()
    # What a kind or datastore always is has the folder.
    of_kinds = {kind.resource or name for name, kind in vocabulary.nodes.items()}
    of_datastores = {each.resource or name for name, each in vocabulary.datastores.items()}
    return (of_kinds | of_datastores) - {"client", "datastore", "none"}


def attributes() -> set[str]:
    """Return the attributes of all kinds, but for what people, the compiled graph or the definition
    of a state machine read."""
    vocabulary = catalog.vocabulary()
    of_nodes = [kind.attributes for kind in vocabulary.nodes.values()]
    of_edges = [kind.attributes for kind in vocabulary.edges.values()]
    return set(chain.from_iterable(of_nodes + of_edges)) - {
        "allowed",
        "adapter",
        "days",
        "former_seconds",
        "at_a_time",
        "most_bytes",
        "most_items",
        "seconds",
        "tolerated_percentage",
    }


def named(template: str) -> set[str]:
    """Return all texts in the tags of a template."""
    tags = re.findall(r"\{[%{].*?[%}]\}", template, re.DOTALL)
    return set(chain.from_iterable(re.findall(r"'([^']*)'", tag) for tag in tags))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_flavour_has_a_folder_for_each_kind_and_no_other(flavour: str) -> None:
    assert {folder.name for folder in (FLAVOURS[flavour] / "nodes").iterdir()} == kinds()


@pytest.mark.parametrize("stack", STACKS, ids=lambda file: file.name)
def test_the_files_of_a_whole_stack_name_no_kind_failure_or_datastore(stack: Path) -> None:
    vocabulary = catalog.vocabulary()

    found = named(stack.read_text())

    assert found & {*kinds(), "client", "datastore", *vocabulary.failures} == set()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_flavour_reads_every_attribute_that_a_graph_has(flavour: str) -> None:
    text = "".join(file.read_text() for file in (FLAVOURS[flavour] / "nodes").rglob("*.jinja"))

    read = set(re.findall(r"\b(?:node|edge|source|route)\.(\w+)", text))
    # Of some, only alarms follow.
    compiled = "".join(file.read_text() for file in KINDS.glob("*.py"))
    read |= set(re.findall(r'(?:get\(|\[)"(\w+)"', compiled))

    assert attributes() - read == set()


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda file: f"{file.parents[1].name}-{file.stem}")
def test_unit_tests_know_a_node_by_a_variable_that_the_stack_sets(graph: Path) -> None:
    stack = json.loads(graph.read_text())

    given = {variable["name"] for edge in stack["edges"] for variable in edge["variables"]}

    assert stack["variables"].keys() - given == set()


def test_a_name_in_a_tag_is_found() -> None:
    template = "{% if node.kind == 'queue' %}a 'topic'{{ 'E2' if x }}{% endif %}"

    assert named(template) == {"queue", "E2"}
