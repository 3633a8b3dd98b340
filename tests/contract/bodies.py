"""What must hold where an API compares bodies with models, and counts what it refuses."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside
from sls_patterns_cli.wiring.alarms import ALARM, queries

JSON = "application/json"
VALIDATOR = "x-amazon-apigateway-request-validator"
INTEGRATION = "x-amazon-apigateway-integration"
FIELD = re.compile(r"\$\.(\w+)")


def body_violations(stack: Stack) -> Iterator[Violation]:
    """Say which bodies nothing compares with the models that the stack has for them (fact C29).

    And which lines of a log are counted for nobody (fact C30).
    """
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        yield from _defined(api)
    for method in stack.of_type("AWS::ApiGateway::Method"):
        if models := method.get("RequestModels"):
            validator = stack.named(method.get("RequestValidatorId"))
            validates = validator.get("ValidateRequestBody") if validator else None
            passes = method.get("Integration", "PassthroughBehavior")
            yield from _compared(method.name, models, validates, passes)

    watched = {
        (query.namespace, query.name) for alarm in stack.of_type(ALARM) for query in queries(alarm)
    }
    for counting in stack.of_type("AWS::Logs::MetricFilter"):
        for each in counting.get("MetricTransformations") or []:
            metric = each.get("MetricNamespace"), each.get("MetricName")
            if metric not in watched:
                says = f"no alarm watches {metric[0]} {metric[1]}"
                yield Violation("C30", counting.name, says)


def _defined(api: Resource) -> Iterator[Violation]:
    body = api.get("Body") or {}
    schemas = inside(body, "components", "schemas") or {}
    models = {f"#/components/schemas/{name}" for name in schemas}
    used: set[str] = set(re.findall(r"#/components/schemas/\w+", str(schemas)))
    for path, operations in (body.get("paths") or {}).items():
        for operation in operations.values():
            content = inside(operation, "requestBody", "content") or {}
            of_path = {kind: inside(each, "schema", "$ref") for kind, each in content.items()}
            used |= {str(each) for each in of_path.values()}
            if not content:
                continue
            name = operation.get(VALIDATOR, body.get(VALIDATOR))
            validates = inside(body, f"{VALIDATOR}s", str(name), "validateRequestBody")
            passes = inside(operation, INTEGRATION, "passthroughBehavior")
            yield from _compared(f"{api.name} {path}", of_path, validates, passes)
    if models != used:
        wrong = ", ".join(sorted(models ^ used))
        yield Violation("C29", api.name, f"{wrong}: each model must be there, and of a route")


def _compared(
    name: str, models: Mapping[str, Any], validates: Any, passes: Any
) -> Iterator[Violation]:
    if str(validates).lower() != "true":
        yield is_but("C29", name, "its validator", validates, "one of bodies")
    if JSON not in models:
        says = f"has a model for {', '.join(models)}, but must have one for {JSON}"
        yield Violation("C29", name, says)
    # A content type without a model is not compared.
    if str(passes).upper() != "NEVER":
        yield is_but("C29", name, "passthroughBehavior", passes, "never")


def counted(
    stack: Stack, rule: str, name: str, metric: tuple[str, str], by: Collection[str]
) -> Iterator[Violation]:
    """Say why no line of an access log counts for a metric by these dimensions (fact C30)."""
    filters = [
        (each, transformed)
        for each in stack.of_type("AWS::Logs::MetricFilter")
        for transformed in each.get("MetricTransformations") or []
        if (transformed.get("MetricNamespace"), transformed.get("MetricName")) == metric
    ]
    if not filters:
        yield Violation(rule, name, f"no metric filter counts {metric[0]} {metric[1]}")
    for each, transformed in filters:
        fields = {*FIELD.findall(str(each.get("FilterPattern")))}
        named = {
            str(dimension.get("Key")): FIELD.sub(r"\1", str(dimension.get("Value")))
            for dimension in transformed.get("Dimensions", [])
        }
        dimensions = {*named.values()}
        if {*named} != {*by}:
            yield is_but("C30", each.name, "Dimensions", ", ".join(named), ", ".join(sorted(by)))
        if lacking := sorted(dimensions - fields):
            says = f"its pattern must name {', '.join(lacking)}, which is a dimension"
            yield Violation("C30", each.name, says)
        if unlogged := sorted((fields | dimensions) - _logged(stack, each)):
            yield Violation("C30", each.name, f"no line of its log group has {', '.join(unlogged)}")


def _logged(stack: Stack, metric_filter: Resource) -> set[str]:
    """Return the fields of the lines that an API writes to the log group of a filter."""
    group = stack.named(metric_filter.get("LogGroupName"))
    formats = (
        stack.text(stage.get("AccessLogSetting", "Format"))
        for stage in stack.of_type("AWS::ApiGateway::Stage")
        if group and stack.named(stage.get("AccessLogSetting", "DestinationArn")) == group
    )
    return {field for each in formats for field in re.findall(r'"(\w+)": ?"\$context', each)}
