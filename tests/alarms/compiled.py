"""The alarms of graphs, as the evaluator takes them, and whom they tell in which minute."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from rendering import ROOT

from sls_patterns_cli.alarms.evaluation import FURTHER_BACK, Alarm, State, changes
from sls_patterns_cli.alarms.series import Metric, Series
from sls_patterns_cli.alarms.template import alarm_of
from sls_patterns_cli.catalog.compiler.records import pascal

Graph = Mapping[str, Any]
GRAPHS: dict[str, Graph] = {
    f"{file.parents[1].name}/{file.stem}": json.loads(file.read_text())
    for file in sorted((ROOT / "templates/patterns").glob("*/graphs/*.json"))
}
"""Those that templates read, by pattern, topology and datastore."""
OWN = "own"
"""The namespace of what functions report themselves, which is the name of the project."""


@dataclass(frozen=True)
class Told:
    """Somebody is told: by which alarm, in which tier, after how many minutes."""

    minute: int
    tier: str
    alarm: str


def told(
    graph: Graph,
    emitted: Mapping[Metric, Series],
    minutes: int,
    further_back: int = FURTHER_BACK,
) -> list[Told]:
    """Return whom the alarms tell that watch one of these metrics, while they get these values."""
    return sorted(
        (
            Told(change.at // 60, tier, alarm.name)
            for tier, alarm in alarms(graph)
            if any(query.metric in emitted for query in alarm.queries)
            for change in changes(alarm, emitted, 60 * minutes, further_back=further_back)
            if change.state is State.ALARM
        ),
        key=lambda each: (each.minute, each.alarm),
    )


def told_by_names(graph: Graph, emitted: Mapping[str, Series], minutes: int) -> list[Told]:
    """Return whom the alarms tell that watch metrics of these names."""
    metrics = (metric for alarm in graph["alarms"] for metric in alarm["metrics"].values())
    of_graph = {
        metric_of(each): emitted[each["name"]] for each in metrics if each["name"] in emitted
    }
    return told(graph, of_graph, minutes)


def alarms(graph: Graph) -> Iterator[tuple[str, Alarm]]:
    """Yield the alarms of a graph with their tiers; thresholds have their defaults."""
    defaults = {each["name"]: each["default"] for each in graph["thresholds"]}
    for each in graph["alarms"]:
        yield each["tier"], alarm_of(each["id"], _properties(each, defaults))


def metric_of(metric: Mapping[str, Any]) -> Metric:
    """Return a metric of a graph; a dimension that names a resource has its logical id."""
    return Metric.named(metric["namespace"] or OWN, metric["name"], _dimensions(metric))


def _properties(alarm: Mapping[str, Any], defaults: Mapping[str, int]) -> dict[str, Any]:
    stats = [
        {
            "Id": name,
            "ReturnData": not alarm["terms"],
            "MetricStat": {
                "Metric": {
                    "Namespace": metric["namespace"] or OWN,
                    "MetricName": metric["name"],
                    "Dimensions": [
                        {"Name": key, "Value": value} for key, value in _dimensions(metric).items()
                    ],
                },
                "Period": alarm["period"],
                "Stat": metric["statistic"],
            },
        }
        for name, metric in alarm["metrics"].items()
    ]
    expression = " + ".join(alarm["terms"])
    if alarm["within"]:
        expression = Template(expression).substitute(
            {pascal(alarm["within"]): defaults[alarm["within"]]}
        )
    math = [{"Id": "value", "Expression": expression}] if alarm["terms"] else []
    return {
        "Metrics": [*math, *stats],
        "EvaluationPeriods": alarm["periods"],
        "DatapointsToAlarm": alarm["needed"] or alarm["periods"],
        "Threshold": defaults.get(alarm["threshold"], alarm["threshold"]),
        "ComparisonOperator": "LessThanThreshold" if alarm["below"] else "GreaterThanThreshold",
        "TreatMissingData": alarm["missing"],
    }


def _dimensions(metric: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else value["id"]
        for name, value in metric["dimensions"].items()
    }


def with_other(graph: Graph, of: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> Graph:
    """Return the graph with an alarm, by its id, that is otherwise in something."""
    alarms = [alarm | (instead(alarm) if alarm["id"] == of else {}) for alarm in graph["alarms"]]
    assert alarms != graph["alarms"]
    return {**graph, "alarms": alarms}


def of_another(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of an alarm as if they were those of another resource."""
    return {
        "metrics": {
            name: each | {"dimensions": {key: {"id": "Another"} for key in each["dimensions"]}}
            for name, each in alarm["metrics"].items()
        }
    }


def pages(found: Iterable[Told]) -> list[Told]:
    """Return those that need somebody now."""
    return [each for each in found if each.tier == "page"]
