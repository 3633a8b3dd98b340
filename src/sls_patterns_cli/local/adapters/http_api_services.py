"""An HTTP API starts a state machine by itself.

AWS: an integration with the subtype StepFunctions-StartExecution calls the service in the name of
the integration's role, with parameters taken from the request, and answers with what the service
said; response parameters may change the status.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html

Emulator: knows no subtypes. Here parameters are constants, `$request.body` or
`$request.header.name`; others are refused when the API is made.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway, stepfunctions

from sls_patterns_cli.local.adapters import http_api_definition, replace
from sls_patterns_cli.local.adapters.permissions import role_may

SUBTYPE = "StepFunctions-StartExecution"
STATUS = "overwrite:statuscode"
FROM_REQUEST = re.compile(r"\$request\.(?:body|header\.([\w-]+))")

Response = tuple[int, dict[str, Any], bytes]


def apply() -> None:
    http_api_definition.SERVICES[SUBTYPE] = _understood
    replace(apigateway, "_invoke_lambda_proxy", "fbe5024fcd36", _started)


def _understood(integration: dict[str, Any]) -> dict[str, Any]:
    """What the emulator keeps of an integration; raises ValueError for one not known here."""
    parameters = integration["requestParameters"]
    for value in parameters.values():
        if value.startswith("$") and not FROM_REQUEST.fullmatch(value):
            raise ValueError(f"the local stack does not know the parameter {value}")
    return {
        "integrationUri": f"{SUBTYPE}:{integration['credentials']}",
        "requestParameters": parameters,
        "responseParameters": integration.get("responseParameters", {}),
    }


def _started(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def start_or_invoke(integration: dict[str, Any], *request: Any, **rest: Any) -> Response:
        subtype, _, role = integration["integrationUri"].partition(":")
        if subtype != SUBTYPE:
            return await invoke(integration, *request, **rest)
        _api, _stage, _path, _method, headers, body, *_ = request
        text = body.decode() if isinstance(body, bytes) else body
        lowered = {name.lower(): value for name, value in headers.items()}
        parameters = {
            name[0].lower() + name[1:]: value
            for name, given in integration["requestParameters"].items()
            if (value := _value(given, text, lowered)) is not None
        }
        if not role_may(role, "states:StartExecution", parameters["stateMachineArn"]):
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        status, _headers, answer = stepfunctions._start_execution(parameters)
        mapped = integration["responseParameters"].get(str(status), {}).get(STATUS, status)
        return int(mapped), {"Content-Type": "application/json"}, answer

    return start_or_invoke


def _value(given: str, body: str, headers: dict[str, str]) -> str | None:
    match = FROM_REQUEST.fullmatch(given)
    if not match:
        return given
    return headers.get(match[1].lower()) if match[1] else body
