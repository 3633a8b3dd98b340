"""What must hold of an API that hands requests on to an HTTP system."""

import re
from collections.abc import Iterator
from typing import Any

from contract.alarms import API, watched
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.apis import api_of, integrations

REST, REST_STAGE = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"
STAGES = {REST_STAGE: "Variables", "AWS::ApiGatewayV2::Stage": "StageVariables"}

REFERENCE = re.compile(r"\$\{(?P<variable>stageVariables\.)?(?P<name>\w+)[^}]*\}")
EVERYTHING = {"*/*", "*~1*"}
AS_TEXT = "CONVERT_TO_TEXT"
PATH = "$context.path"


def proxy_violations(stack: Stack) -> Iterator[Violation]:
    """Say where requests or answers would not pass, or a change of the address not take effect."""
    for part, integration in integrations(stack):
        kind = str(integration.get("type") or integration.get("integrationType")).upper()
        address = stack.text(integration.get("uri") or integration.get("integrationUri"))
        api = api_of(stack, part)
        if kind == "HTTP_PROXY":
            # No function shows that the system fails.
            yield from watched(stack, api, API[api.type])
            yield from _address(stack, api, address)
            yield from _logs_paths(stack, api)
            if api.type == REST:
                yield from _passes_all(api)
        if kind in {"AWS", "MOCK"} and api.type == REST and _all_binary(api):
            handling = integration.get("contentHandling")
            if handling != AS_TEXT:
                must = f"{AS_TEXT}: its templates read bodies that are binary (fact B11)"
                yield is_but("proxy", api.name, "contentHandling", handling, must)
    yield from _definitions(stack)


def _logs_paths(stack: Stack, api: Resource) -> Iterator[Violation]:
    """All paths of the system have one route, which does not tell them apart."""
    for stage in stack.of_type(*STAGES):
        setting = "AccessLogSetting" if stage.type == REST_STAGE else "AccessLogSettings"
        logged = stack.text(stage.get(setting, "Format"))
        if api_of(stack, stage).name == api.name and PATH not in logged:
            says = f"{setting}.Format must hold {PATH}, or nothing tells what is still used"
            yield Violation("proxy", stage.name, f"{says} (fact O80)")


def _passes_all(api: Resource) -> Iterator[Violation]:
    """A REST API hands on any body, and each path that is not one of its own."""
    if not _all_binary(api):
        says = "must take all media types for binary, or bytes that are no text are lost"
        yield Violation("proxy", api.name, f"{says} (fact B10)")
    if not api.get("Body") or api.get("Mode") != "overwrite":
        says = "must have a Body and the Mode overwrite, or removed paths stay (fact G7)"
        yield Violation("proxy", api.name, says)


def _definitions(stack: Stack) -> Iterator[Violation]:
    """Say what an import of a definition would not take, or would delete."""
    for api in stack.of_type(REST):
        for path, operations in ((api.get("Body") or {}).get("paths") or {}).items():
            if "any" in operations:
                says = f"{path} has the method any, which OpenAPI does not know (fact G1)"
                yield Violation("proxy", api.name, says)
    for response in stack.of_type("AWS::ApiGateway::GatewayResponse"):
        if api_of(stack, response).get("Body"):
            says = "must be in the Body of its API, whose next import deletes it (fact G8)"
            yield Violation("proxy", response.name, says)


def _address(stack: Stack, api: Resource, address: str) -> Iterator[Violation]:
    """The address of the system is in a variable of the stage.

    The deployment of a REST API follows from the template's text, so that it has an address in an
    integration as it was at the last change of that text.
    """
    for found in REFERENCE.finditer(address):
        name = found["name"]
        if found["variable"] and name not in _variables(stack, api):
            yield Violation("proxy", api.name, f"no stage has the variable {name} (fact G2)")
        if not found["variable"] and api.type == REST:
            says = f"its address refers to {name}: a change of it would not be deployed (fact B6)"
            yield Violation("proxy", api.name, says)


def _variables(stack: Stack, api: Resource) -> set[str]:
    return {
        name
        for stage in stack.of_type(*STAGES)
        if api_of(stack, stage) == api
        for name in stage.get(STAGES[stage.type]) or {}
    }


def _all_binary(api: Resource) -> bool:
    body: dict[str, Any] = api.get("Body") or {}
    types = body.get("x-amazon-apigateway-binary-media-types") or api.get("BinaryMediaTypes") or []
    return not EVERYTHING.isdisjoint(types)
