"""Who is told, and in which minute, when the calls of an API fail: in every graph that has one."""

from collections.abc import Callable
from typing import Any

import pytest
from alarms.calls import BEFORE, SCENARIOS, Scenario
from alarms.compiled import GRAPHS, Graph, metric_of, of_another, pages, told, with_other


def watched(graph: Graph) -> list[dict[str, Any]]:
    """Return the alarms on the calls that fail of an API, or of a function that others call."""
    return [each for each in graph["alarms"] if each["id"].endswith("QuietErrorsAlarm")]


def of_calls(graph: Graph) -> list[dict[str, Any]]:
    """Return all alarms of a graph that watch a metric of these."""
    metrics = [metric for alarm in watched(graph) for metric in alarm["metrics"].values()]
    return [
        alarm
        for alarm in graph["alarms"]
        if any(metric in metrics for metric in alarm["metrics"].values())
    ]


WITH_CALLS = {name: graph for name, graph in GRAPHS.items() if watched(graph)}
DISTINCT = [*{str(of_calls(graph)): graph for graph in WITH_CALLS.values()}.values()]
"""Those whose alarms on calls differ."""
by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)


def complaint(graph: Graph, scenario: Scenario, *further_back: int) -> str:
    """Return what is wrong with the pages in a scenario: "" if nothing."""
    emitted, (calls, failed) = {}, scenario.counted()
    for alarm in watched(graph):
        emitted[metric_of(alarm["metrics"]["calls"])] = calls
        emitted[metric_of(alarm["metrics"]["failed"])] = failed
    found = pages(told(graph, emitted, scenario.minutes, *further_back))
    if scenario.pages is None:
        return f"pages: {found}" if found else ""
    in_time = len(found) == 1 and found[0].minute - BEFORE in scenario.pages
    return "" if in_time else f"pages: {found}, and not one in {scenario.pages}"


@by_name
def test_an_outage_is_one_page_in_time_and_nothing_else_is(scenario: Scenario) -> None:
    assert [wrong for graph in DISTINCT if (wrong := complaint(graph, scenario))] == []


@pytest.mark.parametrize("further_back", [0, 5])
def test_how_far_cloudwatch_looks_back_decides_nothing(further_back: int) -> None:
    """AWS does not say the number."""
    for scenario in SCENARIOS:
        assert complaint(DISTINCT[0], scenario, further_back) == "", scenario.name


@pytest.mark.parametrize("name", WITH_CALLS)
def test_each_graph_with_calls_pages_for_their_outage(name: str) -> None:
    for scenario in SCENARIOS:
        if scenario.name in {"an outage at 9 a minute", "an outage at 3 an hour"}:
            assert complaint(GRAPHS[name], scenario) == ""


MANY, FEW = "ApiErrorsAlarm", "ApiQuietErrorsAlarm"
OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    (MANY, {"threshold": 100}),
    (MANY, {"threshold": 0}),
    (MANY, {"period": 300}),
    (MANY, {"periods": 3}),
    (MANY, {"needed": 2}),
    (MANY, {"needed": 15}),
    (MANY, {"missing": "breaching"}),
    (MANY, {"below": True}),
    (MANY, {"terms": ["IF(calls >= 10, 100 * failed / calls, 0)"]}),
    (MANY, {"terms": ["IF(calls >= 1, 100 * failed / calls, 0)"]}),
    (MANY, {"tier": "ticket"}),
    (FEW, {"threshold": 1}),
    (FEW, {"period": 300}),
    (FEW, {"periods": 2}),
    (FEW, {"missing": "breaching"}),
    (FEW, {"terms": ["IF(calls < 600 AND failed >= 3 AND 4 * failed >= calls, 1, 0)"]}),
    (FEW, {"terms": ["IF(calls < 400 AND failed >= 3 AND 4 * failed >= calls, 1, 0)"]}),
    (FEW, {"terms": ["IF(calls < 540 AND failed >= 1 AND 4 * failed >= calls, 1, 0)"]}),
    (FEW, {"terms": ["IF(calls < 540 AND failed >= 4 AND 4 * failed >= calls, 1, 0)"]}),
    (FEW, {"terms": ["IF(calls < 540 AND failed >= 3 AND 2 * failed >= calls, 1, 0)"]}),
    (FEW, {"tier": "ticket"}),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("alarm_id", "instead"), OTHERWISE)
def test_an_alarm_with_another_number_is_noticed(alarm_id: str, instead: dict[str, Any]) -> None:
    assert is_noticed(alarm_id, lambda _: instead)


@pytest.mark.parametrize("alarm_id", [MANY, FEW])
def test_an_alarm_on_another_api_is_noticed(alarm_id: str) -> None:
    assert is_noticed(alarm_id, of_another)


def is_noticed(alarm_id: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    other = with_other(GRAPHS["simple-web-service/http-api-dynamodb"], alarm_id, instead)
    return any(complaint(other, scenario) for scenario in SCENARIOS)
