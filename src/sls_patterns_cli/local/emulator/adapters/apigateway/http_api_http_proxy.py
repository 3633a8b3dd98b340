"""An HTTP API hands requests on to an HTTP system, and its answers back.

AWS: method, path, query, headers and body pass, the path decoded; X-Forwarded headers become one
`Forwarded`, and `Host` is that of the system. Its answer passes as it is, redirects and errors
included; a system that does not answer, or not in time, is 503. Stage variables may stand in the
address, and `overwrite:path` replaces its path.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html#api-gateway-known-issues-http-apis
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html

Emulator: follows redirects, drops all headers of an answer but Content-Type, appends the path to
the address whatever it holds, knows no stage variables there, and waits as long as it likes.
"""

import asyncio
import urllib.parse
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway import http_proxy

OF_THE_CONNECTION = {
    *("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding"),
    "upgrade",
}
NOT_SENT = {"host", *OF_THE_CONNECTION}
FORWARDED = "x-forwarded-"
UNAVAILABLE = (503, {"Content-Type": "application/json"}, b'{"message":"Service Unavailable"}')

_stage_variables: ContextVar[dict[str, str]] = ContextVar("the variables of the stage called")


def apply() -> None:
    replace(apigateway, "_get_stage_variables", "0cf2b6df2ef8", _remembered)
    replace(apigateway, "_invoke_http_proxy", "e5219269adb0", _proxied)


def _remembered(find: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def get_stage_variables(api: str, stage: str) -> dict[str, str]:
        variables = find(api, stage)
        _stage_variables.set(variables)
        return variables

    return get_stage_variables


def _proxied(_invoke: Callable[..., Any]) -> Callable[..., Any]:
    async def invoke_http_proxy(integration: dict[str, Any], *request: Any) -> Any:
        path, method, headers, body, query = request
        address = http_proxy.with_stage_variables(
            integration["integrationUri"], _stage_variables.get({})
        )
        if "overwrite:path" in (integration.get("requestParameters") or {}):
            parts = urllib.parse.urlsplit(address)
            address = f"{parts.scheme}://{parts.netloc}{http_proxy.quoted(path)}"
        if pairs := urllib.parse.urlencode(query or {}, doseq=True):
            address = f"{address}?{pairs}"
        verb = integration.get("integrationMethod")
        verb = method if verb in (None, "ANY") else verb
        sent = [
            (name, value)
            for name, value in headers.items()
            if name not in NOT_SENT and not name.startswith(FORWARDED)
        ]
        sent.append(("Forwarded", f"for=127.0.0.1;host={headers.get('host', '')};proto=https"))
        seconds = int(integration.get("timeoutInMillis", 30_000)) / 1000
        try:
            status, answered, content = await asyncio.to_thread(
                http_proxy.ask, address, verb, sent, body, seconds
            )
        except http_proxy.FAILURES:
            return UNAVAILABLE
        returned: dict[str, list[str]] = {}
        for name, value in answered:
            if name.lower() not in OF_THE_CONNECTION:
                returned.setdefault(name, []).append(value)
        return status, returned, content

    return invoke_http_proxy
