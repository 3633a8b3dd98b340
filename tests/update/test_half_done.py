"""An update brings express state machines that keep what they leave half done."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from command import Cli
from releases import VERSIONS, variants_of
from static.test_project import run_unit_tests
from update.test_poison import stateful
from update.test_released import Made, updated

from sls_patterns_cli.cloudformation.document import read

DEFINITION = "statemachines/order.asl.json"
OFTEN = {"v0.7.0-state-machine/express-python-sam-dynamodb"}
QUEUE = ("OrderDeadLetterQueue", "AWS::SQS::Queue")


def made_with_express() -> Iterator[ParameterSet]:
    """Each released project; `make test` has one."""
    for version in VERSIONS:
        for variant in sorted(variants_of(version), key=str):
            if (variant.pattern, variant.topology) == ("state-machine", "express"):
                made = Made(version, variant)
                marks = [] if str(made) in OFTEN else [pytest.mark.exhaustive]
                if variant.iac == "sam":
                    yield pytest.param(made, id=str(made), marks=marks)


@pytest.mark.parametrize("made", list(made_with_express()))
def test_a_released_express_machine_keeps_what_it_leaves_half_done(
    cli: Cli, coming: Path, made: Made
) -> None:
    project, report = updated(cli, coming, made)

    states = json.loads(project.read(DEFINITION))["States"]
    resources = read(project.folder / "template.yaml")["Resources"]
    assert states["IsBegun"]["Choices"][0]["Next"] == "Keep"
    assert report["replaced"] == []
    assert QUEUE in stateful(project.folder / "template.yaml")
    assert {"OrderStateMachine", "OrderStateMachineFailedAlarm"} <= resources.keys()
    checked = project.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    run_unit_tests(made.variant, project.folder, "tests/unit")
