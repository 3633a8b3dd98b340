"""An HTTP API starts a state machine by itself.

AWS: an integration with the subtype StepFunctions-StartExecution calls the service in the name of
the integration's role, with parameters taken from the request, and answers with what the service
said, with 400 if the role may not call it; response parameters may change the status. Without a
role that it may assume it answers 500.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-integration.html

Emulator: knows no subtypes. Here parameters are constants, `$request.body`,
`$request.header.name` or `$request.path.name`; others are refused when the API is made.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import apigateway, stepfunctions
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway import http_api_definition
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume

SUBTYPE = "StepFunctions-StartExecution"
STATUS = "overwrite:statuscode"
FROM_REQUEST = re.compile(r"\$request\.(?:body|(header|path)\.([\w-]+))")

Response = tuple[int, dict[str, Any], bytes]


def apply() -> None:
    http_api_definition.SERVICES[SUBTYPE] = _understood
    replace(provisioners, "_apigw_v2_integration_props", "d1635361889b", _declared)
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


def _declared(keep: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """An integration that is a resource of its own, where OpenAPI has one inside the API."""

    def keep_integration(properties: dict[str, Any]) -> dict[str, Any]:
        subtype = properties.get("IntegrationSubtype")
        if not subtype:
            return keep(properties)
        if subtype not in http_api_definition.SERVICES:
            raise ValueError(f"{subtype} integrations are not served by the local stack yet")
        integration = {
            "credentials": properties["CredentialsArn"],
            "requestParameters": properties["RequestParameters"],
            "responseParameters": {
                status: {each["Destination"]: each["Source"] for each in changes}
                for status, mapped in properties.get("ResponseParameters", {}).items()
                for changes in [mapped["ResponseParameters"]]
            },
        }
        return {**keep(properties), **http_api_definition.SERVICES[subtype](integration)}

    return keep_integration


def _started(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def start_or_invoke(integration: dict[str, Any], *request: Any, **rest: Any) -> Response:
        subtype, _, role = integration["integrationUri"].partition(":")
        if subtype != SUBTYPE:
            return await invoke(integration, *request, **rest)
        if not may_assume("apigateway.amazonaws.com", role):
            return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'
        _api, _stage, _path, _method, headers, body, _query, _route, path_parameters = request
        # What AWS makes of bytes that are no UTF-8 is not documented; the service gets a text.
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        named = {
            "header": {name.lower(): value for name, value in headers.items()},
            "path": path_parameters or {},
        }
        parameters = {
            name[0].lower() + name[1:]: value
            for name, given in integration["requestParameters"].items()
            if (value := _value(given, text, named)) is not None
        }
        if not role_may(role, "states:StartExecution", parameters["stateMachineArn"]):
            says = f"{role} is not authorized to perform: states:StartExecution"
            refusal: Response = error_response_json("AccessDeniedException", says, 400)
            return refusal
        status, _headers, answer = stepfunctions._start_execution(parameters)
        mapped = integration.get("responseParameters", {}).get(str(status), {}).get(STATUS, status)
        return int(mapped), {"Content-Type": "application/json"}, answer

    return start_or_invoke


def _value(given: str, body: str, named: dict[str, dict[str, str]]) -> str | None:
    match = FROM_REQUEST.fullmatch(given)
    if not match:
        return given
    where, name = match.groups()
    if where is None:
        return body
    return named[where].get(name.lower() if where == "header" else name)
