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
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.apigateway import http_proxy

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

Answer = tuple[int, dict[str, list[str]], bytes]


def apply() -> None:
    replace(apigateway_v1, "_invoke_http_proxy_v1", "794bf003ceed", _proxied)
    replace(apigateway_v1, "_call_integration", "SIGNATURE", _on_its_stage)


def _proxied(_invoke: Callable[..., Any]) -> Callable[..., Any]:
    async def invoke_http_proxy(integration: dict[str, Any], *request: Any) -> Any:
        _path, method, headers, body, query, path_parameters = request
        address = _address(integration, path_parameters or {}, query)
        verb = integration.get("httpMethod")
        verb = method if verb in (None, "ANY") else verb
        seconds = int(integration["timeoutInMillis"]) / 1000
        try:
            return await asyncio.to_thread(_request, address, verb, headers, body, seconds)
        except TimeoutError:
            return apigateway_v1._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
        except http_proxy.FAILURES:
            problem = "Network error communicating with endpoint"
            return apigateway_v1._gw_error("INTEGRATION_FAILURE", problem)

    return invoke_http_proxy
