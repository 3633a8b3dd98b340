"""A function takes and returns 6 MB at most; an asynchronous invocation takes 1 MB.

AWS: an invocation with a larger event is refused with RequestTooLargeException (413), and an API
answers 413 in its place. A function whose response is larger has failed: an API answers 502.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html

Emulator: has no limit in either way.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_.function_errors import FunctionError

REQUEST_BYTES = 6 * 1024 * 1024
ASYNCHRONOUS_BYTES = 1024 * 1024
RESPONSE_BYTES = REQUEST_BYTES + 100
"""The limit that Lambda names in its error."""

TOO_LONG = {
    "statusCode": 413,
    "headers": {"Content-Type": "application/json"},
    "body": json.dumps({"message": "Request Too Long"}),
}
TOO_LARGE = FunctionError(
    errorType="Function.ResponseSizeTooLarge",
    errorMessage=(
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
    ),
)


def apply() -> None:
    replace(lambda_svc, "_invoke", "ab193779e5c2", _limited)
    replace(lambda_svc, "_execute_function_with_config_scope", "26a9d5f64e17", _limited_for_apis)
    replace(lambda_svc, "_execute_function_warm", "62b9218bef5b", _response_limited)


def size(payload: Any) -> int:
    """Return the bytes of a payload as JSON without white space."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass"))


def _limited(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoke_function(
        name: str, event: Any, headers: dict[str, str], *rest: Any, **options: Any
    ) -> Any:
        kind = headers.get("x-amz-invocation-type") or headers.get("X-Amz-Invocation-Type")
        if refused := refusal(event, kind):
            return refused
        return await invoke(name, event, headers, *rest, **options)

    return invoke_function


def refusal(event: Any, kind: str | None) -> Any:
    """Return the answer to an invocation of this kind whose event is too large, if it is."""
    limit = ASYNCHRONOUS_BYTES if kind == "Event" else REQUEST_BYTES
    if size(event) <= limit:
        return None
    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    return error_response_json("RequestTooLargeException", message, 413)


def _limited_for_apis(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function(function: dict[str, Any], event: Any, *rest: Any) -> Any:
        if _comes_from_an_api(event) and size(event) > REQUEST_BYTES:
            return {"error": True, "body": TOO_LONG}
        return execute(function, event, *rest)

    return execute_function


def _comes_from_an_api(event: Any) -> bool:
    return isinstance(event, dict) and "apiId" in event.get("requestContext", {})


def _response_limited(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function(*arguments: Any) -> Any:
        result = execute(*arguments)
        if not result.get("error") and size(result.get("body")) > RESPONSE_BYTES:
            return {**result, "body": TOO_LARGE}
        return result

    return execute_function
