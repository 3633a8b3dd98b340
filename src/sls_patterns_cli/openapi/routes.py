"""The routes of a stack's APIs and who may call them, as API Gateway deploys them.

A definition in the template (SAM) says the same as single resources (CDK).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sls_patterns_cli.cloudformation import conditions
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.cloudformation.stack import (
    Resource,
    Stack,
    inside,
    references,
    stack_of,
)

EXTENSION = "x-amazon-apigateway-"
ANY = "ANY"
METHODS = {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", ANY}
DEFAULT = "$default"
"""The route of an HTTP API for what no other one matches."""


@dataclass(frozen=True)
class Guard:
    """Who checks the callers of a route: IAM, an issuer's tokens, or a function.

    `issuer` is what the template says of the address, with `${Parameter}` for a parameter; a
    function that has it in its environment checks tokens of that issuer.
    """

    kind: Literal["iam", "jwt", "function"]
    issuer: str = ""
    by_function: bool = False


@dataclass(frozen=True)
class Route:
    """A route by its key, such as `GET /products/{product_id}`."""

    method: str
    path: str
    api: Literal["http", "rest"]
    stage: str
    """What precedes the path in an address; "" where nothing does."""
    guard: Guard | None = None
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.path if self.path == DEFAULT else f"{self.method} {self.path}"

    def serves(self, method: str, path: str) -> bool:
        """Tell whether requests of a described operation may come to this route."""
        if self.path == DEFAULT:
            return True
        parts = re.split(r"\{[^}]*?(\+?)\}", self.path)
        # Between the texts stand the signs: a greedy parameter takes several parts of the path.
        pattern = "".join(
            re.escape(part) if index % 2 == 0 else (".+" if part else "[^/]+")
            for index, part in enumerate(parts)
        )
        return self.method in {ANY, method} and re.fullmatch(pattern, path) is not None


def routes(template: Path) -> list[Route]:
    """Return the routes of a template's APIs, of HTTP APIs and of REST APIs.

    Raises:
        UserError: the template cannot be read.
    """
    return [route for source in sources(template) for route in _of(source.template)]


def _of(template: Mapping[str, Any]) -> Iterator[Route]:
    declared = template.get("Conditions") or {}
    choices, _ = conditions.choices(declared, template.get("Parameters") or {}, declared)
    stack = stack_of(template, choices[0])
    for api in stack.of_type("AWS::ApiGatewayV2::Api"):
        if api.get("ProtocolType") in {None, "HTTP"}:
            stage = _stage(stack, api, "AWS::ApiGatewayV2::Stage", "ApiId")
            yield from _defined(stack, api, "http", stage)
            yield from _routes(stack, api, stage)
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        stage = _stage(stack, api, "AWS::ApiGateway::Stage", "RestApiId")
        yield from _defined(stack, api, "rest", stage)
        yield from _methods(stack, api, stage)


def _stage(stack: Stack, api: Resource, type_: str, of: str) -> str:
    stages = [each for each in stack.of_type(type_) if stack.named(each.get(of)) == api]
    name = stack.text(stages[0].get("StageName")) if stages else DEFAULT
    return "" if name == DEFAULT else name


def _defined(
    stack: Stack, api: Resource, kind: Literal["http", "rest"], stage: str
) -> Iterator[Route]:
    """Yield the routes of an API's definition, which is an OpenAPI document with extensions."""
    body = api.get("Body") or {}
    schemes = inside(body, "components", "securitySchemes") or body.get("securityDefinitions") or {}
    for path, operations in (body.get("paths") or {}).items():
        for name, operation in operations.items():
            method = ANY if name == f"{EXTENSION}any-method" else name.upper()
            if method not in METHODS or _is_preflight(method, operation):
                continue
            required: dict[str, list[str]] = next(iter(operation.get("security") or []), {})
            guarding, scopes = next(iter(required.items()), ("", []))
            guard = _guard_of(stack, schemes[guarding]) if guarding in schemes else None
            found = DEFAULT if path == f"/{DEFAULT}" else path
            yield Route(method, found, kind, stage, guard, tuple(scopes))


def _guard_of(stack: Stack, scheme: Mapping[str, Any]) -> Guard:
    if scheme.get(f"{EXTENSION}authtype") == "awsSigv4":
        return Guard("iam")
    authorizer = scheme.get(f"{EXTENSION}authorizer") or {}
    if issuer := inside(authorizer, "jwtConfiguration", "issuer"):
        return Guard("jwt", stack.text(issuer))
    return _guarding_function(stack, authorizer.get("authorizerUri"))


def _guarding_function(stack: Stack, uri: Any) -> Guard:
    for name in references(uri):
        function = stack.function({"Ref": name})
        issuer = function and function[0].get("Environment", "Variables", "ISSUER_URL")
        if issuer:
            return Guard("jwt", stack.text(issuer), by_function=True)
    return Guard("function", by_function=True)


def _is_preflight(method: str, operation: Mapping[str, Any]) -> bool:
    integration = operation.get(f"{EXTENSION}integration") or {}
    return method == "OPTIONS" and str(integration.get("type")).upper() == "MOCK"


def _routes(stack: Stack, api: Resource, stage: str) -> Iterator[Route]:
    for route in stack.of_type("AWS::ApiGatewayV2::Route"):
        if stack.named(route.get("ApiId")) != api:
            continue
        method, _, path = str(route.get("RouteKey")).partition(" ")
        guard = None
        authorizer = stack.named(route.get("AuthorizerId"))
        match route.get("AuthorizationType"):
            case "AWS_IAM":
                guard = Guard("iam")
            case "JWT" if authorizer:
                guard = Guard("jwt", stack.text(authorizer.get("JwtConfiguration", "Issuer")))
            case "CUSTOM" if authorizer:
                guard = _guarding_function(stack, authorizer.get("AuthorizerUri"))
        scopes = tuple(route.get("AuthorizationScopes") or ())
        yield Route(method if path else ANY, path or DEFAULT, "http", stage, guard, scopes)


def _methods(stack: Stack, api: Resource, stage: str) -> Iterator[Route]:
    for method in stack.of_type("AWS::ApiGateway::Method"):
        called = str(method.get("HttpMethod"))
        mock = method.get("Integration", "Type") == "MOCK"
        if stack.named(method.get("RestApiId")) != api or (called == "OPTIONS" and mock):
            continue
        guard = None
        authorizer = stack.named(method.get("AuthorizerId"))
        if method.get("AuthorizationType") == "AWS_IAM":
            guard = Guard("iam")
        elif authorizer:
            guard = _guarding_function(stack, authorizer.get("AuthorizerUri"))
        path = _path(stack, method.get("ResourceId")) or "/"
        yield Route(called, path, "rest", stage, guard)


def _path(stack: Stack, resource_id: Any) -> str:
    """Return the path of a resource of a REST API; of the root it is empty."""
    resource = stack.named(resource_id, "AWS::ApiGateway::Resource")
    if resource is None:
        return ""
    return f"{_path(stack, resource.get('ParentId'))}/{resource.get('PathPart')}"
