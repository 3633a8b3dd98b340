"""Who is told of a part that pages lack, and in which hour: in every graph that counts them.

Lambda counts each invocation, whatever the answer is:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html. The function reports 1
for each part that a page lacks, and nothing of a page without any part, which is an error: the
proofs `missing-parts-counted` and `nothing-to-answer` show it. Minutes without calls have none.

An express machine logs each attempt that fails, and CloudWatch Logs counts lines (fact C38); a page
without any part has one for each, and its caller gets 502.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from alarms.compiled import (
    GRAPHS,
    Graph,
    Told,
    metric_of,
    of_another,
    told,
    told_by_names,
    with_other,
)

from sls_patterns_cli.alarms.series import Metric, Series, Values

BEFORE, HOUR = 2 * 60, 60
"""In minutes; all is well before something happens."""

Missing = Callable[[int], float]
"""Which share of the pages lacks a part in a minute after `BEFORE`."""


@dataclass(frozen=True)
class Scenario:
    """Minutes with calls, what is missing in them, and the minutes in which a ticket comes."""

    name: str
    missing: Mapping[int, Missing]
    """By the number of the service."""
    tickets: tuple[range, ...] = ()
    a_minute: Callable[[int], int] = lambda _: 9
    hours: int = 8
    refused: frozenset[int] = field(default_factory=frozenset)
    """The services of which all parts are missing because they refuse their token."""
    counts: bool = True
    """Whether the handler counts, as those of earlier releases do not."""
    by_lines: tuple[range, ...] | None = None
    """The tickets where an express machine's log counts the parts of all services together."""
    only: str = ""
    """A metric without which the scenario is none."""


def always(_: int) -> float:
    return 1.0


def within(first: int, last: int) -> Missing:
    return lambda minute: float(first <= minute < last)


def by_day(minute: int) -> int:
    """Return 9 calls a minute for four hours of a day that begins two hours after `BEFORE`."""
    return 9 if (minute - BEFORE) % (24 * HOUR) in range(2 * HOUR, 6 * HOUR) else 0


def rarely_at_night(minute: int) -> int:
    return by_day(minute) or int(minute % HOUR == 0)


def hourly(calls: int) -> Callable[[int], int]:
    gap = HOUR // calls
    return lambda minute: int(minute % gap == 0)


HALF_AN_HOUR = range(29, 32)
WEEK = 7 * 24
SCENARIOS = [
    Scenario("all is well", {}),
    Scenario("a part is missing for a week", {0: always}, (HALF_AN_HOUR,), hours=WEEK),
    Scenario(
        "of 1,000 calls a minute",
        {0: always},
        (HALF_AN_HOUR,),
        lambda _: 1_000,
    ),
    Scenario(
        "a part is missing for two days, and nobody calls at night",
        {0: always},
        (range(2 * HOUR, 2 * HOUR + 3),),
        by_day,
        hours=48,
    ),
    Scenario(
        "a part is missing for two days, and few call at night",
        {0: always},
        (range(2 * HOUR, 2 * HOUR + 3),),
        rarely_at_night,
        hours=48,
    ),
    Scenario("of 3 calls an hour", {0: always}, (range(20, 61),), hourly(3)),
    Scenario("of 2 calls an hour, which are too few", {0: always}, (), hourly(2)),
    Scenario("a blip of 5 minutes", {0: within(0, 5)}),
    Scenario("a blip of 25 minutes", {0: within(0, 25)}),
    Scenario("an hour", {0: within(0, 60)}, (HALF_AN_HOUR,)),
    Scenario(
        "an hour, each three hours",
        {0: lambda minute: minute % 180 < 60},
        (HALF_AN_HOUR,),
        hours=24,
    ),
    Scenario(
        "an hour, and one after seven good hours",
        {0: lambda minute: minute < 60 or 480 <= minute < 540},
        (HALF_AN_HOUR, range(509, 512)),
        hours=10,
    ),
    Scenario("40 percent of the pages", {0: lambda _: 4 / 9}),
    Scenario("60 percent of the pages", {0: lambda _: 6 / 9}, (range(44, 47),)),
    Scenario(
        "two services in one minute",
        {0: always, 1: always},
        (HALF_AN_HOUR,),
        by_lines=(range(14, 17),),
    ),
    Scenario("the last service", {-1: always}, (HALF_AN_HOUR,)),
    Scenario(
        "two services at 40 percent each",
        {0: lambda _: 4 / 9, 1: lambda _: 4 / 9},
        by_lines=(range(33, 36),),
    ),
    Scenario("a token is refused", {0: always}, (range(2),), refused=frozenset({0}), only="SignIn"),
    Scenario(
        "a token is refused, at 2 calls an hour",
        {0: always},
        (range(30, 33),),
        hourly(2),
        refused=frozenset({0}),
        only="SignIn",
    ),
    Scenario("a handler of before", {0: always}, counts=False),
]
WITH_PARTS = {
    name: graph
    for name, graph in GRAPHS.items()
    if any(edge.get("part") for edge in graph["edges"])
}
DISTINCT = [
    *{
        str([(one["terms"], one["metrics"]) for one in graph["alarms"]]): graph
        for graph in WITH_PARTS.values()
    }.values()
]
"""Those whose alarms differ."""
ALARM = "AggregateFunctionMissingPartsAlarm"
EXPRESS, LINES = "PageStateMachineMissingPartsAlarm", "IncomingLogEvents"


def emitted(graph: Graph, scenario: Scenario) -> dict[Metric, Series]:
    """Return what the metrics get that the alarms of a graph watch."""
    services = [edge["to"] for edge in graph["edges"] if edge.get("part")]
    calls: list[Values] = []
    missing: dict[str, list[Values]] = {name: [] for name in services}
    lost = {services[number]: share for number, share in scenario.missing.items()}
    for minute in range(BEFORE + scenario.hours * HOUR):
        at, number = 60 * minute + 30, scenario.a_minute(minute)
        if number:
            calls.append(Values(at, 1, number))
        for name, share in lost.items():
            count = round(number * share(minute - BEFORE)) if minute >= BEFORE else 0
            if count:
                missing[name].append(Values(at, 1, count))
    refused = {services[number] for number in scenario.refused}
    found = {}
    for each in (each for alarm in graph["alarms"] for each in alarm["metrics"].values()):
        by = each["dimensions"]
        match each["name"]:
            case "IncomingLogEvents" if scenario.counts:
                lines = sorted((one for some in missing.values() for one in some), key=at_of)
                found[metric_of(each)] = Series(lines)
            case "Invocations" | "ExecutionsStarted" if "Another" not in str(by):
                found[metric_of(each)] = Series(calls)
            case "PartMissing" if scenario.counts and "Another" not in str(by):
                found[metric_of(each)] = Series(missing[by["part"]])
            case "SignInFailed" if by["system"] in refused:
                found[metric_of(each)] = Series(missing[by["system"]])
    return found


def at_of(values: Values) -> float:
    return values.at


def complaint(graph: Graph, scenario: Scenario) -> str:
    """Return what is wrong with whom is told in a scenario: "" if nothing."""
    if scenario.only not in str(graph["alarms"]):
        return ""
    found = told(graph, emitted(graph, scenario), BEFORE + scenario.hours * HOUR)
    tickets = scenario.tickets
    if scenario.by_lines is not None and LINES in str(graph["alarms"]):
        tickets = scenario.by_lines
    right = len(found) == len(tickets) and all(
        one.tier == "ticket" and one.minute - BEFORE - 1 in minutes
        for one, minutes in zip(found, tickets, strict=True)
    )
    return "" if right else f"{[since(each) for each in found]}, not {tickets}"


def since(one: Told) -> tuple[str, int]:
    return one.alarm, one.minute - BEFORE


def test_there_are_graphs_whose_pages_may_lack_a_part() -> None:
    assert {name.split("-")[0] for name in WITH_PARTS} == {
        "aggregator/express",
        "aggregator/functions",
        "aggregator/http",
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_part_that_is_missing_for_long_is_one_ticket(scenario: Scenario) -> None:
    assert [wrong for graph in DISTINCT if (wrong := complaint(graph, scenario))] == []


def test_when_all_are_missing_the_calls_fail_and_the_ticket_is_silent() -> None:
    """The proof `nothing-to-answer` shows that such a page is an error, and counts no part."""
    all_missing = Scenario("none", dict.fromkeys(range(3), always), counts=False)

    assert [wrong for graph in DISTINCT if (wrong := complaint(graph, all_missing))] == []


def _lacking(expression: str) -> list[str]:
    return [expression.format(each) for each in ("catalog", "stock", "reviews")]


def _with_each(one: str, calls: int = 3) -> dict[str, Any]:
    return {"terms": [f"IF(calls >= {calls}, {' + '.join(_lacking(one))})"]}


LACKS = "IF(calls - 2 * {} <= 0, 1, 0)"
OTHERWISE: list[dict[str, Any]] = [
    {"threshold": 1},
    {"period": 300},
    {"period": 7200},
    {"periods": 1},
    {"needed": 2},
    {"missing": "notBreaching"},
    {"missing": "breaching"},
    {"below": True},
    {"tier": "page"},
    _with_each("IF(calls - 1.4 * {} <= 0, 1, 0)"),
    _with_each("IF(calls - 3 * {} <= 0, 1, 0)"),
    _with_each(LACKS, calls=2),
    _with_each(LACKS, calls=4),
    {"terms": ["IF(calls >= 3, IF(calls - 2 * catalog <= 0, 1, 0))"]},
    {"terms": ["IF(calls >= 3, IF(calls - 2 * (catalog + stock + reviews) <= 0, 1, 0))"]},
    {"terms": [f"IF(calls >= 3, {' + '.join(_lacking(LACKS))}, 0)"]},
]
"""What the alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_an_alarm_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    assert is_noticed("functions-none", ALARM, lambda _: instead)


def test_an_alarm_on_another_function_is_noticed() -> None:
    assert is_noticed("functions-none", ALARM, of_another)


def test_an_alarm_that_tells_of_a_refused_token_as_well_is_noticed() -> None:
    assert is_noticed("http-none", ALARM, lambda _: _with_each(LACKS))


@pytest.mark.parametrize("instead", [{"period": 300}, {"threshold": 2}, {"missing": "breaching"}])
def test_an_alarm_on_tokens_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    assert is_noticed("http-none", "CatalogSignInAlarm", lambda _: instead)


def is_noticed(name: str, alarm: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    other = with_other(WITH_PARTS[f"aggregator/{name}"], alarm, instead)
    shorter = (each for each in SCENARIOS if each.hours < WEEK)
    first = sorted(shorter, key=lambda each: each.only not in alarm or not each.only)
    return any(complaint(other, scenario) for scenario in first)


OF_LINES = "IF(calls >= {}, IF(calls + 6 * unserved - {} * lines <= 0, 1, 0){})"


@pytest.mark.parametrize(
    "instead",
    [
        {"threshold": 1},
        {"period": 300},
        {"periods": 1},
        {"needed": 2},
        {"missing": "notBreaching"},
        {"tier": "page"},
        {"terms": [OF_LINES.format(2, 2, "")]},
        {"terms": [OF_LINES.format(4, 2, "")]},
        {"terms": [OF_LINES.format(3, 1.4, "")]},
        {"terms": [OF_LINES.format(3, 3, "")]},
        {"terms": [OF_LINES.format(3, 2, ", 0")]},
    ],
    ids=str,
)
def test_another_alarm_on_the_lines_of_a_log_is_noticed(instead: dict[str, Any]) -> None:
    assert is_noticed("express-none", EXPRESS, lambda _: instead)


@pytest.mark.parametrize("instead", [{}, {"terms": [OF_LINES.format(3, 2, "").replace("6", "5")]}])
def test_pages_without_any_part_are_told_by_the_api_and_not_by_the_lines_of_the_log(
    instead: dict[str, Any],
) -> None:
    graph = WITH_PARTS["aggregator/express-none"]
    other = with_other(graph, EXPRESS, lambda _: instead) if instead else graph
    calls = Series([Values(60 * minute + 30, 1, 9) for minute in range(180)])
    lines = Series([Values(60 * minute + 30, 1, 27) for minute in range(180)])

    emitted = {"Count": calls, "5XXError": calls, "ExecutionsStarted": calls, LINES: lines}
    found = {each.tier for each in told_by_names(other, emitted, 180)}

    assert found == ({"page", "ticket"} if instead else {"page"})
