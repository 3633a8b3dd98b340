"""The dashboard of every graph: each alarm, each end and each function is on it, in its place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT

GRAPHS = sorted((ROOT / "templates/patterns").glob("*/graphs/*.json"))
LONGEST_TITLE = 100
MOST_TOGETHER = 5
"""Lines of one graph: more cannot be told apart."""


@pytest.fixture(params=GRAPHS, ids=lambda file: f"{file.parents[1].name}/{file.stem}")
def graph(request: pytest.FixtureRequest) -> dict[str, Any]:
    return graph_of(request.param)


def graph_of(file: Path) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(file.read_text())
    return graph


def widgets(graph: dict[str, Any]) -> list[dict[str, Any]]:
    return [widget for row in graph["dashboard"]["rows"] for widget in row]


def shown(graph: dict[str, Any], *names: str) -> Iterator[str]:
    """Yield the logical ids of what publishes these metrics, once a line."""
    for widget in widgets(graph):
        for line in widget["lines"]:
            if line["metric"]["name"] in names:
                first = next(iter(line["metric"]["dimensions"].values()))
                yield first["id"]


def test_each_alarm_is_on_top_once_the_pages_first(graph: dict[str, Any]) -> None:
    statuses = graph["dashboard"]["alarms"]
    tiers = [status["tier"] for status in statuses]
    of = {alarm["id"]: alarm["tier"] for alarm in graph["alarms"]}
    told = [(alarm, status["tier"]) for status in statuses for alarm in status["alarms"]]

    assert tiers == sorted(tiers)
    assert sorted(told) == sorted(of.items())
    top = graph["dashboard"]["top"]
    assert min(widget["y"] for widget in widgets(graph)) == 0
    assert all(status["y"] + status["text_height"] + status["height"] <= top for status in statuses)


def test_the_dashboard_says_when_each_alarm_goes_off(graph: dict[str, Any]) -> None:
    after = {alarm["id"].removesuffix("Alarm"): alarm["after"] for alarm in graph["alarms"]}
    for status in graph["dashboard"]["alarms"]:
        for alarm, when in zip(status["alarms"], status["when"], strict=True):
            name = alarm.removesuffix("Alarm")
            assert when.removesuffix(", if it is here") == f"{name} {after[name]}"
            assert when in status["text"]


def test_each_end_of_failures_is_a_number_on_the_dashboard(graph: dict[str, Any]) -> None:
    ends = {each["id"] for each in graph["dead_letter_queues"] + graph["set_aside_queues"]}
    numbers = {
        line["label"]
        for widget in widgets(graph)
        if widget["view"] == "singleValue"
        for line in widget["lines"]
    }

    assert numbers == ends


def test_errors_and_durations_of_each_function_are_there(graph: dict[str, Any]) -> None:
    functions = {graph["nodes"][name]["id"]: graph["nodes"][name] for name in graph["functions"]}

    assert set(shown(graph, "Errors")) == set(shown(graph, "Duration")) == functions.keys()
    for widget in widgets(graph):
        for line in widget["lines"]:
            if line["metric"]["name"] == "Duration":
                function = functions[line["metric"]["dimensions"]["FunctionName"]["id"]]
                limit = {"label": "timeout", "value": 1000 * function["timeout"]}
                assert widget["limit"] == limit


def test_rows_are_in_the_order_of_the_edges_and_fill_the_grid(graph: dict[str, Any]) -> None:
    tops = []
    for row in graph["dashboard"]["rows"]:
        assert sum(widget["width"] for widget in row) == 24
        assert [widget["x"] for widget in row] == [
            sum(each["width"] for each in row[:place]) for place in range(len(row))
        ]
        (top,) = {widget["y"] for widget in row}
        tops.append(top)
    assert tops == sorted(set(tops))
    ends = [each["queue"] for edge in graph["edges"] for each in edge["failures"] if each["queue"]]
    kept = [end for end in shown(graph, "ApproximateNumberOfMessagesVisible") if end in ends]
    assert list(dict.fromkeys(kept)) == list(dict.fromkeys(ends))


def test_titles_are_short_and_lines_can_be_told_apart(graph: dict[str, Any]) -> None:
    for widget in widgets(graph):
        legend = [line["label"] or line["metric"]["name"] for line in widget["lines"]]
        assert 0 < len(widget["title"]) <= LONGEST_TITLE
        assert '"' not in widget["title"]
        assert len(legend) == len(set(legend))
        assert len(legend) <= MOST_TOGETHER or widget["view"] == "singleValue"
