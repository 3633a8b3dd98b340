"""Ends in another stack: said to be there, and never taken for a loss."""

from pathlib import Path

import pytest
from command import Cli, environment
from proving_stacks import Row, proven

TEMPLATE = Path(__file__).with_name("outside.yaml")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("prove")
    return proven(Cli(folder, environment(folder)), TEMPLATE)


@pytest.mark.parametrize(
    ("edge", "mechanism", "seconds"),
    [
        ("Imported=>Work", "sqs", 180),
        ("Ordered=>Work", "sqs", 60),
        ("Clicks=>Work", "stream", None),
        ("BusName=>Work", "eventbridge", 0),
        ("BusName=>Work", "lambda-async", 180),
        ("Topic=>Other", "sns", 0),
    ],
)
def test_what_another_stack_keeps_has_ended_outside(
    rows: list[Row], edge: str, mechanism: str, seconds: int | None
) -> None:
    (row,) = (row for row in rows if (row["edge"], row["mechanism"]) == (edge, mechanism))

    assert (row["verdict"], row["ended_at"]) == ("ended", "outside")
    assert row["after_seconds"] == seconds
    assert (row["alarmed"], row["back"]) == ("unknown", None)


@pytest.mark.parametrize(
    ("edge", "mechanism"),
    [
        pytest.param("Opaque=>Work", "sqs", id="a-policy-that-is-a-parameter"),
        pytest.param("Topic=>Other", "lambda-async", id="what-a-nested-stack-returns"),
    ],
)
def test_an_end_that_nobody_here_knows_has_no_verdict(
    rows: list[Row], edge: str, mechanism: str
) -> None:
    (row,) = (row for row in rows if (row["edge"], row["mechanism"]) == (edge, mechanism))

    assert (row["verdict"], row["ended_at"]) == ("not-emulated", None)
