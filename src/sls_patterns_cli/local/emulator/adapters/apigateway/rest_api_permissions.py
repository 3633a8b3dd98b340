"""A REST API invokes a function only with its permission, and tells callers nothing of its errors.

AWS: without a resource-based policy of the function that allows it the caller gets 500, be it the
function of a method or of an authorizer. An answer may have a null body, as one with the status 204
has. If the function fails, the caller gets 502 and `Internal server error`.
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions
https://docs.aws.amazon.com/apigateway/latest/developerguide/handle-errors-in-lambda-integration.html

Emulator: asks for no permission, fails on a null body, and answers with the function's error.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import service_may_invoke


def apply() -> None:
    replace(apigateway_v1, "_invoke_lambda_proxy_v1", "5651a96fa7ba", _guarded)
    replace(apigateway_v1, "_invoke_authorizer_lambda", "5a7f4c427120", _guarded_authorizer)
    replace(apigateway_v1, "_lambda_proxy_response", "3a5b91b76870", _hidden)


def _hidden(shape: Callable[[Any], tuple[Any, str | None]]) -> Callable[[Any], Any]:
    def proxy_response(result: Any) -> tuple[Any, str | None]:
        response, error = shape(result)
        return response, error and "Internal server error"

    return proxy_response


def _guarded(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoke_function(integration: dict[str, Any], *request: Any, **options: Any) -> Any:
        api, stage, _settings, _resource, path, method = request[:6]
        function = apigateway_v1._extract_lambda_ref_from_integration_uri(integration["uri"])
        source = f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api}/{stage}"
        asked = (
            f"{source}/{method}{path.rstrip('/') or '/'}"  # the resource has no slash at its end
        )
        if not service_may_invoke(function, "apigateway.amazonaws.com", asked):
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        status, headers, body = await invoke(integration, *request, **options)
        return status, headers, body or b""

    return invoke_function


def _guarded_authorizer(
    invoke: Callable[..., Awaitable[Any]],
) -> Callable[..., Awaitable[Any]]:
    async def invoke_authorizer(
        authorizer: dict[str, Any], event: dict[str, Any], account: str, region: str
    ) -> Any:
        function = apigateway_v1._extract_lambda_ref_from_integration_uri(
            authorizer["authorizerUri"]
        )
        api, _, _ = event["methodArn"].rpartition(":")[2].partition("/")
        source = f"arn:aws:execute-api:{region}:{account}:{api}/authorizers/{authorizer['id']}"
        if not service_may_invoke(function, "apigateway.amazonaws.com", source):
            return None  # the caller is answered with 500
        return await invoke(authorizer, event, account, region)

    return invoke_authorizer
