"""What has not been shown of a datastore is said wherever it is offered."""

import json

import pytest
from command import Cli
from rendering import ROOT, render_project

from sls_patterns_cli import catalog

EXPERIMENTAL = [
    pytest.param(pattern.slug, store, unshown, id=f"{pattern.slug}/{store}")
    for pattern in catalog.patterns()
    for store, unshown in pattern.experimental.items()
]
experimental = pytest.mark.parametrize(("slug", "store", "unshown"), EXPERIMENTAL)


def succeed(cli: Cli, *arguments: str) -> str:
    done = cli(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return " ".join(done.stdout.split())


@experimental
def test_list_and_show_say_it(cli: Cli, slug: str, store: str, unshown: str) -> None:
    listed = json.loads(succeed(cli, "list", "--json"))
    (topologies,) = (each["topologies"] for each in listed if each["slug"] == slug)

    assert f"{store} is experimental. {unshown}" in succeed(cli, "list", slug)
    assert f"{store} is experimental. {unshown}" in succeed(cli, "show", slug)
    assert {each["experimental"][store] for each in topologies} == {unshown}


@experimental
def test_the_picker_and_the_readme_say_it(
    tmp_path_factory: pytest.TempPathFactory, slug: str, store: str, unshown: str
) -> None:
    project = tmp_path_factory.mktemp("experimental") / "project"
    render_project(project, pattern=slug, datastore=store)

    assert unshown in (project / "README.md").read_text()
    labels = json.loads((ROOT / "templates/choices.json").read_text())["datastores"]
    assert f"Experimental: {unshown}" in " ".join(labels[store].split())


def test_what_the_local_stack_cannot_run_is_experimental() -> None:
    stores = catalog.vocabulary().datastores.values()

    assert [each.name for each in stores if not each.local and not each.experimental] == []
