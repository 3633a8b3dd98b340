"""Answers that replace deployed resources are named, and refused without agreement."""

import pytest
from command import Cli
from update.projects import Owned, make
from update.publication import Publication

ALL = ["EventsTable", "DeliveriesQueue", "ProcessFunction"]


@pytest.mark.parametrize(
    ("answer", "named", "kept"),
    [
        ("datastore=aurora-postgresql", ["EventsTable"], ["DeliveriesQueue", "ProcessFunction"]),
        pytest.param("iac=cdk", ALL, [], marks=pytest.mark.exhaustive),
        pytest.param("project_name=other", ALL, [], marks=pytest.mark.exhaustive),
    ],
)
def test_an_answer_that_replaces_resources_is_refused_with_their_ids(
    project: Owned, answer: str, named: list[str], kept: list[str]
) -> None:
    line = project.refused("--to", "v0.1.0", "--data", answer)

    assert "the next deployment would replace or leave behind" in line
    assert line.endswith("their data does not move; to go on, add --replace")
    ids = line.partition("resources: ")[2].partition(";")[0].split(", ")
    assert {*named} <= {*ids}
    assert not {*kept} & {*ids}


@pytest.mark.exhaustive
def test_with_agreement_it_is_made_and_reported(project: Owned) -> None:
    arguments = ("--to", "v0.1.0", "--data", "iac=cdk")
    foreseen = project.update(*arguments, "--dry-run")

    assert {"id": "EventsTable", "type": "AWS::DynamoDB::Table"} in foreseen["replaced"]
    assert project.update(*arguments, "--replace") == foreseen
    assert project.exists("cdk.json")


@pytest.mark.exhaustive
def test_from_cdk_the_same_resources_are_named(publication: Publication, cli: Cli) -> None:
    project = make(publication, cli.folder / "project", cli, iac="cdk")

    line = project.refused("--to", "v0.1.0", "--data", "iac=sam")

    assert "EventsTable" in line


@pytest.mark.exhaustive
def test_an_answer_that_replaces_nothing_needs_no_agreement(project: Owned) -> None:
    report = project.update("--to", "v0.1.0", "--data", "runtime_version=python3.12")

    assert report["replaced"] == []
