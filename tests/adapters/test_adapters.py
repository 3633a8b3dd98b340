"""Adapters that users have no reason to change do what they say, in every project that has them."""

from pathlib import Path

import pytest
from adapters.kept_here import add_tests
from rendering import render_project
from static.test_project import (
    CHECKED_BY_ONE,
    check_style,
    check_types,
    check_typescript,
    run_unit_tests,
)
from variants import Variant, all_variants, few_of, is_retired, parameters, topology_of


def consumers_of(variant: Variant) -> set[tuple[str, ...]]:
    """Return how its functions get messages from queues: what these adapters follow from."""
    topology = topology_of(variant).on(variant.datastore)
    nodes = {node.name: node for node in topology.nodes}
    return {
        (
            variant.runtime,
            variant.datastore,
            str(nodes[edge.source].attributes.get("fifo")),
            str(edge.attributes.get("by")),
        )
        for edge in topology.edges
        if (nodes[edge.source].kind, nodes[edge.target].kind) == ("queue", "function")
    }


CONSUMERS = [
    each
    for each in all_variants()
    if each.iac == "sam" and not is_retired(each) and consumers_of(each)
]
FEW = few_of(CONSUMERS, consumers_of)


@pytest.mark.of_all_patterns
@pytest.mark.parametrize("variant", parameters(CONSUMERS, FEW))
def test_the_unit_tests_of_adapters_pass(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)

    added = add_tests(variant, project)

    assert added
    run_unit_tests(variant, project, *added)


@CHECKED_BY_ONE
@pytest.mark.of_all_patterns
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_they_are_as_clean_as_those_of_projects(runtime: str, tmp_path: Path) -> None:
    projects = []
    for variant in sorted(FEW, key=str):
        if variant.runtime == runtime:
            project = render_project(tmp_path / str(variant), **variant.answers)
            add_tests(variant, project)
            projects.append(project)

    assert projects
    if runtime == "typescript":
        check_typescript(projects)
    else:
        check_style(runtime, tmp_path, projects)
        check_types(projects)
