"""What must hold of an integration that reaches a system in a VPC through a VPC link.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html
"""

import re
from collections.abc import Iterator
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.apis import api_of, integrations

LINK = "AWS::ApiGatewayV2::VpcLink"
HTTP = "AWS::ApiGatewayV2::Api"
LISTENER = ":listener/"
PATH, HOST = "overwrite:path", "overwrite:header.host"


def private_link_violations(stack: Stack) -> Iterator[Violation]:
    """Say where an API would not reach such a system, or reach it as another one."""
    for part, integration in integrations(stack):
        api = api_of(stack, part)
        if integration.get("connectionType") != "VPC_LINK" or api.type != HTTP:
            continue
        if stack.named(integration.get("connectionId"), LINK) is None:
            says = "is called through a VPC link that is not one of this stack"
            yield Violation("private", part.name, says)
        target = integration.get("uri") or integration.get("integrationUri")
        if not _is_listener(stack, target):
            must = "the ARN of a listener, and not of its load balancer (fact O81)"
            yield is_but("private", part.name, "its address", stack.text(target), must)
        if not _verified(integration):
            says = "must verify a server's name, or it calls the listener by HTTP (fact O82)"
            yield Violation("private", part.name, says)
        for mapped in (PATH, HOST):
            if mapped not in (integration.get("requestParameters") or {}):
                says = f"must have {mapped}: the system gets the API's own otherwise (fact O83)"
                yield Violation("private", part.name, says)


def _is_listener(stack: Stack, target: Any) -> bool:
    """Tell whether it is the ARN of a listener, or a parameter that takes nothing else."""
    text = stack.text(target)
    named = re.fullmatch(r"\$\{(\w+)\}", text)
    if named:
        declared: dict[str, Any] = stack.parameters.get(named[1]) or {}
        text = str(declared.get("AllowedPattern"))
    return LISTENER in text


def _verified(integration: dict[str, Any]) -> bool:
    told = integration.get("tlsConfig") or {}
    return any(name.lower() == "servernametoverify" for name in told)
