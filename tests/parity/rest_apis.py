"""REST APIs as plain statements, whether they are an OpenAPI body or resources and methods."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from contract.edges import path_of

from sls_patterns_cli.cloudformation.stack import Resource, Stack

Statement = tuple[str, str, str]
"""A subject, what is said of it, and the value."""

IAM = "AWS_IAM"
"""The type of authorization, and what SAM calls its security scheme."""
EXTENSION = "x-amazon-apigateway-"
ANY_METHOD = f"{EXTENSION}any-method"

# CloudFormation's names of what makes an integration, and those of OpenAPI.
INTEGRATION = {
    "Type": "type",
    "IntegrationHttpMethod": "httpMethod",
    "Uri": "uri",
    "RequestParameters": "requestParameters",
    "RequestTemplates": "requestTemplates",
    "PassthroughBehavior": "passthroughBehavior",
    "TimeoutInMillis": "timeoutInMillis",
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigateway-method-integration.html
DEFAULTS = {"passthroughBehavior": "when_no_match", "timeoutInMillis": 29000}


def statements(
    stack: Stack, name: Callable[[str], str], text: Callable[[Any], str]
) -> Iterator[Statement]:
    """Return what is said of all REST APIs of a stack.

    `name` gives the name of a logical id, `text` that of a value, as they are in every flavour.
    """
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        called = name(api.name)
        body = api.get("Body") or {}
        binary = body.get(f"{EXTENSION}binary-media-types") or api.get("BinaryMediaTypes") or []
        yield called, "binary media types", str(binary)
        for subject, described in _routes(stack, api, body):
            for what, value in described.items():
                # SAM writes the partition out in what it derives from a function's event.
                said = text(value).replace("arn:aws:", "arn:${AWS::Partition}:")
                yield f"route {called} {subject}", what, said
        for route, model in _bodies(stack, api, body):
            yield f"route {called} {route}", "body", json.dumps(model, sort_keys=True)
        for guarded, guard in _guards(stack, api, body):
            yield f"route {called} {guarded}", "authorizer", guard and name(guard)
        for guard, described in _authorizers(stack, api, body):
            for what, value in described.items():
                yield f"authorizer {called} {name(guard)}", what, text(value)
        for kind, response in _gateway_responses(stack, api, body):
            for what, value in response.items():
                yield f"answer of {called} to {kind}", what, str(value)


def credentials(stack: Stack) -> Iterator[tuple[Resource, Resource]]:
    """Return each API with the roles in whose names its routes call services."""
    for api in stack.of_type("AWS::ApiGateway::RestApi"):
        found = [
            operation[f"{EXTENSION}integration"].get("credentials")
            for _, operation in _operations(api.get("Body") or {})
        ]
        found += [method.get("Integration", "Credentials") for method in _methods(stack, api)]
        roles = {r.name: r for r in map(stack.by_arn, filter(None, found)) if r}
        for role in roles.values():
            yield api, role


def _routes(
    stack: Stack, api: Resource, body: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for route, operation in _operations(body):
        integration = operation[f"{EXTENSION}integration"]
        answers = [
            _answer("" if pattern == "default" else pattern, response)
            for pattern, response in integration.get("responses", {}).items()
        ]
        yield route, _described(integration, answers, operation.get("responses") or {})
    for method in _methods(stack, api):
        given = method.get("Integration")
        integration = {INTEGRATION[key]: given[key] for key in INTEGRATION if key in given}
        answers = [
            _answer(
                response.get("SelectionPattern", ""),
                {
                    "statusCode": response["StatusCode"],
                    "responseTemplates": response.get("ResponseTemplates", {}),
                },
            )
            for response in given.get("IntegrationResponses") or []
        ]
        statuses = [response["StatusCode"] for response in method.get("MethodResponses") or []]
        route = f"{method.get('HttpMethod')} {path_of(stack, method.get('ResourceId')) or '/'}"
        yield route, _described(integration, answers, statuses)


def _bodies(
    stack: Stack, api: Resource, body: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each route with the schemas of its bodies, where a validator compares them."""
    schemas = (body.get("components") or {}).get("schemas") or {}
    validator = f"{EXTENSION}request-validator"
    for route, operation in _operations(body):
        chosen = operation.get(validator, body.get(validator))
        rules = (body.get(f"{validator}s") or {}).get(chosen) or {}
        content = (operation.get("requestBody") or {}).get("content") or {}
        if rules.get("validateRequestBody"):
            yield route, {kind: _whole(each["schema"], schemas) for kind, each in content.items()}
    for method in _methods(stack, api):
        compares = stack.named(method.get("RequestValidatorId"))
        if compares and compares.get("ValidateRequestBody"):
            models = {
                kind: stack.named(each)
                for kind, each in (method.get("RequestModels") or {}).items()
            }
            route = f"{method.get('HttpMethod')} {path_of(stack, method.get('ResourceId')) or '/'}"
            yield (
                route,
                {
                    kind: {key: each for key, each in model.get("Schema").items() if key[0] != "$"}
                    for kind, model in models.items()
                    if model
                },
            )


def _whole(schema: Any, schemas: dict[str, Any]) -> Any:
    """Return a schema of a definition with those that it refers to."""
    if isinstance(schema, list):
        return [_whole(each, schemas) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {key: _whole(each, schemas) for key, each in schema.items()}


def _guards(stack: Stack, api: Resource, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return each route with the authorizer in front of it, "" where there is none."""
    for route, operation in _operations(body):
        required = operation.get("security") or []
        yield route, next((name for each in required for name in each), "")
    for method in _methods(stack, api):
        guard = stack.named(method.get("AuthorizerId"))
        route = f"{method.get('HttpMethod')} {path_of(stack, method.get('ResourceId')) or '/'}"
        by_type = IAM if method.get("AuthorizationType") == IAM else ""
        yield route, guard.name if guard else by_type


def _authorizers(
    stack: Stack, api: Resource, body: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    schemes = body.get("securityDefinitions") or body.get("components", {}).get("securitySchemes")
    for name, scheme in (schemes or {}).items():
        described = scheme.get(f"{EXTENSION}authorizer")
        if described is None:  # IAM has none
            continue
        header = described.get("identitySource") or f"method.request.header.{scheme['name']}"
        yield (
            name,
            {
                "type": described["type"].upper(),
                "seconds": described["authorizerResultTtlInSeconds"],
                "header": header,
            },
        )
    for authorizer in stack.of_type("AWS::ApiGateway::Authorizer"):
        if stack.named(authorizer.get("RestApiId")) == api:
            yield (
                authorizer.name,
                {
                    "type": authorizer.get("Type"),
                    "seconds": authorizer.get("AuthorizerResultTtlInSeconds"),
                    "header": authorizer.get("IdentitySource"),
                },
            )


def _described(integration: dict[str, Any], answers: list[str], statuses: Any) -> dict[str, Any]:
    flat: dict[str, Any] = {**DEFAULTS}
    for what, value in integration.items():
        if isinstance(value, dict) and what in ("requestParameters", "requestTemplates"):
            flat.update({f"{what}.{key}": inner for key, inner in value.items()})
        elif what in INTEGRATION.values():
            flat[what] = value
    for what in ("type", "passthroughBehavior"):
        flat[what] = flat[what].lower()
    return {**flat, "answers": " ".join(sorted(answers)), "statuses": str(sorted(statuses))}


def _answer(pattern: str, response: dict[str, Any]) -> str:
    return f"({pattern}) => {response['statusCode']} {response.get('responseTemplates', {})}"


def _gateway_responses(
    stack: Stack, api: Resource, body: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, response in body.get(f"{EXTENSION}gateway-responses", {}).items():
        yield kind, _gateway_response(response)
    for response in stack.of_type("AWS::ApiGateway::GatewayResponse"):
        if stack.named(response.get("RestApiId")) == api:
            given = {f"{name[0].lower()}{name[1:]}": v for name, v in response.properties.items()}
            yield str(response.get("ResponseType")), _gateway_response(given)


def _gateway_response(response: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": response.get("statusCode"),
        "parameters": sorted((response.get("responseParameters") or {}).items()),
        "templates": response.get("responseTemplates") or {},
    }


def _operations(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            yield f"{'ANY' if method == ANY_METHOD else method.upper()} {path}", operation


def _methods(stack: Stack, api: Resource) -> Iterator[Resource]:
    for method in stack.of_type("AWS::ApiGateway::Method"):
        if stack.named(method.get("RestApiId")) == api:
            yield method
