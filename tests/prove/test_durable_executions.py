"""Where the event of a durable execution ends that fails for good, and how it comes back."""

from pathlib import Path
from typing import Any

import pytest
from command import Cli, environment
from proving_stacks import Row, proven

TEMPLATE = Path(__file__).with_name("durable-executions.yaml")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("prove")
    options = ("--fault", "error", "--fault", "timeout", "--fault", "throttle")
    found = proven(Cli(folder, environment(folder)), TEMPLATE, *options)
    return [row for row in found if row["mechanism"] == "lambda-async"]


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        pytest.param("Placed=>Kept", ("ended", "Dead", True), id="dead-letter-queue"),
        pytest.param("Placed=>Dropped", ("lost", None, False), id="destination"),
    ],
)
def test_it_ends_in_the_dead_letter_queue_and_in_no_destination(
    rows: list[Row], edge: str, expected: tuple[Any, ...]
) -> None:
    """A throttled start is no fault here: AWS does not document how long it tries."""
    seen = {
        row["fault"]: (row["verdict"], row["ended_at"], row["alarmed"])
        for row in rows
        if row["edge"] == edge
    }

    assert seen == dict.fromkeys(("error", "timeout"), expected)


def test_another_execution_brings_back_what_ended(rows: list[Row]) -> None:
    back = {(row["verdict"], row["back"]) for row in rows}

    assert back == {("ended", "events of a function"), ("lost", None)}
