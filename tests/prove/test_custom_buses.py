"""Where events of custom event buses end when a subscriber cannot deliver them."""

from pathlib import Path
from typing import Any

import pytest
from command import Cli, environment
from proving_stacks import Row, proven

TEMPLATE = Path(__file__).with_name("custom-buses.yaml")

CLICKS = "arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/clicks"
DAY = 86_400

DELIVERING = "throttle", "denied"
FAULTS = "error", "timeout", *DELIVERING


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("prove")
    options = [option for fault in FAULTS for option in ("--fault", fault)]
    found = proven(Cli(folder, environment(folder)), TEMPLATE, *options)
    return [row for row in found if row["mechanism"] == "eventbridge-v2"]


@pytest.mark.parametrize(
    ("edge", "faults", "expected"),
    [
        # AWS does not say how long it waits between 5 attempts.
        pytest.param("Shop=>Orders", DELIVERING, ("ended", "Undelivered", None), id="kept"),
        pytest.param("Shop=>Work", FAULTS, ("ended", "Undelivered", DAY), id="tried-for-a-day"),
        pytest.param("Shop=>Topic", DELIVERING, ("lost", None, None), id="dropped"),
        pytest.param("Shop=>Machine", DELIVERING, ("lost", None, None), id="the-role-may-not-keep"),
        pytest.param(
            "Shop=>Closed", DELIVERING, ("lost", None, None), id="nobody-assumes-the-role"
        ),
        pytest.param(f"Bus=>{CLICKS}", DELIVERING, ("ended", "outside", None), id="outside"),
    ],
)
def test_each_fault_ends_where_the_subscriber_says(
    rows: list[Row], edge: str, faults: tuple[str, ...], expected: tuple[Any, ...]
) -> None:
    seen = {
        row["fault"]: (row["verdict"], row["ended_at"], row["after_seconds"])
        for row in rows
        if row["edge"] == edge
    }

    assert seen == dict.fromkeys(faults, expected)


def test_a_new_subscriber_brings_back_what_ended(rows: list[Row]) -> None:
    assert {(row["verdict"], row["back"]) for row in rows} == {("ended", "replay"), ("lost", None)}
