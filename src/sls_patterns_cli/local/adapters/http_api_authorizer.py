"""An HTTP API invokes its authorizer only with the authorizer's permission.

AWS: without a resource-based policy of the function that allows it the caller gets 500.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

Emulator: asks for no permission.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.permissions import service_may_invoke


def apply() -> None:
    replace(apigateway, "_invoke_request_authorizer_lambda", "185d9afad9dc", _guarded)


def _guarded(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoke_authorizer(
        authorizer: dict[str, Any], event: dict[str, Any], account: str, region: str
    ) -> Any:
        function = apigateway._extract_lambda_ref_from_integration_uri(authorizer["authorizerUri"])
        api = event["requestContext"]["apiId"]
        identity = f"{api}/authorizers/{authorizer['authorizerId']}"
        source = f"arn:aws:execute-api:{region}:{account}:{identity}"
        if not service_may_invoke(function, "apigateway.amazonaws.com", source):
            return None  # the caller is answered with 500
        return await invoke(authorizer, event, account, region)

    return invoke_authorizer
