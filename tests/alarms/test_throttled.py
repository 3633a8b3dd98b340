"""Who is told while the datastore of a consumer throttles: in every graph with a queue or a stream.

DynamoDB refuses a call with `ThrottlingException`, and counts events, on which no alarm is
(tests/alarms/test_behind.py). The SDK tries a call three times:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
Then the message fails. A handler that names it as failed is no error for Lambda; one that raises
is. SQS hands the message out again once it is visible, and moves it to the dead-letter queue after
`maxReceiveCount` receives:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
Of a stream Lambda retries what begins with the record that has failed, and counts as `IteratorAge`
how long the last record of an invocation has been in the stream, also of one that fails:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from zlib import crc32

import pytest
from alarms.compiled import GRAPHS, Graph, Told, metric_of, of_another, told, with_other
from alarms.queues import BEFORE, IN_FIVE, Fails, Scenario, steady
from alarms.test_queues import DISTINCT, QUEUES, Consumed, reported

from sls_patterns_cli.alarms.series import Series, Values

ATTEMPTS = 3
AFTERWARDS = 30
"""For so many minutes after the datastore takes all calls again."""
SOME, ALL = 50, 100
"""Which share of the calls is throttled, in percent."""


def throttled(percent: int, minutes: int) -> Fails:
    """For so long a message fails if all attempts of its call are throttled."""

    def fails(number: int, second: float) -> bool:
        is_now = 60 * BEFORE <= second < 60 * (BEFORE + minutes)
        return is_now and all(
            crc32(f"{number} {second:.0f} {attempt}".encode()) % 100 < percent
            for attempt in range(ATTEMPTS)
        )

    return fails


@cache
def scenario(percent: int, minutes: int, rate: int = 9, *, crash: bool = False) -> Scenario:
    goes_on = minutes + AFTERWARDS
    return Scenario(
        f"{percent} percent of the calls for {minutes} minutes",
        steady(rate, BEFORE + goes_on),
        throttled(percent, minutes),
        crash=crash,
        goes_on=goes_on,
    )


LETTERS_COME = range(66, 76)
"""When what came at the beginning of an outage is a letter."""

Wanted = Mapping[str, tuple[str, range]]
"""By what an alarm is named for: its tier, and the minutes in which it tells once."""

NOBODY: Wanted = {}
OUTAGE: Wanted = {"Age": ("page", IN_FIVE)}
WITH_LETTERS: Wanted = {**OUTAGE, "DeadLetters": ("page", LETTERS_COME)}
ERRORS: Wanted = {"FunctionErrors": ("ticket", range(3, 20))}

OF_QUEUES: list[tuple[Scenario, Wanted]] = [
    (Scenario("nobody sends", []), NOBODY),
    (scenario(SOME, 4), NOBODY),
    (scenario(SOME, 120), NOBODY),
    (scenario(ALL, 3), NOBODY),
    (scenario(ALL, 4), OUTAGE),
    (scenario(ALL, 120), WITH_LETTERS),
    (scenario(SOME, 120, 20, crash=True), ERRORS),
    (scenario(ALL, 4, crash=True), OUTAGE),
    (scenario(ALL, 120, crash=True), WITH_LETTERS),
]
"""Letters tell of a second outcome: what is one is not processed when the datastore is back."""


def complaint(found: list[Told], wanted: Wanted) -> str:
    """Return what is wrong with whom is told: "" if nothing."""
    in_time = [
        each
        for each in found
        for name, (tier, minutes) in wanted.items()
        if name in each.alarm and each.tier == tier and each.minute - BEFORE in minutes
    ]
    if found == in_time and len(found) == len(wanted):
        return ""
    return f"told: {found}, and not {dict(wanted)}"


def of_queue(of: Consumed, scenario: Scenario, wanted: Wanted) -> str:
    """The same of the consumer of a queue; messages with an order are tried for a day."""
    if of.ordered:
        wanted = {name: each for name, each in wanted.items() if name != "DeadLetters"}
    return complaint(told(of.graph, reported(of, scenario), scenario.minutes), wanted)


@pytest.mark.parametrize(
    ("scenario", "wanted"),
    OF_QUEUES,
    ids=lambda each: each.name + " raises" * each.crash if isinstance(each, Scenario) else "",
)
def test_the_consumer_of_a_queue_pages_if_all_calls_are_throttled_and_by_its_letters(
    scenario: Scenario, wanted: Wanted
) -> None:
    assert [wrong for each in DISTINCT if (wrong := of_queue(each, scenario, wanted))] == []


BATCH = 100
RETRY_SECONDS = 5.0


@cache
def of_stream(percent: int, minutes: int, *, crash: bool = False) -> dict[str, Series]:
    """Return what Lambda counts of a function that reads a shard, at nine records a minute."""
    fails, goes_on = throttled(percent, minutes), minutes + AFTERWARDS
    arrivals = steady(9, BEFORE + goes_on)
    ages, errors = [], []
    first, batch, now = 0, 0, 0.0
    while first < len(arrivals):
        now = max(now, arrivals[first])
        # What a batch has is kept until all of it is processed.
        batch = batch or sum(each <= now for each in arrivals[first : first + BATCH])
        end = first + batch
        failed = next((each for each in range(first, end) if fails(each, now)), None)
        ages.append(Values(now, 1000 * (now - arrivals[end - 1])))
        errors.append(Values(now, float(crash and failed is not None)))
        first = end if failed is None else failed
        batch = end - first
        now += 1 if failed is None else RETRY_SECONDS
    return {"IteratorAge": Series(ages), "Errors": Series(errors)}


STREAMS = [
    name
    for name, graph in GRAPHS.items()
    if any("IteratorAge" in alarm["id"] for alarm in graph["alarms"])
]
OLD: Wanted = {"IteratorAge": ("page", range(30, 33))}
OF_STREAMS: list[tuple[dict[str, Series], Wanted]] = [
    (of_stream(SOME, 4), NOBODY),
    (of_stream(SOME, 120), NOBODY),
    (of_stream(ALL, 4), NOBODY),
    (of_stream(ALL, 28), NOBODY),
    (of_stream(ALL, 120), OLD),
    (of_stream(SOME, 4, crash=True), NOBODY),
    (of_stream(ALL, 120, crash=True), OLD),
]
"""Nothing is lost for six hours, also if the handler raises."""


def of_reader(
    name: str, emitted: Mapping[str, Series], wanted: Wanted, graph: Graph | None = None
) -> str:
    """The same of the reader of a stream, if the graph with this name has these alarms instead."""
    metrics = [each for alarm in GRAPHS[name]["alarms"] for each in alarm["metrics"].values()]
    (reader,) = (str(each["dimensions"]) for each in metrics if each["name"] == "IteratorAge")
    counted = {
        metric_of(each): emitted[each["name"]]
        for each in metrics
        if each["name"] in emitted and str(each["dimensions"]) == reader
    }
    found = told(graph or GRAPHS[name], counted, BEFORE + 120 + AFTERWARDS)
    return complaint(found, wanted)


@pytest.mark.parametrize("name", STREAMS)
def test_the_reader_of_a_stream_pages_once_its_records_are_old(name: str) -> None:
    assert [wrong for each in OF_STREAMS if (wrong := of_reader(name, *each))] == []


AGE, LETTERS, RECORDS = "UsageQueueAgeAlarm", "DeadLettersAlarm", "PublishFunctionIteratorAgeAlarm"
STUCK = "IF(deleted == 0 AND waiting + hidden >= {}, 345600, age)"
OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    (AGE, {"threshold": 345_600}),
    (AGE, {"period": 300}),
    (AGE, {"periods": 3}),
    (AGE, {"periods": 5}),
    (AGE, {"needed": 2}),
    (AGE, {"missing": "breaching"}),
    (AGE, {"below": True}),
    (AGE, {"tier": "ticket"}),
    (AGE, {"terms": ["age"]}),
    (AGE, {"terms": ["IF(waiting + hidden >= 3, 345600, age)"]}),
    (AGE, {"terms": [STUCK.format(40)]}),
    (LETTERS, {"threshold": 1}),
    (LETTERS, {"below": True}),
    (LETTERS, {"tier": "ticket"}),
    (LETTERS, {"needed": 15}),
    ("FunctionErrorsAlarm", {"terms": ["m1"]}),
    ("FunctionErrorsAlarm", {"tier": "page"}),
    (RECORDS, {"threshold": 60_000}),
    (RECORDS, {"threshold": 1_800_000}),
    (RECORDS, {"period": 300}),
    (RECORDS, {"periods": 5}),
    (RECORDS, {"periods": 30}),
    (RECORDS, {"needed": 5}),
    (RECORDS, {"missing": "breaching"}),
    (RECORDS, {"below": True}),
    (RECORDS, {"tier": "ticket"}),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("alarm", "instead"), OTHERWISE, ids=str)
def test_an_alarm_with_another_number_is_noticed(alarm: str, instead: dict[str, Any]) -> None:
    assert is_noticed(alarm, lambda _: instead)


@pytest.mark.parametrize("alarm", [AGE, LETTERS, RECORDS])
def test_an_alarm_on_something_else_is_noticed(alarm: str) -> None:
    assert is_noticed(alarm, of_another)


def is_noticed(alarm: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    if alarm == RECORDS:
        name = "eventually-consistent/outbox-none"
        reading = with_other(GRAPHS[name], alarm, instead)
        return any(of_reader(name, *each, reading) for each in OF_STREAMS)
    of = QUEUES["frugal-consumer/standard-dynamodb UsageQueue"]
    metrics = [reported(of, scenario) for scenario, _ in OF_QUEUES]
    other = with_other(of.graph, alarm, instead)
    return any(
        complaint(told(other, emitted, scenario.minutes), wanted)
        for emitted, (scenario, wanted) in zip(metrics, OF_QUEUES, strict=True)
    )
