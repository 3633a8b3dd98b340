"""The definitions of state machines that no linter of a project checks keep to the language.

Those with a distributed map have a field that the language leaves to S3.
"""

import json
import re
from pathlib import Path

import pytest
from rendering import render_project
from statelint.linter import Linter

NO_FAULT = {
    # Required: the language leaves a reader's configuration to the service.
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    'Field "InputType" not allowed in State Machine.States.Work.ItemReader.ReaderConfig'
}


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The machine of the map, with something in the place of what the stack fills in."""
    project = render_project(
        tmp_path_factory.mktemp("map") / "project",
        pattern="fan-out-fan-in",
        topology="distributed-map",
    )
    (file,) = project.glob("statemachines/*.asl.json")
    return re.sub(r"\$\{\w+\}", "filled-in", Path(file).read_text())


def faults(definition: str) -> set[str]:
    found: list[str] = Linter.validate(json.loads(definition))
    return set(found)


def test_a_distributed_map_is_of_the_amazon_states_language(definition: str) -> None:
    assert faults(definition) == NO_FAULT


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ('"Next": "Gather"', '"Next": "Gathered"', 'No state found named "Gathered"'),
        ('"MaxAttempts"', '"MaxAttempt"', 'Field "MaxAttempt" not allowed'),
        ('"StartAt": "Plan"', '"StartAt": "Order"', "StartAt value Order not found"),
    ],
)
def test_a_fault_in_a_state_machine_is_found(
    right: str, wrong: str, fault: str, definition: str
) -> None:
    assert right in definition

    found = faults(definition.replace(right, wrong))

    assert any(fault in each for each in found)
