"""An HTTP API has the CORS configuration of its resource, and its refusals have CORS headers.

AWS: `CorsConfiguration` of the resource is the API's. A page of an allowed origin also reads what
API Gateway answers by itself, such as that an authorizer refuses its token.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
https://github.com/aws/aws-sam-cli/issues/9087

Emulator: keeps the configuration by the names that CloudFormation has for its parts, which it does
not find again, so preflight requests get 403. Only what an integration answers has the headers.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace

PROPERTY = "CorsConfiguration"


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    replace(handlers, "create", "0002e18b4198", _create)
    replace(handlers, "update", "d12d60c12ed7", _update)
    replace(apigateway, "_handle_execute_in_scope", "aa60b8b0dfaa", _with_headers)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_api(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        return create(logical_id, _named(properties), stack)

    return create_api


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_api(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str
    ) -> Any:
        return update(physical_id, _named(old), _named(new), stack, logical_id)

    return update_api


def _named(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties, with the parts of the configuration by the names of the API's own calls."""
    if not properties.get(PROPERTY):
        return properties
    parts = {name[0].lower() + name[1:]: value for name, value in properties[PROPERTY].items()}
    return {**properties, PROPERTY: parts}


def _with_headers(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def execute_request(
        api: str, stage: str, path: str, method: str, headers: dict[str, str], *rest: Any
    ) -> Any:
        status, answered, body = await execute(api, stage, path, method, headers, *rest)
        configured = apigateway._apis.get(api, {}).get("corsConfiguration")
        if configured and method != "OPTIONS":
            origin = headers.get("origin", "")
            answered = {**answered, **apigateway._cors_response_headers(configured, origin)}
        return status, answered, body

    return execute_request
