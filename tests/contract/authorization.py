"""What must hold of an API whose callers are authorized: no route is open, and refusals hold.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack

APIS = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")
REQUEST = re.compile(r"method\.request\.(header|querystring)\.[\w-]+")
OF_CALLERS = "arn:aws:iam::*:user/*"
"""The credentials with which an API calls what is behind it as its caller."""


@dataclass(frozen=True)
class Route:
    """A method of an API, and who authorizes its callers.

    `proxied` goes to another system. `preflight` is what a REST API answers browsers by itself.
    """

    resource: str
    name: str
    authorization: str | None
    proxied: bool
    credentials: Any
    preflight: bool = False


def authorization_violations(stack: Stack) -> Iterator[Violation]:
    """Say which routes are open beside others that are not, and where a refusal does not hold."""
    for api, routes in routes_of(stack).items():
        authorized = {route.authorization for route in routes if route.authorization}
        for route in routes:
            if authorized and not (route.authorization or route.proxied or route.preflight):
                says = f"{route.name} is open, and other routes of the API are not (fact V1)"
                yield Violation("authorization", route.resource, says)
            if route.credentials == OF_CALLERS:
                must = "those of a role: callers would need the permissions of the API (fact V5)"
                name = f"credentials of {route.name}"
                yield is_but("authorization", route.resource, name, OF_CALLERS, must)
        if "AWS_IAM" in authorized:
            yield from _answers(stack, api)
    for name, authorizer in _request_authorizers(stack):
        yield from _authorizer(stack, name, authorizer)


def routes_of(stack: Stack) -> dict[str, list[Route]]:
    """Return the routes of each API, by its logical id."""
    found: dict[str, list[Route]] = defaultdict(list)
    for api in (each for kind in APIS for each in stack.of_type(kind)):
        for path, operations in ((api.get("Body") or {}).get("paths") or {}).items():
            for method, operation in operations.items():
                integration = operation.get("x-amazon-apigateway-integration") or {}
                required = [name for each in operation.get("security", ()) for name in each]
                found[api.name].append(
                    Route(
                        api.name,
                        f"{method.upper()} {path}",
                        next(iter(required), None),
                        integration.get("type") == "http_proxy",
                        integration.get("credentials"),
                        method == "options" and integration.get("type") == "mock",
                    )
                )
    for method in stack.of_type("AWS::ApiGateway::Method"):
        integration = method.get("Integration") or {}
        found[method.get("RestApiId")["Ref"]].append(
            Route(
                method.name,
                str(method.get("HttpMethod")),
                _authorization(method),
                integration.get("Type") == "HTTP_PROXY",
                integration.get("Credentials"),
                method.get("HttpMethod") == "OPTIONS" and integration.get("Type") == "MOCK",
            )
        )
    proxies = {
        each.name
        for each in stack.of_type("AWS::ApiGatewayV2::Integration")
        if each.get("IntegrationType") == "HTTP_PROXY"
    }
    for route in stack.of_type("AWS::ApiGatewayV2::Route"):
        proxied = not proxies.isdisjoint(_references(route.get("Target")))
        name, authorization = str(route.get("RouteKey")), _authorization(route)
        api_id = route.get("ApiId")["Ref"]
        found[api_id].append(Route(route.name, name, authorization, proxied, None))
    return found


def _authorization(route: Resource) -> str | None:
    kind = route.get("AuthorizationType")
    return None if kind in (None, "NONE") else str(kind)


def _answers(stack: Stack, api: str) -> Iterator[Violation]:
    """Say where an unsigned request would be answered as if there were no such route."""
    status = (
        gateway_responses(stack, api)
        .get("MISSING_AUTHENTICATION_TOKEN", {})
        .get("statusCode", "403")
    )
    if str(status) != "403":
        must = "403: an unsigned request gets the same answer (fact V4)"
        name = "the status of MISSING_AUTHENTICATION_TOKEN"
        yield is_but("authorization", api, name, status, must)


def gateway_responses(stack: Stack, api: str) -> dict[str, dict[str, Any]]:
    """Return what a REST API answers by itself, by the types of its gateway responses."""
    body = stack.resources[api].get("Body") or {}
    return {
        **(body.get("x-amazon-apigateway-gateway-responses") or {}),
        **{
            str(each.get("ResponseType")): {
                f"{name[0].lower()}{name[1:]}": value for name, value in each.properties.items()
            }
            for each in stack.of_type("AWS::ApiGateway::GatewayResponse")
            if each.get("RestApiId") == {"Ref": api}
        },
    }


def _request_authorizers(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the authorizers of REST APIs that get requests, as OpenAPI has them."""
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        schemes = ((api.get("Body") or {}).get("components") or {}).get("securitySchemes") or {}
        for scheme in schemes.values():
            authorizer = scheme.get("x-amazon-apigateway-authorizer") or {}
            if authorizer.get("type") == "request":
                yield api.name, authorizer
    for each in stack.of_type("AWS::ApiGateway::Authorizer"):
        if each.get("Type") == "REQUEST":
            yield (
                each.name,
                {
                    "identitySource": each.get("IdentitySource"),
                    "authorizerUri": each.get("AuthorizerUri"),
                },
            )


def _authorizer(stack: Stack, name: str, authorizer: dict[str, Any]) -> Iterator[Violation]:
    source = authorizer.get("identitySource")
    if not REQUEST.fullmatch(str(source)):
        must = "one header: it is the key of cached verdicts, and without it all get 401 (fact V2)"
        yield is_but("authorization", name, "identitySource", source, must)
    functions = _references(authorizer.get("authorizerUri"))
    permitted = any(
        not functions.isdisjoint(_references(each.get("FunctionName")))
        and "/authorizers/" in json.dumps(each.get("SourceArn"))
        for each in stack.of_type("AWS::Lambda::Permission")
    )
    if not permitted:
        must = "its API, as …/authorizers/*: else every call is answered 500 (fact V3)"
        yield is_but("authorization", name, "who may invoke its function", None, must)


def _references(value: Any) -> set[str]:
    """Return the logical ids that a value refers to."""
    text = json.dumps(value)
    return {
        *re.findall(r'"Ref": "(\w+)"', text),
        *re.findall(r'"Fn::GetAtt": \["(\w+)"', text),
        *re.findall(r"\$\{(\w+)\.Arn\}", text),
    }
