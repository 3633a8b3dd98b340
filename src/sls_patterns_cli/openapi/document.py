"""Puts together the OpenAPI document: routes of the template, what `openapi.yml` says, models."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.openapi.declaration import (
    REFERENCE,
    Declaration,
    Operation,
    Shape,
    Use,
)
from sls_patterns_cli.openapi.models import Models
from sls_patterns_cli.openapi.routes import ANY, DEFAULT, EXTENSION, Guard, Route

VERSION = "3.1.1"
"""Of OpenAPI: schemas of 3.1 are JSON Schema, as Pydantic and Zod write it."""

JSON_TYPE = "application/json"

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What is wrong.",
    "required": ["message"],
    "properties": {
        "message": {"type": "string"},
        "statusCode": {"type": "integer"},
        "errors": {
            "type": "array",
            "description": "What is wrong with single fields.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
"""The body of every error: of API Gateway, of the event handlers of Powertools and of handlers."""

ERROR_SCHEMA = {"$ref": f"{REFERENCE}Error"}

DENIED = {
    "anyOf": [
        ERROR_SCHEMA,
        {
            "type": "object",
            "required": ["Message"],
            "properties": {"Message": {"type": "string"}},
        },
    ]
}
"""The body of a refusal by the policy of a REST API's authorizer: an explicit deny has `Message`.

https://repost.aws/knowledge-center/api-gateway-lambda-authorization-errors
"""

RETRY_AFTER = {
    "description": "The seconds after which a retry may succeed.",
    "schema": {"type": "integer", "minimum": 0},
}

GATEWAY = {
    "http": (429, 500, 503),
    "rest": (429, 500, 502, 503, 504),
}
"""What API Gateway answers to any request by itself: throttling, and what fails behind it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

REFUSALS = {"iam": (403,), "jwt": (401, 403), "function": (401, 403)}
"""What it answers to callers that are not allowed: without credentials, or without permission."""

SIGV4 = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    f"{EXTENSION}authtype": "awsSigv4",
}
"""IAM authorization, as API Gateway's own export writes it."""

DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Service:
    """What neither template nor models say: name, region, address and values of parameters."""

    name: str
    region: str
    server: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def openapi(
    service: Service, routes: Sequence[Route], declared: Declaration, models: Models
) -> dict[str, Any]:
    """Return the document.

    Raises:
        UserError: a route is not described, or what is described is no route.
    """
    _refuse_differences(routes, declared)
    schemes: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    errors: set[int] = set()
    for operation in declared.operations:
        route = _serving(routes, operation)
        refused = _errors(operation, route)
        errors |= refused
        described = _described(operation, refused, models)
        if route.guard:
            name, scheme = _scheme(route.guard, service.parameters)
            schemes[name] = scheme
            described["security"] = [{name: _scopes(route, operation, models)}]
        else:
            described["security"] = []
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    components: dict[str, Any] = {
        "schemas": {"Error": ERROR, **models.components},
        "responses": {
            str(status): _response(status, {}, _error(status, routes)) for status in sorted(errors)
        },
    }
    if schemes:
        components["securitySchemes"] = schemes
    return {
        "openapi": VERSION,
        "info": {"title": service.name, "version": "1", **declared.info},
        "servers": [_server(service, routes)],
        "paths": paths,
        "components": components,
    }


def _refuse_differences(routes: Sequence[Route], declared: Declaration) -> None:
    """Raise UserError unless each route is described or left out, and nothing else is."""
    keys = {route.key for route in routes}
    for route in routes:
        described = any(route.serves(each.method, each.path) for each in declared.operations)
        if not described and route.key not in declared.left_out:
            raise UserError(
                f"{route.key} is a route of the template that {declared.file} does not describe: "
                f"add it there, or '{route.key}: null' to leave it out"
            )
    for operation in declared.operations:
        if not any(route.serves(operation.method, operation.path) for route in routes):
            raise UserError(f"{declared.file}: {operation.key} is no route of the template.")
    if unknown := sorted(declared.left_out - keys):
        raise UserError(f"{declared.file}: {unknown[0]} is no route of the template.")


def _serving(routes: Sequence[Route], operation: Operation) -> Route:
    """Return the route that gets requests of the operation: the one that is most specific.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    able = [route for route in routes if route.serves(operation.method, operation.path)]

    def specific(route: Route) -> tuple[bool, bool, int, bool]:
        exact = route.path == operation.path
        return exact, route.path != DEFAULT, len(route.path), route.method != ANY

    return max(able, key=specific)


def _described(operation: Operation, errors: set[int], models: Models) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": _operation_id(operation)}
    if operation.summary:
        described["summary"] = operation.summary
    parameters = [
        *_parameters(operation, operation.parameters, models, header=False),
        *_parameters(operation, operation.headers, models, header=True),
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        schema = _schema(operation.body, "input", models)
        described["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": schema}}}
    described["responses"] = {
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(errors)},
        **{
            str(status): _response(
                status,
                each.headers,
                None if each.body is None else _schema(each.body, "output", models),
            )
            for status, each in operation.responses.items()
        },
    }
    return described


def _operation_id(operation: Operation) -> str:
    """Return a name such as `getProductsProductId`."""
    words = re.findall(r"[A-Za-z0-9]+", operation.path)
    return operation.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _parameters(
    operation: Operation, group: Shape, models: Models, *, header: bool
) -> Iterator[dict[str, Any]]:
    for name, schema, required in _members(group, "parameter", models):
        in_path = not header and name in operation.in_path
        place = "header" if header else "path" if in_path else "query"
        yield {"name": name, "in": place, "required": required or in_path, "schema": schema}


def _members(group: Shape, use: Use, models: Models) -> Iterator[tuple[str, Any, bool]]:
    """Yield names, schemas and necessity of the fields of a model, or of those that are listed.

    In a list, a `?` behind a name says that it may be left out.
    """
    if isinstance(group, str):
        schema = _resolved(models.schemas[group, use], models)
        required = schema.get("required", [])
        for name, inner in schema.get("properties", {}).items():
            yield name, inner, name in required
    elif isinstance(group, Mapping):
        for name, shape in group.items():
            yield name.removesuffix("?"), _schema(shape, use, models), not name.endswith("?")


def _resolved(schema: Mapping[str, Any], models: Models) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = models.components[reference.rpartition("/")[2]]
    return found


def _schema(shape: Shape, use: Use, models: Models) -> Any:
    if isinstance(shape, str):
        return models.schemas[shape, use]
    if isinstance(shape, Mapping):
        return _with_models(shape, use, models)
    members = [each for part in shape for each in _members(part, use, models)]
    return {
        "type": "object",
        "properties": {name: schema for name, schema, _ in members},
        "required": [name for name, _, required in members if required],
        "additionalProperties": False,
    }


def _with_models(value: Any, use: Use, models: Models) -> Any:
    """Return a JSON Schema in which what refers to a model has its schema."""
    if isinstance(value, list):
        return [_with_models(each, use, models) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "$ref" in value:
        return models.schemas[value["$ref"].removeprefix(REFERENCE), use]
    return {key: _with_models(inner, use, models) for key, inner in value.items()}


def _errors(operation: Operation, route: Route) -> set[int]:
    """Return the statuses whose body is that of all errors."""
    refused = REFUSALS[route.guard.kind] if route.guard else ()
    # What is sent for a parameter of the path may make it the path of no route.
    unknown = [404] if operation.in_path else []
    errors = {*operation.errors, *GATEWAY[route.api], *refused, *unknown}
    return errors - operation.responses.keys()


def _error(status: int, routes: Sequence[Route]) -> Mapping[str, Any]:
    """Return the schema of the body of an error that handlers or API Gateway answer."""
    by_policy = any(
        route.api == "rest" and route.guard and route.guard.by_function for route in routes
    )
    return DENIED if status == HTTPStatus.FORBIDDEN and by_policy else ERROR_SCHEMA


def _response(status: int, headers: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    shown = {name: {"schema": of} for name, of in headers.items()}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        shown["Retry-After"] = RETRY_AFTER
    if shown:
        described["headers"] = shown
    if schema is not None:
        described["content"] = {JSON_TYPE: {"schema": schema}}
    return described


def _scheme(guard: Guard, parameters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return a security scheme and its name.

    The address of an issuer is a parameter of the stack; unless its value is given, the scheme
    says only that callers send a token.
    """
    if guard.kind == "iam":
        return "sigv4", SIGV4
    if guard.kind == "function":
        return "token", {"type": "http", "scheme": "bearer"}
    issuer = re.sub(r"\$\{(\w+)\}", lambda name: parameters.get(name[1], name[0]), guard.issuer)
    if "${" in issuer:
        return "issuer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    url = issuer.rstrip("/") + DISCOVERY
    return "issuer", {"type": "openIdConnect", "openIdConnectUrl": url}


def _scopes(route: Route, operation: Operation, models: Models) -> list[str]:
    """Return the scopes of a route, which the template says, or the code of its authorizer."""
    if not route.guard or not route.guard.by_function:
        return list(route.scopes)
    called = f"{operation.method}{operation.path}"
    return [scope for pattern, scope in models.scopes.items() if fnmatchcase(called, pattern)][-1:]


def _server(service: Service, routes: Sequence[Route]) -> dict[str, Any]:
    if service.server:
        return {"url": service.server}
    stage = next((f"/{route.stage}" for route in routes if route.stage), "")
    return {
        "url": f"https://{{id}}.execute-api.{service.region}.amazonaws.com{stage}",
        "variables": {"id": {"default": "api", "description": "The output ApiId of the stack."}},
    }
