"""A REST API invokes a function only with its permission.

AWS: without a resource-based policy of the function that allows it the caller gets 500. An answer
may have a null body, as one with the status 204 has.
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions

Emulator: asks for no permission, and fails on a null body.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.iam.permissions import service_may_invoke


def apply() -> None:
    replace(apigateway_v1, "_invoke_lambda_proxy_v1", "5651a96fa7ba", _guarded)


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
