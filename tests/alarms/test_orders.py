"""Who is told of orders that fail, in each topology of `state-machine`, and in which minute."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from alarms.calls import BEFORE
from alarms.compiled import GRAPHS, Graph, Told, of_another, pages, told, with_other
from alarms.orders import (
    DURABLE,
    EXPRESS,
    LETTERS,
    SCENARIOS,
    STANDARD,
    TIMED_OUT,
    UNDONE,
    Scenario,
    Tells,
    emitted,
)

OF = {each: GRAPHS[f"state-machine/{each}-dynamodb"] for each in (STANDARD, EXPRESS, DURABLE)}
CASES = [
    pytest.param(scenario, topology, id=f"{scenario.name}, {topology}")
    for scenario in SCENARIOS
    for topology in scenario.tells
]


def complaint(graph: Graph, scenario: Scenario, topology: str) -> str:
    """Return what is wrong with what the alarms of a graph tell in a scenario: "" if nothing."""
    metrics = emitted(OF[topology], scenario, topology)
    found = told(graph, metrics, BEFORE + len(scenario.minutes))
    ids = {alarm["id"] for alarm in graph["alarms"]}
    tells = scenario.tells[topology]
    of_graph = replace(
        tells,
        pages={alarm: tells.pages[alarm] for alarm in ids & tells.pages.keys()},
        tickets=tells.tickets & ids,
    )
    return "" if _is_told(of_graph, found) else f"{scenario.name}: {found}"


def _is_told(tells: Tells, found: list[Told]) -> bool:
    paged: dict[str, list[int]] = {}
    for each in pages(found):
        paged.setdefault(each.alarm, []).append(each.minute - BEFORE)
    return (
        paged.keys() == tells.pages.keys()
        and all(minutes[0] in tells.pages[alarm] for alarm, minutes in paged.items())
        and (tells.again or all(len(minutes) == 1 for minutes in paged.values()))
        and {each.alarm for each in found if each.tier == "ticket"} == tells.tickets
    )


@pytest.mark.parametrize(("scenario", "topology"), CASES)
def test_each_bad_end_is_told_once(scenario: Scenario, topology: str) -> None:
    assert complaint(OF[topology], scenario, topology) == ""


OTHERWISE: list[tuple[str, str, dict[str, Any]]] = [
    (EXPRESS, TIMED_OUT, {"threshold": 1}),
    (EXPRESS, TIMED_OUT, {"periods": 3}),
    (EXPRESS, TIMED_OUT, {"missing": "breaching"}),
    (EXPRESS, TIMED_OUT, {"tier": "ticket"}),
    (EXPRESS, UNDONE, {"threshold": 1}),
    (EXPRESS, UNDONE, {"periods": 3}),
    (EXPRESS, UNDONE, {"missing": "breaching"}),
    (EXPRESS, UNDONE, {"tier": "page"}),
    *(
        (topology, LETTERS, instead)
        for topology in (EXPRESS, DURABLE)
        for instead in (
            {"threshold": 1},
            {"needed": 2},
            {"periods": 1},
            {"tier": "ticket"},
        )
    ),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("topology", "alarm_id", "instead"), OTHERWISE)
def test_an_alarm_with_another_number_is_noticed(
    topology: str, alarm_id: str, instead: dict[str, Any]
) -> None:
    assert is_noticed(topology, alarm_id, lambda _: instead)


@pytest.mark.parametrize(
    ("topology", "alarm_id"),
    [(EXPRESS, TIMED_OUT), (EXPRESS, UNDONE), (EXPRESS, LETTERS), (DURABLE, LETTERS)],
)
def test_an_alarm_on_something_else_is_noticed(topology: str, alarm_id: str) -> None:
    assert is_noticed(topology, alarm_id, of_another)


@pytest.mark.parametrize(
    ("alarm_id", "name"), [(TIMED_OUT, "ExecutionsFailed"), (UNDONE, "ExecutionsTimedOut")]
)
def test_an_alarm_on_executions_that_end_otherwise_is_noticed(alarm_id: str, name: str) -> None:
    def otherwise(alarm: dict[str, Any]) -> dict[str, Any]:
        return {"metrics": {key: {**each, "name": name} for key, each in alarm["metrics"].items()}}

    assert is_noticed(EXPRESS, alarm_id, otherwise)


def is_noticed(
    topology: str, alarm_id: str, instead: Callable[[dict[str, Any]], dict[str, Any]]
) -> bool:
    graph = OF[topology]
    (alarm,) = (each for each in graph["alarms"] if each["id"] == alarm_id)
    other = with_other({**graph, "alarms": [alarm]}, alarm_id, instead)
    return any(complaint(other, each, topology) for each in SCENARIOS if topology in each.tells)
