"""The pictures of dashboards, from compiled graphs: what the command draws of the templates."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from sls_patterns_cli.dashboards.body import Body, Limit, Metric, Widget
from sls_patterns_cli.dashboards.drawing import svg


def picture(graph: dict[str, Any]) -> str:
    """Return the picture of a graph's dashboard as a template, which knows gradual deployments.

    They add alarms on top, and move all else; so a few lines differ, and no picture is twice there.
    """
    dashboard = graph["dashboard"]
    at_once = _drawn(graph, dashboard).splitlines()
    gradual = _drawn(graph, {**dashboard, **graph["rollout"]["dashboard"]}).splitlines()
    lines: list[str] = []
    matched = SequenceMatcher(None, at_once, gradual, autojunk=False).get_opcodes()
    for what, start, end, other, other_end in matched:
        if what == "equal":
            lines += at_once[start:end]
        else:
            lines += ["{% if canary %}", *gradual[other:other_end]]
            lines += ["{% else %}", *at_once[start:end]] if end > start else []
            lines += ["{% endif %}"]
    return "\n".join([*lines, ""])


def _drawn(graph: dict[str, Any], dashboard: dict[str, Any]) -> str:
    """Return the picture with thresholds by default."""
    defaults = {each["name"]: each["default"] for each in graph["thresholds"]}
    statuses = (widget for each in dashboard["alarms"] for widget in _status(each))
    graphs = (_graph(each, dashboard["top"], defaults) for row in dashboard["rows"] for each in row)
    return svg([Body(dashboard["start"], (*statuses, *graphs))])


def _status(status: dict[str, Any]) -> Iterator[Widget]:
    title, y, height = status["title"], status["y"], status["height"]
    alarms = tuple(status["alarms"])
    yield Widget("alarm", title, x=0, y=y, width=24, height=height, alarms=alarms)
    high, text = status["text_height"], status["text"]
    yield Widget("text", "", x=0, y=y + height, width=24, height=high, text=text)


def _graph(widget: dict[str, Any], top: int, defaults: dict[str, int]) -> Widget:
    limit = widget["limit"]
    return Widget(
        "metric",
        widget["title"],
        x=widget["x"],
        y=top + widget["y"],
        width=widget["width"],
        height=widget["height"],
        view=widget["view"],
        metrics=tuple(
            Metric("", each["metric"]["name"], (), "", 0, each["label"]) for each in widget["lines"]
        ),
        limits=(Limit(limit["label"], str(defaults.get(limit["value"], limit["value"]))),)
        if limit
        else (),
    )
