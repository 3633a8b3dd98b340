"""An update refuses no data that senders send to a released API, unless its owner says so."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Cli
from releases import VERSIONS, variants_of
from static.test_project import run_unit_tests
from update.test_released import Made, generated
from variants import parameters

from sls_patterns_cli.cloudformation.document import read

CHECKED = ("--data", "bodies=checked")


def released() -> Iterator[Made]:
    """Every released streamer in SAM: parity compares the flavours."""
    for version in VERSIONS:
        for variant in sorted(variants_of(version), key=str):
            if (variant.pattern, variant.iac) == ("streamer", "sam"):
                yield Made(version, variant)


MADE = list(released())
NEWEST = [made for made in MADE if made.version == MADE[-1].version]
FEW = [MADE[0], NEWEST[0], NEWEST[-1]]


def templates(project: Path) -> dict[str, list[str]]:
    """Return the mapping templates of requests without their comments, by path."""
    definition = read(project / "template.yaml")["Resources"]["Api"]["Properties"]["DefinitionBody"]
    key = "x-amazon-apigateway-integration"
    return {
        path: without_comments(operations["post"][key]["requestTemplates"]["application/json"])
        for path, operations in definition["paths"].items()
        if "post" in operations
    }


def without_comments(template: dict[str, str]) -> list[str]:
    return [line for line in template["Fn::Sub"].splitlines() if not line.startswith("##")]


def validates(project: Path) -> bool:
    return "x-amazon-apigateway-request-validator:" in (project / "template.yaml").read_text()


@pytest.mark.parametrize("made", parameters(MADE, FEW), ids=str)
def test_an_update_takes_what_the_api_took(cli: Cli, coming: Path, made: Made) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    before = templates(project.folder)

    done = project.run("update", "--json", "--source", coming)

    assert json.loads(done.stdout)["answers"]["bodies"] == {
        "from": None,
        "to": "passed",
        "new_projects": "checked",
    }, done.stderr
    assert templates(project.folder) == before
    assert not validates(project.folder)
    checked = project.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("made", parameters(NEWEST, [NEWEST[0], NEWEST[-1]]), ids=str)
def test_its_owner_may_have_the_api_compare_bodies(cli: Cli, coming: Path, made: Made) -> None:
    project = generated(cli, made.version, **made.variant.answers)

    done = project.run("update", "--json", "--source", coming, *CHECKED, "--apply-fixes")

    assert done.returncode in {0, 3}, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [report[each] for each in ("conflicts", "kept", "orphaned", "unfit")] == [[]] * 4
    assert validates(project.folder)
    run_unit_tests(made.variant, project.folder, "tests/unit")
