"""Who is told, page and ticket, when what is behind an API fails: over the whole of each graph.

A call that ends with an error of its function is one of `Errors` and of `Invocations`, one that
ends with a failed execution one of `ExecutionsFailed`, and each is a 5xx of its API, which counts
the call as well: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

from typing import Any

import pytest
from alarms.calls import BEFORE, SCENARIOS, Scenario, steady
from alarms.compiled import GRAPHS, Graph, metric_of, told, with_other

ERRORS = "FunctionErrorsAlarm"
TICKETS = {ERRORS: "Errors", "PageStateMachineFailedAlarm": "ExecutionsFailed"}
"""The tickets, each with the metric of what fails."""
RISES = "a slow decay"
"""First a ticket, since some calls fail, and a page once they are too many: two things to do."""


def crashing(rate: int, percent: int) -> Scenario:
    calls = steady(rate, lambda _: percent / 100)
    return Scenario(f"{percent} percent crash at {rate} a minute", calls, None)


FEW_FAIL = [crashing(*each) for each in ((100, 1), (100, 4), (100, 5), (10_000, 1), (10_000, 5))]
ONE_OF_EIGHT = Scenario("one of eight crashes", [(8, 0)] * BEFORE + [(8, 1)] * 90, None)


def behind(graph: Graph) -> str | None:
    """Return the only function or machine that the ticket counts with the calls of an API."""
    for alarm in graph["alarms"]:
        metrics = alarm["metrics"]
        failing = {
            str(named["id"])
            for each in metrics.values()
            if each["name"] == TICKETS.get(alarm["id"])
            for named in each["dimensions"].values()
        }
        if "calls" in metrics and len(failing) == 1:
            return failing.pop()
    return None


BEHIND = {name: graph for name, graph in GRAPHS.items() if behind(graph)}


def tellings(name: str, graph: Graph, scenario: Scenario) -> list[str]:
    """Return the tiers of all alarms that tell of calls that crash in a function, in order."""
    calls, failed = scenario.counted()
    found = {}
    for each in (each for alarm in GRAPHS[name]["alarms"] for each in alarm["metrics"].values()):
        by = str(each["dimensions"])
        if each["name"] == "Count" or (each["name"] == "Invocations" and str(behind(graph)) in by):
            found[metric_of(each)] = calls
        elif each["name"] in {"5xx", "5XXError"} or (
            each["name"] in TICKETS.values() and str(behind(graph)) in by
        ):
            found[metric_of(each)] = failed
    return [each.tier for each in told(graph, found, scenario.minutes)]


def complaint(name: str, graph: Graph, scenario: Scenario) -> str:
    right = ["page"] if scenario.pages else []
    # What may fail without a page is a ticket where it is a crash.
    if scenario in (*FEW_FAIL, ONE_OF_EIGHT) or "within what may fail" in scenario.name:
        right = ["ticket"]
    found = tellings(name, graph, scenario)
    is_rising = scenario.name.startswith(RISES) and found == ["ticket", "page"]
    return "" if found == right or is_rising else f"{name}, {scenario.name}: {found}, not {right}"


TWO_MINUTES = Scenario(
    "a percent crashes for two minutes",
    steady(100, lambda minute: 0.01 if minute < 2 else 0.0),
    None,
)
HALF = Scenario("half crashes at 8 a minute", steady(8, lambda _: 0.5), range(61))
ALL = [TWO_MINUTES, HALF, *SCENARIOS, *FEW_FAIL, ONE_OF_EIGHT]


@pytest.mark.parametrize("scenario", ALL, ids=lambda each: each.name)
def test_a_crash_behind_an_api_is_told_once(scenario: Scenario) -> None:
    wrong = [complaint(name, graph, scenario) for name, graph in BEHIND.items()]

    assert [each for each in wrong if each] == []


WEB = "simple-web-service/http-api-dynamodb"


def who_allows(graph: Graph, percent: int) -> Graph:
    """Return the graph of a stack whose parameter says that so many calls may fail."""
    others = [each for each in graph["thresholds"] if each["name"] != "error-percent"]
    return {**graph, "thresholds": [*others, {"name": "error-percent", "default": percent}]}


@pytest.mark.parametrize("allowed", [1, 10, 50])
@pytest.mark.parametrize("name", BEHIND)
def test_what_an_owner_allows_is_a_ticket_and_more_a_page(name: str, allowed: int) -> None:
    graph = who_allows(GRAPHS[name], allowed)

    assert tellings(name, graph, crashing(100, allowed)) == ["ticket"]
    assert tellings(name, graph, crashing(100, allowed + 1)) == ["page"]


HIDES = "IF(100 * failed > IF(calls < {}, {}, {}) * calls, 0, m1)"
OTHERWISE: list[dict[str, Any]] = [
    {"terms": ["m1"]},
    {"terms": [HIDES.format(9, 99, 5)]},
    {"terms": [HIDES.format(9, 10, 5)]},
    {"terms": [HIDES.format(9, 24, 50)]},
    {"terms": [HIDES.format(9, 24, 0.5)]},
    {"terms": [HIDES.format(2, 24, 5)]},
    {"threshold": 200},
    {"periods": 1},
    {"missing": "breaching"},
    {"tier": "page"},
]
"""What the ticket could be instead, each noticed by a scenario."""


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_a_ticket_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    other = with_other(GRAPHS[WEB], ERRORS, lambda _: instead)

    assert any(complaint(WEB, other, each) for each in ALL)


def test_a_ticket_by_a_number_that_is_not_the_owners_is_noticed() -> None:
    fixed = with_other(GRAPHS[WEB], ERRORS, lambda _: {"terms": [HIDES.format(9, 24, 5)]})

    assert tellings(WEB, who_allows(fixed, 10), crashing(100, 7)) == []
