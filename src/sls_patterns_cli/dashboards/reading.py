"""The dashboards of templates, as they would be deployed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sls_patterns_cli.cloudformation import conditions
from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.cloudformation.stack import Resource, Stack, stack_of
from sls_patterns_cli.dashboards.body import Body, Widget, body_of
from sls_patterns_cli.errors import UserError

DASHBOARD = "AWS::CloudWatch::Dashboard"
RESOURCE = re.compile(r"\$\{(\w+)(?:\.\w+)?\}")
ALARM_ARN = re.compile(r"arn:.*:alarm:(.+)")
HASH = re.compile(r"(?<=[a-z])[0-9A-F]{8}$")
"""What CDK adds to the names of constructs:
https://docs.aws.amazon.com/cdk/v2/guide/identifiers.html#identifiers-logical-ids"""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard of a template, by its logical id."""

    file: Path
    id: str
    body: Body


def dashboards(path: Path) -> list[Dashboard]:
    """Return the dashboards of a template, of a `cdk.out` folder, or of any folder with templates.

    Raises:
        UserError: there is no dashboard, or its body cannot be read.
    """
    found = [each for source in sources(path) for each in _of(source)]
    if not found:
        raise UserError(f"{path} has no dashboard: no resource is an {DASHBOARD}.")
    return found


def _of(source: Source) -> Iterator[Dashboard]:
    declared = source.template.get("Conditions") or {}
    choices, _ = conditions.choices(declared, source.template.get("Parameters") or {}, declared)
    stack = stack_of(source.template, choices[0])
    for resource in stack.of_type(DASHBOARD):
        try:
            body = body_in(stack, resource)
        except ValueError as error:
            raise UserError(f"{source.file}: {resource.name}: {error}.") from error
        widgets = tuple(_named(source, stack, widget) for widget in body.widgets)
        yield Dashboard(source.file, _name(source, resource), replace(body, widgets=widgets))


def body_in(stack: Stack, dashboard: Resource) -> Body:
    """Return the body of a dashboard, with what parameters are by default.

    Raises:
        ValueError: it is not the body of a dashboard; the message says what is wrong with it.
    """
    text = stack.text(dashboard.get("DashboardBody"))
    for name, parameter in stack.parameters.items():
        if isinstance(parameter, dict) and "Default" in parameter:
            text = text.replace(f"${{{name}}}", str(parameter["Default"]))
    return body_of(text)


def _named(source: Source, stack: Stack, widget: Widget) -> Widget:
    """Return the widget with the names of its alarms in the place of their ARNs."""
    return replace(widget, alarms=tuple(_alarm(source, stack, each) for each in widget.alarms))


def _alarm(source: Source, stack: Stack, arn: str) -> str:
    reference = RESOURCE.fullmatch(arn)
    resource = stack.resources.get(reference[1]) if reference else None
    if resource:
        given = resource.get("AlarmName")
        return given if isinstance(given, str) else _name(source, resource)
    called = ALARM_ARN.fullmatch(arn)
    return called[1] if called else arn


def _name(source: Source, resource: Resource) -> str:
    return HASH.sub("", source.name(resource.name))
