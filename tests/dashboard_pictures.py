"""The pictures of dashboards, from compiled graphs: what the command draws of the templates."""

from typing import Any

from sls_patterns_cli.dashboards.body import Body, Limit, Metric, Widget
from sls_patterns_cli.dashboards.drawing import svg


def picture(graph: dict[str, Any]) -> str:
    """Return the picture of the dashboard of a compiled graph, with thresholds by default."""
    dashboard = graph["dashboard"]
    defaults = {each["name"]: each["default"] for each in graph["thresholds"]}
    statuses = (
        Widget(
            "alarm",
            each["title"],
            x=0,
            y=each["y"],
            width=24,
            height=each["height"],
            alarms=(*each["alarms"], *(alarm["id"] for alarm in each["optional"])),
        )
        for each in dashboard["alarms"]
    )
    graphs = (_graph(each, defaults) for row in dashboard["rows"] for each in row)
    return svg([Body(dashboard["start"], (*statuses, *graphs))])


def _graph(widget: dict[str, Any], defaults: dict[str, int]) -> Widget:
    limit = widget["limit"]
    return Widget(
        "metric",
        widget["title"],
        x=widget["x"],
        y=widget["y"],
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
