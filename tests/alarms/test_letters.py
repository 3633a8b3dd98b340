"""Who is told, and in which minute, of messages in dead-letter queues: in every graph.

SQS reports each minute how many messages wait and are hidden, while a queue holds any or somebody
uses it. Of one that nobody has used for six hours it reports nothing, and then the first values may
come up to 15 minutes late:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import pytest
from alarms.compiled import GRAPHS, Graph, alarms, metric_of, of_another, told, with_other

from sls_patterns_cli.alarms.evaluation import State, changes
from sls_patterns_cli.alarms.series import Metric, Series, Values

MINUTES = 115
LATE = 15 * 60
Depth = tuple[int, int] | None
"""How many messages wait in a queue and are hidden; None: nothing is reported."""


@dataclass(frozen=True)
class Scenario:
    """Minutes with the depths of two queues since then, and the minutes in which a page comes."""

    name: str
    one: Mapping[int, Depth]
    pages: Sequence[int]
    other: Mapping[int, Depth] = field(default_factory=dict)
    late: bool = False
    """Whether the first values come 15 minutes late."""


FROM_THE_START = {0: (1, 0)}
"""Somebody has parked a letter, long ago."""

SCENARIOS = [
    Scenario("no letter", {}, []),
    Scenario("empty queues that somebody uses", {0: (0, 0)}, [], {0: (0, 0)}),
    Scenario("the first letter of a week", {30: (1, 0)}, [31]),
    Scenario("the first letter of a week, late", {30: (1, 0)}, [46], late=True),
    Scenario("the first letter of an hour", {0: (0, 0), 30: (1, 0)}, [31]),
    Scenario("a parked letter", FROM_THE_START, []),
    Scenario("a parked letter, then a new one", {**FROM_THE_START, 30: (2, 0)}, [31]),
    Scenario("a parked letter, then one elsewhere", FROM_THE_START, [31], {30: (1, 0)}),
    Scenario("one now and one later", {30: (1, 0), 90: (2, 0)}, [31, 91]),
    Scenario("one a minute for an hour", {30 + n: (n + 1, 0) for n in range(60)}, [31]),
    Scenario("two ends in one minute", {30: (1, 0)}, [31], {30: (1, 0)}),
    Scenario(
        "one comes while others are redriven",
        {0: (5, 0), 30: (0, 0)},
        [31],
        {0: (0, 0), 30: (1, 0)},
    ),
    Scenario("somebody lists all letters", {0: (5, 0), 30: (0, 5), 31: (5, 0)}, []),
    Scenario("somebody deletes a letter", {0: (5, 0), 30: (4, 0)}, []),
    Scenario("a redrive that fails again", {0: (5, 0), 30: (0, 0), 60: (5, 0)}, [61]),
    Scenario("a redrive that succeeds", {0: (5, 0), 30: (0, 0)}, []),
    Scenario("a minute without a value", {**FROM_THE_START, 30: None, 31: (1, 0)}, []),
]
by_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)


def depths(changes: Mapping[int, Depth], place: int, *, late: bool) -> Series:
    """Return what is reported each minute; before 0 it was as at 0."""
    first = min(changes, default=0)
    values, now = [], changes.get(0)
    for minute in range(-30, MINUTES):
        now = changes.get(minute, now)
        at = 60 * minute + 30
        if now:
            known = 60 * first + LATE if late and at < 60 * first + LATE else None
            values.append(Values(at, now[place], known=known))
    return Series(values)


def letters(graph: Graph) -> list[dict[str, Any]]:
    return [each for each in graph["alarms"] if each["id"].startswith("DeadLetters")]


def reported(graph: Graph, scenario: Scenario) -> dict[Metric, Series]:
    """Return what the queues report in a scenario."""
    ends = [each["id"] for each in graph["dead_letter_queues"]]
    depths_of = dict(zip(ends, (scenario.one, scenario.other), strict=False))
    return {
        metric_of(metric): depths(
            depths_of.get(metric["dimensions"]["QueueName"]["id"], {}),
            int(metric["name"].endswith("NotVisible")),
            late=scenario.late,
        )
        for alarm in letters(graph)
        for metric in alarm["metrics"].values()
    }


def complaint(graph: Graph, scenario: Scenario, *further_back: int) -> str:
    """Return what is wrong with the pages in a scenario: "" if nothing."""
    if scenario.other and len(graph["dead_letter_queues"]) < 2:
        return ""
    series = reported(graph, scenario)
    found = [(each.minute, each.tier) for each in told(graph, series, MINUTES, *further_back)]
    wanted = [(minute, "page") for minute in scenario.pages]
    return "" if found == wanted else f"told: {found}, and not {wanted}"


WITH_ENDS = {name: graph for name, graph in GRAPHS.items() if graph["dead_letter_queues"]}
DISTINCT = [
    next(each for each in WITH_ENDS.values() if len(each["dead_letter_queues"]) == ends)
    for ends in (1, 2)
]
"""One with an end, and one with two."""


@by_scenario
def test_each_letter_that_comes_is_one_page_and_what_stays_hides_none(scenario: Scenario) -> None:
    assert [wrong for graph in DISTINCT if (wrong := complaint(graph, scenario))] == []


@by_scenario
def test_how_far_cloudwatch_looks_back_decides_nothing(scenario: Scenario) -> None:
    """AWS says only that it looks further back than it has to."""
    for further_back in (3, 10):
        assert complaint(OF_TWO, scenario, further_back) == ""


@pytest.mark.parametrize("name", WITH_ENDS)
def test_each_graph_tells_of_a_new_letter_beside_a_parked_one(name: str) -> None:
    new = next(each for each in SCENARIOS if each.name == "a parked letter, then a new one")

    assert complaint(WITH_ENDS[name], new) == ""


@pytest.mark.parametrize(
    ("until", "told_in"),
    [
        pytest.param(60, [61], id="over before letters come back"),
        pytest.param(70, [70], id="over while the alarm is on"),
        pytest.param(90, [], id="over when it is off again"),
    ],
)
def test_a_mute_rule_would_swallow_or_delay_the_page_of_a_redrive(
    until: int, told_in: list[int]
) -> None:
    """Muted since the redrive begins; when a window ends, CloudWatch tells what is still on.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules-behaviour.html
    """
    failing = next(each for each in SCENARIOS if each.name == "a redrive that fails again")
    alarm = next(each for _, each in alarms(OF_TWO) if each.name.startswith("DeadLetters"))
    states = changes(alarm, reported(OF_TWO, failing), 60 * MINUTES)
    on = [each.at // 60 for each in states if each.state is State.ALARM]
    off = [each.at // 60 for each in states if each.state is State.OK]

    pages = [
        max(minute, until)
        for minute, over in zip_longest(on, off, fillvalue=MINUTES)
        if not 30 <= minute < until or over > until
    ]

    assert pages == told_in


def test_without_a_look_further_back_a_letter_pages_until_it_is_gone() -> None:
    """As a plain alarm on the depth does."""
    by_name = {each.name: each for each in SCENARIOS}

    assert complaint(OF_TWO, by_name["the first letter of a week"], 0) == ""
    assert complaint(OF_TWO, by_name["a parked letter, then a new one"], 0) != ""


OF_TWO = GRAPHS["frugal-consumer/standard-aurora-postgresql"]
SUM = "w1 + h1 + w2 + h2"
ONE = "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), {}) > 0, 1, 0)"
OTHER = ONE.replace("1 +", "2 +").replace("h1", "h2")
OTHERWISE: list[dict[str, Any]] = [
    {"threshold": 1},
    {"period": 300},
    {"periods": 1},
    {"periods": 10},
    {"needed": 2},
    {"below": True},
    {"tier": "ticket"},
    {"terms": [SUM]},
    {"terms": [f"DIFF({SUM})"]},
    {"terms": [f"FILL(DIFF({SUM}), 1)"]},
    {"terms": [f"IF({SUM} > 0 AND FILL(DIFF({SUM}), 1) > 0, 1, 0)"]},
    {"terms": ["IF(w1 > 0 AND FILL(DIFF(w1), 1) > 0, 1, 0)"]},
    {"terms": [ONE.format(1)]},
    {"terms": [f"{ONE.format(0)} + {OTHER.format(0)}"]},
]
"""What the alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_an_alarm_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    assert is_noticed(lambda _: instead)


def test_an_alarm_on_another_queue_is_noticed() -> None:
    assert is_noticed(of_another)


def is_noticed(instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    other = with_other(OF_TWO, "DeadLettersAlarm", instead)
    return any(complaint(other, scenario) for scenario in SCENARIOS)
