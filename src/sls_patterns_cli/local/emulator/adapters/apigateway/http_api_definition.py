"""An HTTP API has the routes that its OpenAPI definition describes.

AWS: `Body` of an `AWS::ApiGatewayV2::Api` is imported: one route for each path and method, one
integration for each `x-amazon-apigateway-integration`, one authorizer for each security scheme that
has an `x-amazon-apigateway-authorizer`; `awsSigv4` as `x-amazon-apigateway-authtype` is IAM. That
is how SAM writes every HttpApi.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-api.html

Emulator: ignores `Body`; the API has no routes.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace

METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
ANY_METHOD = "x-amazon-apigateway-any-method"
DEFAULT_PATH = "/$default"
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTHORIZATION_TYPE = "x-amazon-apigateway-authtype"
OPEN = "NONE"
"""What SAM names, without a scheme of this name, where a route has no authorization."""

SERVICES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""How the emulator keeps an integration of each subtype that another adapter serves."""


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    replace(handlers, "create", "0002e18b4198", _create)
    replace(handlers, "update", "d12d60c12ed7", _update)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_api(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, _with_definition(properties), stack)
        _import_routes(created[0], properties)
        return created

    return create_api


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_api(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
    ) -> Any:
        updated = update(
            physical_id, _with_definition(old), _with_definition(new), stack, logical_id
        )
        _import_routes(updated[0], new)
        return updated

    return update_api


def _with_definition(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties, with those that the definition holds."""
    definition = properties.get("Body")
    if not definition:
        return properties
    derived: dict[str, Any] = {"Name": definition.get("info", {}).get("title")}
    if cors := definition.get("x-amazon-apigateway-cors"):
        derived["CorsConfiguration"] = cors
    return {**derived, **properties}


def _import_routes(api: str, properties: dict[str, Any]) -> None:
    definition = properties.get("Body")
    if not definition:
        return
    apigateway._routes[api] = {}
    apigateway._integrations[api] = {}
    apigateway._authorizers[api] = {}
    schemes = definition.get("components", {}).get("securitySchemes", {})
    authorizations = {
        name: _authorization(api, name, scheme)
        for name, scheme in schemes.items()
        if scheme.keys() & {AUTHORIZER, AUTHORIZATION_TYPE}
    }
    for path, operations in definition.get("paths", {}).items():
        for method, operation in operations.items():
            if method == ANY_METHOD:
                verb = "ANY"
            elif method in METHODS:
                verb = method.upper()
            else:
                continue
            key = "$default" if path == DEFAULT_PATH else f"{verb} {path}"
            authorization: dict[str, Any] = {}
            for scheme in operation.get("security", definition.get("security")) or []:
                ((name, scopes),) = scheme.items()
                if name == OPEN:
                    continue
                if name not in authorizations:
                    raise ValueError(f"{key}: {name} is not served by the local stack yet")
                authorization = dict(authorizations[name])
                if authorization["authorizationType"] == "JWT":
                    authorization["authorizationScopes"] = scopes
            _add_route(api, key, operation["x-amazon-apigateway-integration"], authorization)


def _authorization(api: str, name: str, scheme: dict[str, Any]) -> dict[str, Any]:
    """How the routes of a security scheme are authorized; adds its authorizer, if it has one."""
    if AUTHORIZER not in scheme:
        if scheme[AUTHORIZATION_TYPE] != "awsSigv4":
            raise ValueError(f"{name}: {scheme[AUTHORIZATION_TYPE]} is not served locally yet")
        return {"authorizationType": "AWS_IAM"}
    authorizer = scheme[AUTHORIZER]
    described = {**authorizer, "name": name, "authorizerType": authorizer["type"].upper()}
    if authorizer["type"] == "jwt":
        described["identitySource"] = [authorizer["identitySource"]]
    elif authorizer["type"] != "request":
        raise ValueError(f"{name}: {authorizer['type']} authorizers are not served locally yet")
    created = _created(apigateway._create_authorizer(api, described))
    kind = "JWT" if authorizer["type"] == "jwt" else "CUSTOM"
    return {"authorizationType": kind, "authorizerId": created["authorizerId"]}


def _add_route(
    api: str, key: str, integration: dict[str, Any], authorization: dict[str, Any]
) -> None:
    kind, subtype = integration["type"].upper(), integration.get("integrationSubtype")
    if kind not in {"AWS_PROXY", "HTTP_PROXY"} or (subtype and subtype not in SERVICES):
        raise ValueError(
            f"{key}: {subtype or kind} integrations are not served by the local stack yet"
        )
    described = (
        SERVICES[subtype](integration)
        if subtype
        else {
            "integrationUri": integration["uri"],
            "requestParameters": integration.get("requestParameters", {}),
        }
    )
    created = _created(
        apigateway._create_integration(
            api,
            {
                **described,
                "integrationType": kind,
                "integrationMethod": integration.get("httpMethod", "POST"),
                "payloadFormatVersion": integration.get("payloadFormatVersion", "1.0"),
                "timeoutInMillis": integration.get("timeoutInMillis", 30000),
            },
        )
    )
    target = f"integrations/{created['integrationId']}"
    _created(apigateway._create_route(api, {"routeKey": key, "target": target, **authorization}))


def _created(response: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, body = response
    content: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(str(content))
    return content
