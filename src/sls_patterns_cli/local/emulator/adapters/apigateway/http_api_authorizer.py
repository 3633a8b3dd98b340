"""An HTTP API invokes its authorizer only with the authorizer's permission, and says who comes.

AWS: without a resource-based policy of the function that allows it the caller gets 500. An event
of format 1.0 has the values of the identity sources too, joined by commas.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

Emulator: asks for no permission, and leaves the identity out of events of format 1.0.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import service_may_invoke


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
        if authorizer.get("authorizerPayloadFormatVersion") == "1.0":
            event = {"version": "1.0", **_identity(authorizer, event), **event}
        return await invoke(authorizer, event, account, region)

    return invoke_authorizer


def _identity(authorizer: dict[str, Any], event: dict[str, Any]) -> dict[str, str]:
    _, values = apigateway._request_authorizer_identity_sources(
        authorizer["identitySource"],
        event["headers"],
        event["multiValueQueryStringParameters"],
        event["stageVariables"],
    )
    joined = ",".join(values)
    return {"identitySource": joined, "authorizationToken": joined}
