"""An HTTP API invokes a function only with its permission, and hides how a function fails.

AWS: without a resource-based policy of the function that allows it, and when the function ends
in an error, the caller gets 500 with `{"message":"Internal Server Error"}`. The policy names the
route, with `{id}` as it is written there. An answer may have a null body, as one with 204 has.
A 502 that the function itself answers is passed on as it is.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions

Emulator: asks for no permission, answers 502 with the function's error and stack trace, which is
no different from a function that answers 502 itself, and fails on a null body.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import service_may_invoke

Response = tuple[int, dict[str, Any], bytes]

INTERNAL_SERVER_ERROR: Response = (
    500,
    {"Content-Type": "application/json"},
    b'{"message":"Internal Server Error"}',
)

_answered: ContextVar[list[bool]] = ContextVar("answered")
"""Whether the function of an HTTP API's request has answered; empty until it has ended."""


def apply() -> None:
    replace(apigateway, "_invoke_lambda_proxy", "fbe5024fcd36", _guarded)
    replace(lambda_svc, "lambda_execute_result_to_api_proxy_response", "36f0ed215e85", _noted)


def _noted(convert: Callable[..., Any]) -> Callable[..., Any]:
    def convert_result(result: dict[str, Any]) -> Any:
        _answered.get([]).append(not result.get("error"))
        return convert(result)

    return convert_result


def _guarded(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def invoke_function(
        integration: dict[str, Any],
        api: str,
        stage: str,
        path: str,
        method: str,
        *rest: Any,
        **options: Any,
    ) -> Response:
        function_arn = apigateway._extract_lambda_ref_from_integration_uri(
            integration["integrationUri"]
        )
        _headers, _body, _query, key = rest[:4]
        route = f"{method}{key.partition(' ')[2]}" if " " in key else key
        source_arn = f"arn:aws:execute-api:{get_region()}:{get_account_id()}:{api}/{stage}/{route}"
        if not service_may_invoke(function_arn, "apigateway.amazonaws.com", source_arn):
            return INTERNAL_SERVER_ERROR
        answered: list[bool] = []
        _answered.set(answered)
        status, headers, body = await invoke(
            integration, api, stage, path, method, *rest, **options
        )
        if status == 502 and not any(answered):
            return INTERNAL_SERVER_ERROR
        return status, headers, body or b""

    return invoke_function
