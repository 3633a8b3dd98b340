"""A template in each form that its conditions may give it, with the edges of each.

An edge or a fault counts if it is there in one of them: what holds must hold in all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sls_patterns_cli.cloudformation.conditions import Choice, choices
from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.stack import Stack, find_all, stack_of
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.wiring.alarms import Told, told
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.edges.invocations import callers_outside
from sls_patterns_cli.wiring.model import Edge, End
from sls_patterns_cli.wiring.ways_back import back

UNRELATED = {
    "Code",
    "Environment",
    "Layers",
    "LoggingConfig",
    "Tags",
    "TracingConfig",
    "VpcConfig",
}
"""Properties that no edge depends on."""

UNRELATED_SERVICES = (
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::DomainName",
    "AWS::AutoScaling",
    "AWS::CertificateManager",
    "AWS::CloudFront",
    "AWS::Cognito",
    "AWS::EC2",
    "AWS::ECS",
    "AWS::ElasticLoadBalancing",
    "AWS::IAM",
    "AWS::RDS",
    "AWS::Route53",
    "AWS::SSM",
    "AWS::WAF",
)
"""Resources that no edge begins or ends at. Roles are read, but not tried each way."""


ENDS = "resource", "outside", "unknown", "none"
TELLINGS: tuple[Told, ...] = True, "unknown", False
"""From the best to the worst."""


@dataclass(frozen=True)
class Route:
    """An edge with who is told of what ends on it, and the way back."""

    edge: Edge
    alarmed: Told
    back: str | None
    form: "Form"
    """The form in which this is so."""


@dataclass(frozen=True)
class Form:
    """What one choice of the conditions deploys; `when` is how it differs from the defaults.

    `values` are those of the parameters that conditions depend on.
    """

    stack: Stack
    when: str
    values: Mapping[str, str]


def forms(source: Source) -> Iterator[Form]:
    """Yield the forms of a template, that of the defaults first."""
    template = source.template
    conditions, parameters = _section(template, "Conditions"), _section(template, "Parameters")
    used = _used(template)
    if circle := _in_circle(conditions):
        raise UserError(f"{source.file}: the condition {circle} refers to itself.")
    found, complete = choices(conditions, parameters, used)
    if not complete:
        source.unread.append("not every combination of its conditions was tried")
    seen = set[tuple[bool, ...]]()
    for choice in found:
        deployed = tuple(map(choice.named, used))
        if deployed not in seen:
            seen.add(deployed)
            stack, when = stack_of(template, choice), _difference(choice, found[0])
            yield Form(stack, when, choice.values)


def unseen(found: list[Form]) -> list[str]:
    """Say which edges there may be that are configured elsewhere."""
    said: dict[str, str] = {}
    for form in found:
        invoked = {edge.target for edge in edges(form.stack) if edge.mechanism == "lambda-async"}
        said |= dict(callers_outside(form.stack, invoked))
    return [
        f"{service} may invoke {name}, which stands elsewhere" for name, service in said.items()
    ]


def routes(found: list[Form]) -> list[Route]:
    """Return the edges of all forms, each once, with the worst that becomes of its failures."""
    worst: dict[tuple[str, str, str, str], Route] = {}
    for form in found:
        for edge in edges(form.stack):
            route = Route(edge, told(form.stack, edge), back(form.stack, edge), form)
            key = edge.source, edge.target, edge.mechanism, edge.declared_by
            if key not in worst or _badness(route) > _badness(worst[key]):
                worst[key] = route
    return list(worst.values())


def end_text(end: End) -> str | None:
    """Return an end as it is printed for programs."""
    return {"none": None, "resource": end.name}.get(end.kind, end.kind)


def _badness(route: Route) -> tuple[int, int]:
    return ENDS.index(route.edge.end.kind), TELLINGS.index(route.alarmed)


def _section(template: Template, name: str) -> Mapping[str, Any]:
    section = template.get(name)
    return section if isinstance(section, dict) else {}


def _used(template: Template) -> list[str]:
    """Return the conditions that edges may depend on."""
    used: dict[str, None] = {}
    for resource in template["Resources"].values():
        if str(resource.get("Type")).startswith(UNRELATED_SERVICES):
            continue
        if isinstance(resource.get("Condition"), str):
            used[resource["Condition"]] = None
        properties = resource.get("Properties")
        for name, value in properties.items() if isinstance(properties, dict) else ():
            if name not in UNRELATED:
                for choice in find_all(value, "Fn::If"):
                    if isinstance(choice, list) and choice:
                        used[str(choice[0])] = None
    return list(used)


def _difference(choice: Choice, default: Choice) -> str:
    changed = [
        f"{name} is {value!r}"
        for name, value in choice.values.items()
        if default.values.get(name) != value
    ]
    return " and ".join(changed)


def _in_circle(conditions: Mapping[str, Any]) -> str | None:
    """Return a condition that refers to itself, be it by way of others; None if there is none."""
    named = {
        name: {str(each) for each in find_all(condition, "Condition")} & conditions.keys()
        for name, condition in conditions.items()
    }
    try:
        TopologicalSorter(named).prepare()
    except CycleError as error:
        return str(error.args[1][0])
    return None
