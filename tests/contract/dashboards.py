"""Dashboards that show something: each metric comes, and no stack fails to be deployed with one."""

from collections.abc import Iterator
from itertools import combinations

from contract.alarms import published
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.dashboards.body import COLUMNS, Widget
from sls_patterns_cli.dashboards.reading import DASHBOARD, body_in
from sls_patterns_cli.wiring.alarms import ALARM, Query

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MOST_WIDGETS = 500


def dashboard_violations(stack: Stack) -> Iterator[Violation]:
    """Say why a dashboard cannot be deployed, or shows nothing where it should."""
    for dashboard in stack.of_type(DASHBOARD):
        yield from _name(stack, dashboard)
        try:
            widgets = body_in(stack, dashboard).widgets
        except ValueError as error:
            yield Violation("dashboard", dashboard.name, str(error))
            continue
        if len(widgets) > MOST_WIDGETS:
            must = f"at most {MOST_WIDGETS}"
            yield is_but("dashboard", dashboard.name, "number of widgets", len(widgets), must)
        yield from _grid(dashboard, widgets)
        for widget in widgets:
            yield from _widget(stack, dashboard, widget)


def _name(stack: Stack, dashboard: Resource) -> Iterator[Violation]:
    """All regions of an account share the names of their dashboards (fact Z1)."""
    name = dashboard.get("DashboardName")
    if name is not None and "${AWS::Region}" not in stack.text(name):
        must = "one that tells the region"
        yield is_but("dashboard", dashboard.name, "DashboardName", stack.text(name), must)


def _grid(dashboard: Resource, widgets: tuple[Widget, ...]) -> Iterator[Violation]:
    for widget in widgets:
        if widget.x + widget.width > COLUMNS:
            says = f"{widget.title!r} is wider than the grid of {COLUMNS} columns"
            yield Violation("dashboard", dashboard.name, says)
    for one, other in combinations(widgets, 2):
        if (
            one.x < other.x + other.width
            and other.x < one.x + one.width
            and one.y < other.y + other.height
            and other.y < one.y + one.height
        ):
            says = f"{one.title!r} and {other.title!r} are at the same place"
            yield Violation("dashboard", dashboard.name, says)


def _widget(stack: Stack, dashboard: Resource, widget: Widget) -> Iterator[Violation]:
    name = dashboard.name
    if widget.kind == "alarm":
        arns = {f"${{{alarm.name}.Arn}}" for alarm in stack.of_type(ALARM)}
        for alarm in widget.alarms:
            if alarm not in arns:
                yield Violation("dashboard", name, f"{alarm} is no alarm of this stack")
        return
    if widget.kind == "text":
        return
    if not widget.title:
        yield Violation("dashboard", name, "a widget has no title")
    if not widget.metrics:
        yield Violation("dashboard", name, f"{widget.title!r} shows no metric")
    if widget.region != "${AWS::Region}":
        must = "that of the stack"
        yield is_but("dashboard", name, f"region of {widget.title!r}", widget.region or None, must)
    for metric in widget.metrics:
        of = metric.namespace, metric.name, dict(metric.dimensions)
        yield from published(stack, "dashboard", name, Query("", *of, metric.statistic, 60))
