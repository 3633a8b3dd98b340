"""A retired topology is of projects that have it: it is named, with the way over, not offered."""

import json

import pytest
from command import Cli
from update.projects import Owned

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Topology

RETIRED = [
    pytest.param(pattern.slug, topology, id=f"{pattern.slug}/{topology.name}")
    for pattern in catalog.patterns()
    for topology in pattern.topologies
    if topology.retired
]
retired = pytest.mark.parametrize(("slug", "topology"), RETIRED)


def succeed(cli: Cli, *arguments: str) -> str:
    done = cli(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return " ".join(done.stdout.split())


@retired
def test_list_and_show_name_it_with_the_way_over(cli: Cli, slug: str, topology: Topology) -> None:
    listed = json.loads(succeed(cli, "list", "--json"))
    (offered,) = (each["topologies"] for each in listed if each["slug"] == slug)
    assert f"{topology.name} is retired. {topology.retired}" in succeed(cli, "list", slug)
    assert f"{topology.name} Retired. {topology.retired}" in succeed(cli, "show", slug)
    shown = succeed(cli, "show", slug, "--topology", topology.name)
    assert f"{topology.summary} Retired. {topology.retired}" in shown
    assert [each.get("retired") for each in offered if each["name"] == topology.name] == [
        topology.retired
    ]


@retired
def test_new_projects_are_not_offered_it(cli: Cli, slug: str, topology: Topology) -> None:
    done = cli("new", slug, "project", "--topology", "nothing")

    offered = ", ".join(each.name for each in catalog.pattern(slug).offered)
    assert done.stderr.endswith(f"'nothing' is not offered; choose from: {offered}\n")
    assert topology.name not in offered.split(", ")


@retired
def test_who_names_it_gets_it_and_is_told(cli: Cli, slug: str, topology: Topology) -> None:
    told = succeed(cli, "new", slug, "project", "--defaults", "--topology", topology.name)

    assert f"The topology {topology.name} is retired. {topology.retired}" in told
    readme = (cli.folder / "project/README.md").read_text()
    assert f"**Retired.** {topology.retired}" in readme


@retired
def test_a_project_that_has_it_keeps_it(cli: Cli, slug: str, topology: Topology) -> None:
    succeed(cli, "new", slug, "shop", "--defaults", "--topology", topology.name)
    made = Owned(cli.folder / "shop", cli)

    report = made.update("--data", "dashboard=true")

    assert report["conflicts"] == report["removed"] == report["replaced"] == []
    assert f"topology: {topology.name}\n" in made.read(".copier-answers.yml")
