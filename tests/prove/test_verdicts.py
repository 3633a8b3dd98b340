"""Where events of each mechanism end when their consumer fails, as `prove` sees it."""

from pathlib import Path
from typing import Any

import pytest
from command import Cli, environment
from proving_stacks import Row, proven

TEMPLATE = Path(__file__).with_name("edges.yaml")

CRM = "arn:aws:events:${AWS::Region}:${AWS::AccountId}:api-destination/crm/1"
PARTNER = "https://example.com/notified"

ENDED: list[tuple[str, str, str, float | None]] = [
    ("Orders=>Partial", "sqs", "Dead", 600),
    ("Strict=>Whole", "sqs", "StrictDead", 60),
    ("Table=>Read", "stream", "Dead", None),
    ("Jobs=>Whole", "pipe", "Dead", 90),
    ("Clicks=>Inbox", "pipe", "Dead", None),
    ("Topic=>Inbox", "sns", "Unwatched", 0),
    (f"Topic=>{PARTNER}", "sns", "Returned", 0),
    ("Topic=>Lake", "sns", "Refused", 0),
    ("Topic=>Kept", "lambda-async", "Unwatched", 60),
    ("Table=>Kept", "lambda-async", "Unwatched", 60),
    ("Uploads=>Kept", "lambda-async", "Unwatched", 60),
    ("Logs=>Kept", "lambda-async", "Unwatched", 60),
    ("default=>Dropped", "eventbridge", "Unwatched", 0),
    ("DroppedDaily=>Dropped", "scheduler", "Dead", 0),
    ("Start=>Fulfil", "step-functions", "Unwatched", 0),
    # What only tells of a failed execution may be lost: the execution stays.
    ("default=>Unwatched", "eventbridge", "Fulfil", 0),
]

LOST = [
    ("Topic=>Kept", "sns"),
    ("default=>Inbox", "eventbridge"),
    ("default=>Dropped", "lambda-async"),
    ("DroppedNightly=>Dropped", "eventbridge"),
    ("DroppedNightly=>Dropped", "lambda-async"),
    ("DroppedDaily=>Dropped", "lambda-async"),
    ("Table=>Kept", "pipe"),
]

FOR_EVER = [("Endless=>Whole", "sqs"), ("Clicks=>Read", "stream"), (f"Clicks=>{CRM}", "pipe")]


def rows_of(tmp_path_factory: pytest.TempPathFactory, *options: str) -> list[Row]:
    folder = tmp_path_factory.mktemp("prove")
    return proven(Cli(folder, environment(folder)), TEMPLATE, *options)


# One worker proves them; others would wait for it.
USUAL, POISONED = pytest.mark.xdist_group("usual edges"), pytest.mark.xdist_group("poisoned edges")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return rows_of(tmp_path_factory)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return rows_of(tmp_path_factory, "--fault", "poison", "--fault", "throttle")


def row_of(rows: list[Row], edge: str, mechanism: str, fault: str | None = None) -> Row:
    (found,) = (
        row
        for row in rows
        if (row["edge"], row["mechanism"]) == (edge, mechanism)
        and (fault is None or row["fault"] == fault)
    )
    return found


@USUAL
@pytest.mark.parametrize(("edge", "mechanism", "end", "seconds"), ENDED)
def test_what_fails_ends_where_it_is_configured_to_after_what_aws_takes(
    usual: list[Row], edge: str, mechanism: str, end: str, seconds: float | None
) -> None:
    row = row_of(usual, edge, mechanism)

    assert (row["verdict"], row["ended_at"]) == ("ended", end)
    assert row["after_seconds"] == seconds
    assert row["alarmed"] is (end == "Dead")


@USUAL
@pytest.mark.parametrize(
    ("edge", "mechanism", "kind"),
    [
        ("Orders=>Partial", "sqs", "messages"),
        ("Strict=>Whole", "sqs", "messages"),
        ("Table=>Read", "stream", "batches of a stream"),
        ("Jobs=>Whole", "pipe", "messages"),
        ("Clicks=>Inbox", "pipe", "batches of a pipe"),
        ("Topic=>Inbox", "sns", "notifications for a queue"),
        ("Topic=>Lake", "sns", "notifications for Firehose"),
        # Nobody but SNS can sign what an endpoint gets.
        (f"Topic=>{PARTNER}", "sns", None),
        ("Uploads=>Kept", "lambda-async", "invocation records"),
        ("default=>Dropped", "eventbridge", "events of a rule"),
        ("DroppedDaily=>Dropped", "scheduler", "runs of a schedule"),
        ("Start=>Fulfil", "step-functions", "executions"),
        # Only the notice of a failed execution could not be delivered.
        ("default=>Unwatched", "eventbridge", None),
    ],
)
def test_letters_bring_back_what_has_ended(
    usual: list[Row], edge: str, mechanism: str, kind: str | None
) -> None:
    assert row_of(usual, edge, mechanism)["back"] == kind


@USUAL
@pytest.mark.parametrize(("edge", "mechanism"), LOST)
def test_what_no_end_is_configured_for_is_lost(usual: list[Row], edge: str, mechanism: str) -> None:
    row = row_of(usual, edge, mechanism)

    assert (row["verdict"], row["ended_at"], row["alarmed"]) == ("lost", None, False)


@USUAL
@pytest.mark.parametrize(("edge", "mechanism"), FOR_EVER)
def test_what_nothing_ends_is_tried_again_for_ever(
    usual: list[Row], edge: str, mechanism: str
) -> None:
    assert row_of(usual, edge, mechanism)["verdict"] == "for-ever"


@USUAL
def test_every_edge_has_a_row_and_what_is_not_emulated_says_so(usual: list[Row]) -> None:
    others = [
        ("Logs=>Kept", "logs"),
        ("Lake=>https://example.com/records", "firehose"),
    ]
    named = [(row["edge"], row["mechanism"]) for row in usual]

    expected = [(edge, mechanism) for edge, mechanism, *_ in ENDED]
    assert sorted(named) == sorted([*expected, *LOST, *FOR_EVER, *others])
    assert {row_of(usual, *other)["verdict"] for other in others} == {"not-emulated"}


@POISONED
@pytest.mark.parametrize(
    ("edge", "mechanism", "verdict", "along"),
    [
        pytest.param("Orders=>Partial", "sqs", "ended", 0, id="partial-failures-are-reported"),
        pytest.param("Strict=>Whole", "sqs", "ended", 9, id="a-batch-fails-as-a-whole"),
        pytest.param("Table=>Read", "stream", "ended", 9, id="a-batch-of-a-shard-is-given-up"),
        pytest.param("Clicks=>Read", "stream", "for-ever", 9, id="a-shard-is-blocked"),
        pytest.param("Endless=>Whole", "sqs", "for-ever", 9, id="a-batch-comes-again"),
        pytest.param("Jobs=>Whole", "pipe", "ended", 9, id="a-batch-of-a-pipe-fails-as-a-whole"),
    ],
)
def test_one_poison_takes_good_messages_along(
    poisoned: list[Row], edge: str, mechanism: str, verdict: str, along: int
) -> None:
    row = row_of(poisoned, edge, mechanism, "poison")

    assert (row["verdict"], row["taken_along"]) == (verdict, along)


@POISONED
def test_a_throttled_event_is_given_up_after_six_hours(poisoned: list[Row]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""
    row = row_of(poisoned, "Topic=>Kept", "lambda-async", "throttle")

    assert (row["verdict"], row["after_seconds"]) == ("ended", 21600)


@POISONED
@pytest.mark.parametrize(
    ("edge", "mechanism", "end", "seconds"),
    [
        pytest.param("Topic=>Inbox", "sns", "Unwatched", 2_000_070, id="for-23-days"),
        pytest.param(f"Topic=>{PARTNER}", "sns", "Returned", 60, id="for-a-minute"),
        pytest.param("Topic=>Lake", "sns", "Refused", 24_444, id="for-six-hours"),
        pytest.param("default=>Dropped", "eventbridge", "Unwatched", 3600, id="as-configured"),
        pytest.param("DroppedNightly=>Dropped", "eventbridge", None, 86400, id="for-a-day"),
        pytest.param("DroppedDaily=>Dropped", "scheduler", "Dead", 86400, id="of-a-schedule"),
    ],
)
def test_a_delivery_to_what_throttles_is_tried_as_long_as_aws_does(
    poisoned: list[Row], edge: str, mechanism: str, end: str | None, seconds: int
) -> None:
    row = row_of(poisoned, edge, mechanism, "throttle")

    assert (row["verdict"], row["ended_at"]) == ("ended" if end else "lost", end)
    assert row["after_seconds"] == seconds


@POISONED
def test_an_edge_that_cannot_fail_in_the_ways_asked_for_is_no_failure(
    poisoned: list[Row],
) -> None:
    row: dict[str, Any] = row_of(poisoned, "Start=>Fulfil", "step-functions")

    assert (row["fault"], row["verdict"]) == (None, "not-emulated")
