"""Who is told, and in which minute, when the consumer of a queue fails: in every graph with one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from alarms.compiled import GRAPHS, Graph, metric_of, of_another, told, with_other
from alarms.queues import BEFORE, LETTERS, SCENARIOS, Scenario, emitted

from sls_patterns_cli.alarms.series import Metric, Series


@dataclass(frozen=True)
class Consumed:
    """A queue of a graph, and the logical ids of what consumes it and of its dead-letter queue."""

    graph: Graph
    queue: str
    function: str
    end: str
    visibility: int
    receives: int
    ordered: bool


def consumed() -> Iterator[tuple[str, Consumed]]:
    for name, graph in GRAPHS.items():
        nodes = {each["name"]: each for each in graph["nodes"].values()}
        for edge in graph["edges"]:
            source, target = nodes[edge["from"]], nodes[edge["to"]]
            if source["resource"] == "queue":
                yield (
                    f"{name} {source['id']}",
                    Consumed(
                        graph,
                        source["id"],
                        target["id"],
                        edge["failures"][0]["queue"],
                        source["visibility_timeout"],
                        source["receives"]["number"],
                        bool(source.get("fifo")),
                    ),
                )


QUEUES = dict(consumed())
DISTINCT = [*{(each.visibility, each.ordered): each for each in QUEUES.values()}.values()]
"""Those in which a failure takes another course."""
by_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)


def reported(of: Consumed, scenario: Scenario) -> dict[Metric, Series]:
    """Return what a queue, its consumer and its dead-letter queue report in a scenario."""
    values = emitted(scenario, of.visibility, of.receives, ordered=of.ordered)
    series = {}
    for metric in (each for alarm in of.graph["alarms"] for each in alarm["metrics"].values()):
        owners = {str(named(value)) for value in metric["dimensions"].values()}
        if metric["name"] in values and {of.queue, of.function} & owners:
            series[metric_of(metric)] = values[metric["name"]]
        elif metric["name"] == "ApproximateNumberOfMessagesVisible" and of.end in owners:
            series[metric_of(metric)] = values[LETTERS]
    return series


def complaint(of: Consumed, scenario: Scenario) -> str:
    """Return what is wrong with whom is told in a scenario: "" if nothing."""
    found = told(of.graph, reported(of, scenario), scenario.minutes)
    wanted = scenario.told(ordered=of.ordered)
    in_time = [each for each in found if each.minute - BEFORE in wanted.get(each.tier, ())]
    if found == in_time and sorted(each.tier for each in found) == sorted(wanted):
        return ""
    return f"told: {found}, and not {dict(wanted)}"


def named(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) else value


@by_scenario
def test_a_consumer_that_fails_wholly_is_one_page_in_time_and_a_single_message_a_ticket(
    scenario: Scenario,
) -> None:
    assert [wrong for each in DISTINCT if (wrong := complaint(each, scenario))] == []


@pytest.mark.parametrize("name", QUEUES)
def test_each_queue_tells_of_its_own_consumer(name: str) -> None:
    for scenario in SCENARIOS:
        if scenario.name.endswith(("crash at 9 a minute", "its process at 1 a minute")):
            assert complaint(QUEUES[name], scenario) == "", scenario.name


AGE, ERRORS = "UsageQueueAgeAlarm", "FunctionErrorsAlarm"
STUCK = "IF(deleted == 0 AND waiting + hidden >= {}, {}, age)"
OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    (AGE, {"threshold": 345_600}),
    (AGE, {"threshold": 100}),
    (AGE, {"period": 300}),
    (AGE, {"periods": 3}),
    (AGE, {"periods": 6}),
    (AGE, {"needed": 1}),
    (AGE, {"missing": "breaching"}),
    (AGE, {"below": True}),
    (AGE, {"tier": "ticket"}),
    (AGE, {"terms": ["age"]}),
    (AGE, {"terms": ["IF(deleted == 0, 345600, age)"]}),
    (AGE, {"terms": ["IF(waiting + hidden >= 3, 345600, age)"]}),
    (AGE, {"terms": ["IF(deleted == 0 AND waiting >= 3, 345600, age)"]}),
    (AGE, {"terms": [STUCK.format(1, 345_600)]}),
    (AGE, {"terms": [STUCK.format(20, 345_600)]}),
    (AGE, {"terms": [STUCK.format(3, 900)]}),
    (ERRORS, {"threshold": 3}),
    (ERRORS, {"period": 60}),
    (ERRORS, {"periods": 1}),
    (ERRORS, {"missing": "breaching"}),
    (ERRORS, {"tier": "page"}),
    (ERRORS, {"terms": ["m1"]}),
    (ERRORS, {"terms": ["IF(deleted1 == 0, 0, m1)"]}),
    (ERRORS, {"terms": ["IF(waiting1 + hidden1 >= 3, 0, m1)"]}),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("alarm_id", "instead"), OTHERWISE)
def test_an_alarm_with_another_number_is_noticed(alarm_id: str, instead: dict[str, Any]) -> None:
    assert is_noticed(alarm_id, lambda _: instead)


@pytest.mark.parametrize("alarm_id", [AGE, ERRORS])
def test_an_alarm_on_another_queue_is_noticed(alarm_id: str) -> None:
    assert is_noticed(alarm_id, of_another)


def is_noticed(alarm_id: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    of = QUEUES["frugal-consumer/standard-dynamodb UsageQueue"]
    other = replace(of, graph=with_other(of.graph, alarm_id, instead))
    return any(complaint(other, scenario) for scenario in SCENARIOS)
