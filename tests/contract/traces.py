"""Traces: what a trace misses of a request, nobody sees.

https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enabling-xray.html
"""

from collections.abc import Callable, Iterator
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.model import MACHINE
from sls_patterns_cli.wiring.policies import managed_policies, may, role_of

TRACING: dict[str, tuple[tuple[str, ...], Callable[[Any], bool], str]] = {
    "AWS::Lambda::Function": (("TracingConfig", "Mode"), lambda mode: mode == "Active", "Active"),
    MACHINE: (("TracingConfiguration", "Enabled"), bool, "true"),
    "AWS::ApiGateway::Stage": (("TracingEnabled",), bool, "true"),
}
"""By type: what says that it sends traces, and how."""

ACTIONS = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
"""What a role needs that sends traces; a stage sends them by a role of the service."""

MANAGED = {"AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess"}
"""The policies of AWS that allow them and to read sampling rules, which have no resources either.

SAM gives one of them to each role that it makes for what sends traces:
https://github.com/aws/serverless-application-model/blob/develop/samtranslator/model/xray_utils.py
"""


def trace_violations(stack: Stack) -> Iterator[Violation]:
    """Say what of a stack with traces sends none, or may not."""
    able = list(stack.of_type(*TRACING))
    if not any(_traces(each) or _may_send(stack, each) == ACTIONS for each in able):
        return
    for each in able:
        place, _, wanted = TRACING[each.type]
        if not _traces(each):
            must = f"{wanted}, as the traces of this stack end here"
            yield is_but("Y3", each.name, ".".join(place), each.get(*place), must)
        elif role_of(stack, each):
            for action in sorted(set(ACTIONS) - set(_may_send(stack, each))):
                yield Violation("Y4", each.name, f"its role must be allowed {action}")


def _traces(resource: Resource) -> bool:
    place, is_on, _ = TRACING[resource.type]
    return is_on(resource.get(*place))


def _may_send(stack: Stack, resource: Resource) -> tuple[str, ...]:
    """Return those of the actions that the role of a resource allows."""
    role = role_of(stack, resource)
    if role and MANAGED & set(managed_policies(stack, role)):
        return ACTIONS
    return tuple(action for action in ACTIONS if may(stack, role, action, "*"))
