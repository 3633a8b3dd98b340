"""An HTTP API starts a state machine, sends a message or puts an event by itself.

AWS: an integration with the subtype StepFunctions-StartExecution, SQS-SendMessage or
EventBridge-PutEvents calls the service in the name of the integration's role, with parameters taken
from the request, and answers with what the service said, with 400 or 403 if the role may not call
it; response parameters may change the status. Without a role that it may assume it answers 500.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-integration.html

Emulator: knows no subtypes. Here parameters are constants, `$request.body`, a part of it such as
`$request.body.order.id`, `$request.header.name`, `$request.querystring.name` or
`$request.path.name`; others are refused when the API is made. Which form the answer of SQS has is
not documented; here it is JSON.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import apigateway, eventbridge, sqs, stepfunctions
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.apigateway import http_api_definition
from sls_patterns_cli.local.emulator.adapters.apigateway.rest_api_service import first_values
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume

STATUS = "overwrite:statuscode"
FROM_REQUEST = re.compile(
    r"\$request\.(?:body(?:\.(?P<part>[\w.-]+))?|(?P<where>header|path|querystring)\.(?P<name>[\w-]+))"
)

Response = tuple[int, dict[str, Any], bytes]
Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """What a subtype calls: an action on the resource with an ARN."""

    action: str
    arn: Callable[[Parameters], str]
    call: Callable[[Parameters], Awaitable[Response]]
    denied: int = 400


def apply() -> None:
    for subtype in SUBTYPES:
        http_api_definition.SERVICES[subtype] = partial(_understood, subtype)
    replace(provisioners, "_apigw_v2_integration_props", "d1635361889b", _declared)
    replace(apigateway, "_invoke_lambda_proxy", "fbe5024fcd36", _called)


def _understood(subtype: str, integration: dict[str, Any]) -> dict[str, Any]:
    """What the emulator keeps of an integration; raises ValueError for one not known here."""
    parameters = integration["requestParameters"]
    for value in parameters.values():
        if value.startswith("$") and not FROM_REQUEST.fullmatch(value):
            raise ValueError(f"the local stack does not know the parameter {value}")
    return {
        "integrationUri": f"{subtype}:{integration['credentials']}",
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


def _called(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def call_or_invoke(integration: dict[str, Any], *request: Any, **rest: Any) -> Response:
        subtype, _, role = integration["integrationUri"].partition(":")
        if subtype not in SUBTYPES:
            return await invoke(integration, *request, **rest)
        if not may_assume("apigateway.amazonaws.com", role):
            return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'
        service = SUBTYPES[subtype]
        parameters = _parameters(integration, request)
        if not role_may(role, service.action, service.arn(parameters)):
            says = f"{role} is not authorized to perform: {service.action}"
            refusal: Response = error_response_json("AccessDeniedException", says, service.denied)
            return refusal
        status, _headers, answer = await service.call(parameters)
        mapped = integration.get("responseParameters", {}).get(str(status), {}).get(STATUS, status)
        return int(mapped), {"Content-Type": "application/json"}, answer

    return call_or_invoke


def _parameters(integration: dict[str, Any], request: tuple[Any, ...]) -> dict[str, str]:
    _api, _stage, _path, _method, headers, body, query, _route, path_parameters = request
    # What AWS makes of bytes that are no UTF-8 is not documented; the service gets a text.
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    named = {
        "header": {name.lower(): value for name, value in headers.items()},
        "path": path_parameters or {},
        "querystring": first_values(query or {}),
    }
    return {
        name: value
        for name, given in integration["requestParameters"].items()
        if (value := _value(given, text, named)) is not None
    }


def _value(given: str, body: str, named: dict[str, dict[str, str]]) -> str | None:
    match = FROM_REQUEST.fullmatch(given)
    if not match:
        return given
    where, name = match["where"], match["name"]
    if where:
        return named[where].get(name.lower() if where == "header" else name)
    return _part(body, match["part"]) if match["part"] else body


def _part(body: str, path: str) -> str | None:
    """What is at a path in a body of JSON, as a text; None where there is nothing."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return None
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) or value is None else json.dumps(value)


async def _start_execution(parameters: Parameters) -> Response:
    request = {name[0].lower() + name[1:]: value for name, value in parameters.items()}
    response: Response = stepfunctions._start_execution(request)
    return response


async def _send_message(parameters: Parameters) -> Response:
    url = parameters["QueueUrl"]
    attributes = json.loads(parameters.get("MessageAttributes", "{}"))
    request = {**parameters, "MessageAttributes": attributes}
    try:
        sent = await sqs._dispatch("SendMessage", request, url)
    except sqs._Err as error:
        response: Response = error_response_json(error.code, error.message, error.status)
        return response
    return 200, {}, json.dumps(sent).encode()


async def _put_event(parameters: Parameters) -> Response:
    entry: dict[str, Any] = {**parameters}
    if "Resources" in entry:
        entry["Resources"] = json.loads(entry["Resources"])
    response: Response = eventbridge._put_events({"Entries": [entry]})
    return response


def _queue(parameters: Parameters) -> str:
    account, name = parameters["QueueUrl"].split("/")[-2:]
    return f"arn:aws:sqs:{get_region()}:{account}:{name}"


def _bus(parameters: Parameters) -> str:
    name = parameters.get("EventBusName", "default")
    place = f"{get_region()}:{get_account_id()}"
    return name if name.startswith("arn:") else f"arn:aws:events:{place}:event-bus/{name}"


SUBTYPES = {
    "EventBridge-PutEvents": Service("events:PutEvents", _bus, _put_event),
    "SQS-SendMessage": Service("sqs:SendMessage", _queue, _send_message, denied=403),
    "StepFunctions-StartExecution": Service(
        "states:StartExecution", lambda given: given["StateMachineArn"], _start_execution
    ),
}
