"""The trace of a call of AWS goes on in the functions that it leads to.

AWS: an SDK in a function sends the header X-Amzn-Trace-Id with each call, and Lambda gives the
invocation that a call leads to the same root, in `_X_AMZN_TRACE_ID`, whether functions send traces
or not. Without a header, the invocation has a root of its own. A function that sends no traces has
no `Parent` and `Sampled` of its own. An HTTP API does not pass on the header of its caller.
https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
https://github.com/aws/aws-xray-sdk-node/pull/651
https://github.com/aws/aws-xray-sdk-java/issues/301

Emulator: gives each invocation of a function with active tracing a root of its own, others none.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import traces


def apply() -> None:
    replace(app, "_dispatch_service_request", "17e5ef6dcfa0", _carried)
    replace(lambda_svc, "_xray_trace_id_for_invocation", "46cbd1c5214a", _of_invocation)


def _carried(dispatch: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def dispatch_service_request(
        method: str, path: str, headers: dict[str, str], *rest: Any
    ) -> Any:
        signed = headers.get("authorization", "")
        calls_aws = signed.startswith("AWS4-HMAC-SHA256") and "/execute-api/" not in signed
        header = headers.get("x-amzn-trace-id") if calls_aws else None
        with traces.carried(header):
            return await dispatch(method, path, headers, *rest)

    return dispatch_service_request


def _of_invocation(_make: Callable[..., Any]) -> Callable[..., str]:
    def trace_header_of(config: dict[str, Any], inbound: str | None = None) -> str:
        upstream = traces.fields(inbound or traces.current.get() or traces.new_header())
        said = {"Root": upstream["Root"]}
        if (config.get("TracingConfig") or {}).get("Mode") == "Active":
            said |= {"Parent": secrets.token_hex(8), "Sampled": upstream.get("Sampled", "1")}
        said["Lineage"] = f"1:{secrets.token_hex(4)}:0"
        return ";".join(f"{name}={value}" for name, value in said.items())

    return trace_header_of
