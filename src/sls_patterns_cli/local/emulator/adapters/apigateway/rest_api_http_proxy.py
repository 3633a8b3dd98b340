"""A REST API hands requests on to an HTTP system, and its answers back.

AWS: method, path, query, headers and body pass, and so does the answer, redirects and errors
included, apart from headers that are dropped or renamed; a system that does not answer in time or
at all is 504. Path parameters are decoded, and encoded again where they stand in the address.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html#api-gateway-known-issues-rest-apis
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html

Emulator: follows redirects, drops all headers of an answer but Content-Type, knows no stage
variables in addresses, and waits as long as it likes.
"""

import asyncio
import urllib.parse
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway_v1

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway import http_proxy

# The columns `http_proxy` of the table in the important notes on REST APIs.
NOT_SENT = {
    *("content-encoding", "content-length", "content-md5", "expect", "host", "max-forwards"),
    *("proxy-authenticate", "server", "te", "trailer", "transfer-encoding", "upgrade", "via"),
    "www-authenticate",
}
NOT_RETURNED = {
    *("content-length", "expect", "host", "keep-alive", "proxy-authenticate", "te", "trailer"),
    *("transfer-encoding", "upgrade", "via"),
}
RENAMED = {
    *("authorization", "connection", "content-md5", "date", "max-forwards", "server"),
    *("user-agent", "www-authenticate"),
}

BINARY = "*/*"
ADDED_HEADER = "integration.request.header."

_stage_variables: ContextVar[dict[str, str]] = ContextVar("the variables of the stage called")
_binary_types: ContextVar[list[str]] = ContextVar("the binary media types of the API called")


def apply() -> None:
    replace(apigateway_v1, "handle_execute", "c44e927a3e33", _on_its_stage)
    replace(apigateway_v1, "_invoke_http_proxy_v1", "794bf003ceed", _proxied)


def _on_its_stage(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def execute_request(api: str, stage: str, *request: Any) -> Any:
        found = apigateway_v1._stages_v1.get(api, {}).get(stage) or {}
        _stage_variables.set(found.get("variables") or {})
        called = apigateway_v1._rest_apis.get(api) or {}
        _binary_types.set(called.get("binaryMediaTypes") or [])
        return await execute(api, stage, *request)

    return execute_request


def _proxied(_invoke: Callable[..., Any]) -> Callable[..., Any]:
    async def invoke_http_proxy(integration: dict[str, Any], *request: Any) -> Any:
        _path, method, headers, body, query, path_parameters = request
        address = _address(integration, path_parameters or {}, query)
        verb = integration.get("httpMethod")
        verb = method if verb in (None, "ANY") else verb
        sent = [(name, headers[name]) for name in headers if name.lower() not in NOT_SENT]
        sent += _added(integration)
        seconds = int(integration.get("timeoutInMillis", 29_000)) / 1000
        try:
            answer = await asyncio.to_thread(
                http_proxy.ask, address, verb, sent, _passed(body), seconds
            )
        except TimeoutError:
            return apigateway_v1._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
        except http_proxy.FAILURES:
            problem = "Network error communicating with endpoint"
            return apigateway_v1._gw_error("INTEGRATION_FAILURE", problem)
        status, answered, content = answer
        returned: dict[str, list[str]] = {}
        for name, value in answered:
            if name.lower() not in NOT_RETURNED:
                prefix = "x-amzn-Remapped-" if name.lower() in RENAMED else ""
                returned.setdefault(f"{prefix}{name}", []).append(value)
        return status, returned, _passed(content)

    return invoke_http_proxy


def _passed(body: bytes) -> bytes:
    """A body as it comes through the API, which takes for UTF-8 what is not said to be binary.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
    """
    binary = BINARY in _binary_types.get([])
    return body if binary or not body else body.decode(errors="replace").encode()


def _added(integration: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers that the integration adds, which here are constants."""
    return [
        (target.removeprefix(ADDED_HEADER), source.strip("'"))
        for target, source in (integration.get("requestParameters") or {}).items()
        if target.startswith(ADDED_HEADER) and source.startswith("'")
    ]


def _address(
    integration: dict[str, Any], path_parameters: dict[str, str], query: dict[str, Any]
) -> str:
    address = http_proxy.with_stage_variables(str(integration["uri"]), _stage_variables.get({}))
    for target, source in (integration.get("requestParameters") or {}).items():
        if target.startswith(ADDED_HEADER) and source.startswith("'"):
            continue
        kind, _, name = target.removeprefix("integration.request.").partition(".")
        if kind != "path" or not source.startswith("method.request.path."):
            raise ValueError(f"{target}: {source} is not served by the local stack yet")
        value = path_parameters.get(source.removeprefix("method.request.path."), "")
        address = address.replace(f"{{{name}}}", http_proxy.quoted(value))
    pairs = urllib.parse.urlencode(query or {}, doseq=True)
    return f"{address}?{pairs}" if pairs else address
