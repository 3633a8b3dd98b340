"""What must hold of an API that checks the tokens of an OpenID provider by itself.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

import re
from collections.abc import Iterator
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack

API, AUTHORIZER, ROUTE = (f"AWS::ApiGatewayV2::{kind}" for kind in ("Api", "Authorizer", "Route"))
EXTENSION = "x-amazon-apigateway-authorizer"
SOURCE = re.compile(r"\$request\.(header|querystring)\.[\w-]+")


def token_violations(stack: Stack) -> Iterator[Violation]:
    """Say which tokens would be accepted that must not be, and where none would be."""
    for api in stack.of_type(API):
        yield from _definition(stack, api)
    for authorizer in stack.of_type(AUTHORIZER):
        if authorizer.get("AuthorizerType") == "JWT":
            given = authorizer.get("JwtConfiguration") or {}
            configuration = {name.lower(): value for name, value in given.items()}
            source = next(iter(authorizer.get("IdentitySource") or ()), None)
            yield from _authorizer(stack, authorizer.name, source, configuration)
    for route in stack.of_type(ROUTE):
        if route.get("AuthorizationType") == "JWT" and not route.get("AuthorizationScopes"):
            yield _without_scope(route.name, str(route.get("RouteKey")))


def _definition(stack: Stack, api: Resource) -> Iterator[Violation]:
    """Say what is wrong in the OpenAPI definition of an API."""
    body = api.get("Body") or {}
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    found = {name: scheme.get(EXTENSION) or {} for name, scheme in schemes.items()}
    checking = {name: each for name, each in found.items() if each.get("type") == "jwt"}
    for each in checking.values():
        source, configuration = each.get("identitySource"), each.get("jwtConfiguration") or {}
        yield from _authorizer(stack, api.name, source, configuration)
    if checking and api.get("FailOnWarnings") not in (True, "true"):
        must = "true: a provider that does not answer leaves an API without routes (fact N4)"
        yield is_but("token", api.name, "FailOnWarnings", api.get("FailOnWarnings"), must)
    for path, operations in (body.get("paths") or {}).items():
        for method, operation in operations.items():
            if any(name in checking and not scopes for name, scopes in _security(operation)):
                yield _without_scope(api.name, f"{method.upper()} {path}")


def _authorizer(
    stack: Stack, name: str, source: Any, configuration: dict[str, Any]
) -> Iterator[Violation]:
    if not SOURCE.fullmatch(str(source)):
        yield is_but("token", name, "identitySource", source, "$request.header.<name>")
    issuer = configuration.get("issuer")
    if not _form(stack, issuer).startswith("https://"):
        yield is_but("token", name, "issuer", issuer, "an https address (fact N1)")
    if not _audiences(stack, configuration.get("audience")):
        must = "set: else a token for any other service would do (fact N2)"
        yield is_but("token", name, "audience", configuration.get("audience"), must)


def _form(stack: Stack, value: Any) -> str:
    """The value; of a parameter, the form that it must have."""
    if isinstance(value, dict) and value.get("Ref") in stack.parameters:
        return str(stack.parameters[value["Ref"]].get("AllowedPattern", ""))
    return str(value)


def _audiences(stack: Stack, value: Any) -> Any:
    """The audiences; of a parameter without a default, whoever deploys must give them."""
    if isinstance(value, dict) and value.get("Ref") in stack.parameters:
        return stack.parameters[value["Ref"]].get("Default", value)
    return value


def _security(operation: Any) -> Iterator[tuple[str, Any]]:
    for requirement in (operation.get("security") or []) if isinstance(operation, dict) else []:
        yield from requirement.items()


def _without_scope(resource: str, route: str) -> Violation:
    says = f"{route} requires no scope: an ID token opens it as well (fact N3)"
    return Violation("token", resource, says)
