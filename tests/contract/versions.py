"""Alarms on the version of a function that is being deployed, which CodeDeploy alone hears (C33).

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import re
from collections.abc import Iterator

from contract.aliases import VERSION
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import Query, queries
from sls_patterns_cli.wiring.edges.invocations import is_durable

FORM = re.compile(
    r"IF\(failed >= (?P<least>\d+), \d+ \* failed > calls, "
    r"failed >= (?P<only>\d+) AND failed == calls\)"
)
WATCHED = {"calls": "Invocations", "failed": "Errors"}
FAILED_CALLS, ONLY_FAILED_CALLS = 3, 2
# For so long a new version gets a part of the traffic; each minute ends a period.
PERIOD = 300
AS_IT_IS = {
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0,
    "EvaluationPeriods": 1,
    "TreatMissingData": "notBreaching",
}
"""It is 1 or 0, and a minute without calls of the version is no failure."""


def is_of_version(alarm: Resource) -> bool:
    return any("ExecutedVersion" in query.dimensions for query in queries(alarm))


def watch(stack: Stack, alias: Resource, alarms: list[Resource]) -> Iterator[Violation]:
    """Say why the version that an alias is shifted to may fail unnoticed; `alarms` stop it."""
    function, _ = stack.function(alias.get("FunctionName")) or (None, None)
    if function is None or is_durable(function):
        return
    found = [alarm for alarm in alarms if is_of_version(alarm)]
    if not found:
        yield Violation("rollout", alias.name, "no alarm watches the version that is deployed")
    for alarm in found:
        yield from _judges(stack, alias, alarm)


def _judges(stack: Stack, alias: Resource, alarm: Resource) -> Iterator[Violation]:
    by_id = {each.id: each for each in queries(alarm)}
    told = [each for each in alarm.items("Metrics") if each.get("ReturnData", True) is not False]
    expression = str(told[0].get("Expression")) if len(told) == 1 else ""
    form = FORM.fullmatch(expression)
    if (
        form is None
        or int(form["least"]) < FAILED_CALLS
        or int(form["only"]) < ONLY_FAILED_CALLS
        or by_id.keys() != WATCHED.keys()
    ):
        must = (
            f"IF(failed >= {FAILED_CALLS}, n * failed > calls, "
            f"failed >= {ONLY_FAILED_CALLS} AND failed == calls)"
        )
        yield is_but("rollout", alarm.name, "Expression", expression, must)
        return
    for name, query in by_id.items():
        yield from _of_the_version(stack, alias, alarm, query, WATCHED[name])
    version = stack.text(alias.get("FunctionVersion"))
    # One that stays as it is keeps its state, and so stops the deployment of a better version.
    if version not in stack.text(alarm.get("AlarmName")):
        must = f"one that ends with {version}"
        yield is_but("rollout", alarm.name, "AlarmName", stack.text(alarm.get("AlarmName")), must)
    if actions := alarm.get("AlarmActions"):
        must = "missing: the deployment fails, which tells it"
        yield is_but("rollout", alarm.name, "AlarmActions", actions, must)
    for property_name, wanted in AS_IT_IS.items():
        if (given := alarm.get(property_name)) != wanted:
            yield is_but("rollout", alarm.name, property_name, given, str(wanted))


def _of_the_version(
    stack: Stack, alias: Resource, alarm: Resource, query: Query, name: str
) -> Iterator[Violation]:
    function, version = (
        alias.get("FunctionName"),
        stack.named(alias.get("FunctionVersion"), VERSION),
    )
    by = query.dimensions
    resource = f"{stack.text(function)}:{stack.text(alias.get('Name'))}"
    right = (
        by.keys() == {"FunctionName", "Resource", "ExecutedVersion"}
        and stack.text(by["FunctionName"]) == stack.text(function)
        and stack.text(by["Resource"]) == resource
        and version is not None
        and stack.number(query.period) == PERIOD
        and stack.text(by["ExecutedVersion"]) == stack.text(alias.get("FunctionVersion"))
    )
    if not right or (str(query), query.statistic) != (f"AWS/Lambda {name}", "Sum"):
        says = f"{query.id} must be the Sum of {name} of {resource} and the version of {alias.name}"
        yield Violation("rollout", alarm.name, says)
