"""Every graph under test becomes infrastructure that lints and keeps the failure-edge contract."""

from pathlib import Path

import policies
import pytest
from contract.check import asynchronous_edges, violations
from contract.graph import differences
from contract.stack import load
from environments import fork, link_modules, npm
from graphs.overlay import Graph, graphs
from synthesis import SYNTHESISED_ONCE, template_files
from tools import BIN, run, tool

pytestmark = SYNTHESISED_ONCE

ALL = list(graphs())


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("graphs")
    return {str(graph): graph.render(folder / str(graph).replace("/", "-")) for graph in ALL}


def templates(projects: dict[str, Path], *flavours: str) -> list[Path]:
    chosen = [projects[str(graph)] for graph in ALL if graph.variant.iac in flavours]
    return list(template_files(chosen).values())


def test_cfn_lint_finds_nothing(projects: dict[str, Path], tmp_path: Path) -> None:
    run([BIN / "cfn-lint", "--", *templates(projects, "sam")], tmp_path)
    # CDK writes down dependencies that there are anyway.
    run([BIN / "cfn-lint", "--ignore-checks", "W3005", "--", *templates(projects, "cdk")], tmp_path)


def test_checkov_finds_nothing_that_has_no_reason(
    projects: dict[str, Path], tmp_path: Path
) -> None:
    of_project = {
        template.resolve(): folder for folder, template in template_files(projects.values()).items()
    }
    files = [word for template in of_project for word in ("--file", str(template))]
    settings = ("--soft-fail", "--config-file", policies.CONFIG, "--output", "json")

    printed = run([tool("SLS_CHECKOV"), *settings, *files], tmp_path)

    assert list(policies.unexplained(printed, of_project)) == []


def test_long_names_of_nodes_make_stacks_that_the_formatter_leaves_as_they_are(
    projects: dict[str, Path], tmp_path: Path
) -> None:
    cdk = [graph for graph in ALL if graph.variant.iac == "cdk"]
    in_python = [projects[str(graph)] for graph in cdk if graph.variant.runtime == "python"]
    stacks = [
        folder
        for project in in_python
        for folder in (project / "infrastructure", project / "tests/infrastructure")
    ]

    run([BIN / "ruff", "check", "--no-cache", *stacks], tmp_path)
    run([BIN / "ruff", "format", "--no-cache", "--check", *stacks], tmp_path)


@pytest.mark.parametrize("graph", ALL, ids=str)
def test_the_graph_keeps_the_contract(graph: Graph, projects: dict[str, Path]) -> None:
    assert list(map(str, violations(load(projects[str(graph)])))) == []


@pytest.mark.parametrize("graph", ALL, ids=str)
def test_the_asynchronous_edges_of_the_template_are_those_of_the_graph(
    graph: Graph, projects: dict[str, Path]
) -> None:
    found = asynchronous_edges(load(projects[str(graph)]))

    assert differences(found, graph.topology) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("graph", [g for g in ALL if g.variant.iac == "cdk"], ids=str)
def test_the_stacks_own_tests_pass_cdk_nag_among_them(
    graph: Graph, projects: dict[str, Path]
) -> None:
    project = projects[str(graph)]

    if graph.variant.runtime == "typescript":
        link_modules(project)
        command, variables = npm("exec", "--", "vitest", "run", "--project", "infrastructure")
        printed = run(command, project, **variables)
    else:
        printed = fork(project, "tests", "tests/infrastructure")

    assert " passed" in printed
