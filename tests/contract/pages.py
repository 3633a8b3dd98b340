"""What must hold of an API that pages of other origins may call.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
"""

from collections.abc import Iterator
from typing import Any

from contract.authorization import Route, gateway_responses, routes_of
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack

PREFLIGHT = ("ANY", "OPTIONS", "$DEFAULT", "X-AMAZON-APIGATEWAY-ANY-METHOD")
"""The methods of routes that also match a preflight request, which has no credentials."""

DEFAULTS = ("DEFAULT_4XX", "DEFAULT_5XX")
ALLOWED = "gatewayresponse.header.Access-Control-Allow-Origin"


def page_violations(stack: Stack) -> Iterator[Violation]:
    """Say which requests browsers would not send, or would send in vain."""
    routes = routes_of(stack)
    for api in stack.of_type("AWS::ApiGatewayV2::Api"):
        given = _configuration(api)
        if given:
            yield from _configured(api, given)
            for route in routes[api.name]:
                yield from _preflight(route)
                yield from _authorized(api, given, route)
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        asked = [route for route in routes[api.name] if route.preflight]
        for route in asked:
            yield from _preflight(route)
        if asked:
            yield from _readable(stack, api)


def _readable(stack: Stack, api: Resource) -> Iterator[Violation]:
    """Say which refusals of a REST API look like an error of the network to a page."""
    given = gateway_responses(stack, api.name)
    for kind in sorted({*given, *DEFAULTS}):
        headers = given.get(kind, {}).get("responseParameters") or {}
        if ALLOWED not in headers:
            must = (
                "set: API Gateway adds it to nothing, and one type has none of another (fact O28)"
            )
            yield is_but("page", api.name, f"Access-Control-Allow-Origin of {kind}", None, must)


def _configuration(api: Resource) -> dict[str, Any]:
    """Return what an API allows to pages of other origins, by names in lower case."""
    body = api.get("Body") or {}
    given = api.get("CorsConfiguration") or body.get("x-amazon-apigateway-cors") or {}
    return {name.lower(): value for name, value in given.items()}


def _configured(api: Resource, given: dict[str, Any]) -> Iterator[Violation]:
    if given.get("allowcredentials") in (True, "true") and "*" in given.get("alloworigins", ()):
        must = "origins: API Gateway refuses credentials for any origin (fact O8)"
        yield is_but("page", api.name, "AllowOrigins with AllowCredentials", "*", must)


def _preflight(route: Route) -> Iterator[Violation]:
    method, _, _ = route.name.partition(" ")
    if route.authorization and method.upper() in PREFLIGHT:
        says = f"{route.name} asks preflight requests who calls: browsers do not say (fact N7)"
        yield Violation("page", route.resource, says)


def _authorized(api: Resource, given: dict[str, Any], route: Route) -> Iterator[Violation]:
    allowed = [str(name).lower() for name in given.get("allowheaders", ())]
    # For a request with Authorization, browsers do not take * for all headers.
    if route.authorization and "authorization" not in allowed:
        must = f"with Authorization, which {route.name} needs (fact O7)"
        yield is_but("page", api.name, "AllowHeaders", given.get("allowheaders"), must)
