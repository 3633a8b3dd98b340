"""Each call of an API is a line in the log group that its stage names, in the stage's format.

AWS: the format has `$context` variables, and one without a value becomes `-`. What is refused is
logged as well. Quotes in a value are not escaped, so a line of JSON with some is no JSON. The path
has the name of the stage in front, unless that is `$default`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
https://github.com/DataBiosphere/azul/issues/4348

Emulator: keeps the settings of an HTTP API, forgets those of a REST API, and logs no call. Here a
line is there at once, where AWS takes some minutes, and these alone have values: the call, its
route, status and time, its caller's address and user agent, the trace, and of a caller whom the
API has authorized itself the claims or the ARN.
"""

import re
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from ministack import app
from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import new_uuid
from ministack.core.router import extract_access_key_id
from ministack.services import apigateway, apigateway_v1
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway.http_api_tokens import claims_of
from sls_patterns_cli.local.emulator.adapters.lambda_ import traces
from sls_patterns_cli.local.emulator.adapters.logs.lines import put_line

VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.]*[A-Za-z0-9_])")
SETTINGS = {"destinationArn": "DestinationArn", "format": "Format"}
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

Headers = dict[str, str]
Call = tuple[str, str, str, str]
"""The API, its stage, the method and the path without the stage."""

_call: ContextVar[Call | None] = ContextVar("the call of an API that is served", default=None)


def apply() -> None:
    replace(app, "_enforce_execute_api", "41e437c7b90d", _noted)
    replace(app, "_handle_execute_api_request", "77a20f6d604b", _logged)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"]
    replace(handlers, "create", "eb1c734cddf7", _creating)
    replace(handlers, "update", "6d98ef2a9198", _updating)


def _creating(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_stage(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _keep_settings(properties)
        return created

    return create_stage


def _updating(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_stage(physical_id: str, old: Any, new: dict[str, Any], stack: str) -> Any:
        updated = update(physical_id, old, new, stack)
        _keep_settings(new)
        return updated

    return update_stage


def _keep_settings(properties: dict[str, Any]) -> None:
    given = properties.get("AccessLogSetting") or {}
    kept = {name: given[key] for name, key in SETTINGS.items() if key in given}
    stage = apigateway_v1._stages_v1[properties["RestApiId"]][properties["StageName"]]
    stage["accessLogSettings"] = kept


def _noted(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Note the call where the emulator has found out which API, stage and path it is for."""

    def enforce_execute_api(
        api: str, stage: str, method: str, path: str, *rest: Any, **options: Any
    ) -> Any:
        _call.set((api, stage, method, path))
        return enforce(api, stage, method, path, *rest, **options)

    return enforce_execute_api


def _logged(serve: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def serve_call(*request: Any, **options: Any) -> Any:
        _call.set(None)
        began = time.time()
        response = await serve(*request, **options)
        if response and (call := _call.get()):
            _, _, _, headers, _, query = request
            _log(call, headers, query, response, began)
        return response

    return serve_call


def _log(call: Call, headers: Headers, query: Any, response: Any, began: float) -> None:
    api, stage, _, _ = call
    is_rest = apigateway_v1.find_api_scope(api) is not None
    stages = (apigateway_v1 if is_rest else apigateway).stages_for_api(api)
    settings = stages.get(stage, {}).get("accessLogSettings")
    if not settings:
        return
    context = {
        **_request(call, headers, response, began),
        **(_resource(call) if is_rest else _route(call)),
        **(_caller(call, headers, query) if response[0] not in REFUSED else {}),
    }
    stream = f"{api}/{stage}".replace("$", "")
    line = VARIABLE.sub(partial(_value, context), settings["format"])
    put_line(settings["destinationArn"], stream, line, began)


def _value(context: dict[str, Any], variable: re.Match[str]) -> str:
    value = context.get(variable[1])
    return "-" if value in (None, "") else str(value)


def _request(call: Call, headers: Headers, response: Any, began: float) -> dict[str, Any]:
    api, stage, method, path = call
    status, _, body = response
    moment = datetime.fromtimestamp(began, UTC)
    return {
        "apiId": api,
        "stage": stage,
        "requestId": new_uuid(),
        "requestTime": moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(began * 1000),
        "httpMethod": method,
        "path": path if stage == "$default" else f"/{stage}{path}",
        "protocol": "HTTP/1.1",
        "status": int(status),
        "responseLength": len(body or b""),
        "responseLatency": round((time.time() - began) * 1000),
        "identity.sourceIp": "127.0.0.1",
        "identity.userAgent": headers.get("user-agent"),
        "xrayTraceId": traces.fields(traces.current.get() or "").get("Root"),
    }


def _resource(call: Call) -> dict[str, Any]:
    api, _, method, path = call
    segments = [each for each in path.split("/") if each]
    resource, _ = apigateway_v1._match_resource_tree(api, segments)
    if not {method, "ANY"} & (resource or {}).get("resourceMethods", {}).keys():
        resource, _ = apigateway_v1._match_greedy_fallback(api, segments, method)
    return {"resourcePath": (resource or {}).get("path")}


def _route(call: Call) -> dict[str, Any]:
    api, _, method, path = call
    return {"routeKey": (apigateway._match_route(api, method, path) or {}).get("routeKey")}


def _caller(call: Call, headers: Headers, query: Any) -> dict[str, Any]:
    match app._execute_api_authorization_type(*call):
        case "JWT":
            claims = claims_of(headers.get("authorization", "").rpartition(" ")[2])
            return {f"authorizer.claims.{name}": value for name, value in claims.items()}
        case "AWS_IAM":
            caller = resolve_caller_identity(extract_access_key_id(headers, query)) or {}
            return {"identity.userArn": caller.get("userArn")}
        case _:
            return {}
