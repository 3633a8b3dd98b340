"""A REST API hands requests on to an HTTP system, and its answers back, as they are.

AWS: method, path, query, headers and body pass, and so does the answer, redirects and errors
included, apart from headers that are dropped or renamed; a system that does not answer in time or
at all is 504.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html#api-gateway-known-issues-rest-apis
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html

Emulator: follows redirects, drops all headers of an answer but Content-Type, and waits as long as
it likes.
"""

import asyncio
import http.client
import urllib.parse
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1

from sls_patterns_cli.local.adapters import replace

# Of one connection, so that they mean nothing on the next.
# https://www.rfc-editor.org/rfc/rfc9110#name-connection-specific-fields
OF_THE_CONNECTION = {"connection", "keep-alive", "te", "transfer-encoding", "upgrade"}
NOT_SENT = {"host", "content-length", *OF_THE_CONNECTION}
NOT_RETURNED = {"content-length", *OF_THE_CONNECTION}
RENAMED = {"date", "server", "www-authenticate"}

Answer = tuple[int, dict[str, list[str]], bytes]


def apply() -> None:
    replace(apigateway_v1, "_invoke_http_proxy_v1", "794bf003ceed", _proxied)


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
        except (OSError, http.client.HTTPException):
            problem = "Network error communicating with endpoint"
            return apigateway_v1._gw_error("INTEGRATION_FAILURE", problem)

    return invoke_http_proxy


def _address(
    integration: dict[str, Any], path_parameters: dict[str, str], query: dict[str, Any]
) -> str:
    address = str(integration["uri"])
    for target, source in (integration.get("requestParameters") or {}).items():
        kind, _, name = target.removeprefix("integration.request.").partition(".")
        if kind != "path" or not source.startswith("method.request.path."):
            raise ValueError(f"{target}: {source} is not served by the local stack yet")
        value = path_parameters.get(source.removeprefix("method.request.path."), "")
        address = address.replace(f"{{{name}}}", urllib.parse.quote(value, safe="/:@!$&'()*+,;=~"))
    pairs = urllib.parse.urlencode(query or {}, doseq=True)
    return f"{address}?{pairs}" if pairs else address


def _request(
    address: str, method: str, headers: dict[str, str], body: bytes, seconds: float
) -> Answer:
    parts = urllib.parse.urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=seconds)
    try:
        sent = {name: value for name, value in headers.items() if name.lower() not in NOT_SENT}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target or "/", body or None, sent)
        answer = connection.getresponse()
        returned: dict[str, list[str]] = {}
        for name, value in answer.getheaders():
            if name.lower() not in NOT_RETURNED:
                prefix = "x-amzn-Remapped-" if name.lower() in RENAMED else ""
                returned.setdefault(f"{prefix}{name}", []).append(value)
        return answer.status, returned, answer.read()
    finally:
        connection.close()
