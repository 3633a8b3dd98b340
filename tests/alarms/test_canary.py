"""Whether a deployment goes back whose new version fails, and in which minute: in every graph.

A new version gets a part of the calls, and all of them after some minutes; CodeDeploy looks at
alarms only until then:
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html. Lambda
counts the calls of an alias by the version that served them (`ExecutedVersion`), from the first one
on: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html. An API counts each
request, whichever version has served it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from alarms.compiled import GRAPHS, Graph, metric_of, told

from sls_patterns_cli.alarms.series import Metric, Series, Values

BEFORE = 20
"""For so many minutes the old version serves all calls before the deployment begins."""
OLD, NEW = "1", "2"
TENTH = 10
"""Each tenth call gets the new version."""


@dataclass(frozen=True)
class Scenario:
    """Calls a minute, and how much of them fails of the new and of the old version."""

    name: str
    a_minute: int
    stopped: range | None
    """In which minute of the deployment, if at all."""
    new: float = 0
    old: float = 0
    by_itself: bool = True
    """Whether a call that fails is an error of the function, and not only an answer."""
    of_an_hour: bool = False
    """Whether the calls are those of an hour."""


SCENARIOS = [
    Scenario("a broken version at 1,000 a minute", 1_000, range(1, 2), new=1),
    Scenario("a broken version at 100 a minute", 100, range(1, 2), new=1),
    Scenario("a broken version at 15 a minute", 15, range(2, 3), new=1),
    Scenario("a broken version at 9 a minute", 9, range(2, 3), new=1),
    Scenario("a broken version at 7 a minute", 7, range(3, 4), new=1),
    # It gets two calls, none of which succeeds.
    Scenario("a broken version at 5 a minute", 5, range(4, 5), new=1),
    Scenario("a broken version at 4 a minute", 4, range(4, 5), new=1),
    # Its second call comes when it serves all of them.
    Scenario("a broken version at 3 a minute", 3, None, new=1),
    Scenario("a broken version at 30 an hour", 30, None, new=1, of_an_hour=True),
    Scenario("three of ten calls of a new version fail", 40, range(3, 4), new=0.3),
    Scenario("a tenth of a new version fails at 100 a minute", 100, range(3, 5), new=0.1),
    Scenario("one failed call of a good version", 5, None, new=0.5),
    Scenario("its only call", 2, None, new=1),
    Scenario("two failed calls of many", 400, None, new=0.01),
    Scenario("a hundredth at 1,000 a minute, within what may fail", 1_000, None, new=0.01),
    Scenario("a good version", 100, None),
    # A call in ten that is answered with an error is 10 percent of all.
    Scenario("a version that answers with errors", 100, range(3, 4), new=1, by_itself=False),
    Scenario("one that does so at 5 a minute", 5, None, new=1, by_itself=False),
]


def calls(scenario: Scenario, minutes: int) -> Iterator[tuple[float, str, bool]]:
    """Yield the second of each call, the version that serves it, and whether it fails."""
    served: dict[str, int] = {OLD: 0, NEW: 0}
    gap = (3600 if scenario.of_an_hour else 60) / scenario.a_minute
    for number in range(int(60 * minutes / gap)):
        at = number * gap
        is_new = at >= 60 * BEFORE and number % TENTH == TENTH // 2
        version = NEW if is_new else OLD
        served[version] += 1
        share = scenario.new if is_new else scenario.old
        yield at, version, int(served[version] * share) > int((served[version] - 1) * share)


def emitted(graph: Graph, scenario: Scenario, deployed: str) -> dict[Metric, Series]:
    """Return what the metrics get that alarms of a graph watch, of which one is on `deployed`."""
    minutes = BEFORE + shift(graph)
    found = list(calls(scenario, minutes))
    series: dict[Metric, Series] = {}
    for alarm in [*graph["alarms"], *graph["rollout"]["versions"].values()]:
        for each in alarm["metrics"].values():
            of_version = [one for one in found if one[1] == deployed] if versioned(each) else found
            match each["name"]:
                case "Invocations" | "Count":
                    values = [Values(at, 1) for at, _, _ in of_version]
                case "Errors" if scenario.by_itself:
                    values = [Values(at, fails) for at, _, fails in of_version]
                case "5xx" | "5XXError":
                    values = [Values(at, fails) for at, _, fails in of_version]
                case _:
                    continue
            series[metric_of(each)] = Series(values)
    return series


def versioned(metric: Mapping[str, Any]) -> bool:
    """Whether it is that of one version, which the alias has called."""
    return {*metric["dimensions"]} == {"FunctionName", "Resource", "ExecutedVersion"}


def shift(graph: Graph) -> int:
    minutes: int = graph["numbers"]["rollout"]["minutes"]
    return minutes


def stopped(graph: Graph, scenario: Scenario, of: str, deployed: str = NEW) -> int | None:
    """Return the minute in which an alarm of the function's group stops the deployment."""
    alarms = [graph["rollout"]["versions"][of]] + [
        each
        for each in [*graph["alarms"], *graph["rollout"]["alarms"]]
        if each["id"] in graph["rollout"]["stopped_by"][of]
    ]
    known = {each["name"]: each for each in [*graph["thresholds"], *graph["rollout"]["thresholds"]]}
    only = {**graph, "alarms": alarms, "thresholds": [*known.values()]}
    found = told(only, emitted(graph, scenario, deployed), BEFORE + shift(graph) - 1)
    return next((each.minute - BEFORE for each in found if each.minute >= BEFORE), None)


def complaint(graph: Graph, scenario: Scenario, of: str) -> str:
    minute = stopped(graph, scenario, of)
    right = minute in scenario.stopped if scenario.stopped else minute is None
    return "" if right else f"{of}: stopped in {minute}, not {scenario.stopped}"


GRADUAL = {name: graph for name, graph in GRAPHS.items() if graph["rollout"]["versions"]}
WEB = GRAPHS["simple-web-service/http-api-dynamodb"]
CATALOG = "CatalogFunction"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_deployment_goes_back_if_its_version_fails(scenario: Scenario) -> None:
    assert complaint(WEB, scenario, CATALOG) == ""


@pytest.mark.parametrize("name", GRADUAL)
def test_each_function_has_the_alarm_of_its_version(name: str) -> None:
    graph = GRAPHS[name]
    alike = [
        {**each, "id": "", "metrics": [*each["metrics"]]}
        for each in graph["rollout"]["versions"].values()
    ]

    assert all(each == alike[0] for each in alike)
    for of, alarm in graph["rollout"]["versions"].items():
        by = {one["id"] for m in alarm["metrics"].values() for one in m["dimensions"].values()}
        assert by == {of}
        assert len(graph["rollout"]["stopped_by"][of]) + 1 <= 10
        assert stopped(graph, SCENARIOS[1], of) == 1


@pytest.mark.parametrize("a_minute", [5, 9, 100])
@pytest.mark.parametrize("old", [0.04, 1])
def test_an_old_version_that_fails_sets_off_no_alarm_on_a_good_one(
    a_minute: int, old: float
) -> None:
    """Each version has its own alarm, which begins without a state."""
    alarms = [WEB["rollout"]["versions"][CATALOG]]
    failing = emitted(WEB, Scenario("the old one", a_minute, None, old=old), NEW)

    assert told({**WEB, "alarms": alarms}, failing, BEFORE + shift(WEB)) == []


def test_the_alarm_on_the_service_alone_lets_a_broken_version_pass() -> None:
    """As before there was an alarm on the version: at 5 calls a minute one in two minutes fails."""
    without = {**WEB, "rollout": {**WEB["rollout"], "versions": {CATALOG: WEB["alarms"][0]}}}
    minutes = {
        each.a_minute: stopped(without, each, CATALOG)
        for each in SCENARIOS
        if each.new == 1 and each.by_itself and not each.of_an_hour
    }

    assert minutes == {1_000: 3, 100: 3, 15: 3, 9: 3} | dict.fromkeys((7, 5, 4, 3, 2))


OTHERWISE: list[dict[str, Any]] = [
    {"threshold": 1},
    {"period": 60},
    {"periods": 3},
    {"missing": "breaching"},
    {"below": True},
    *(
        {"terms": [f"IF(failed >= {least}, {enough} * failed > calls, failed >= {few})"]}
        for least, enough, few in (
            (4, 20, "2 AND failed == calls"),
            (30, 20, "2 AND failed == calls"),
            (3, 200, "2 AND failed == calls"),
            (3, 5, "2 AND failed == calls"),
            (2, 20, "2 AND failed == calls"),
            (3, 20, "1 AND failed == calls"),
            (3, 20, "3 AND failed == calls"),
            (3, 20, "2"),
        )
    ),
]
"""What the alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_an_alarm_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    assert is_noticed(lambda alarm: {**alarm, **instead})


def test_an_alarm_on_all_versions_is_noticed() -> None:
    def of_all(alarm: dict[str, Any]) -> dict[str, Any]:
        metrics = {
            name: each | {"dimensions": {"FunctionName": each["dimensions"]["FunctionName"]}}
            for name, each in alarm["metrics"].items()
        }
        return {**alarm, "metrics": metrics}

    assert is_noticed(of_all)


def is_noticed(instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    versions = {CATALOG: instead(WEB["rollout"]["versions"][CATALOG])}
    other = {**WEB, "rollout": {**WEB["rollout"], "versions": versions}}
    slowest_last = sorted(SCENARIOS, key=lambda each: each.a_minute)
    return any(complaint(other, scenario, CATALOG) for scenario in slowest_last)
