"""A REST API calls an AWS service by mapping templates, in the name of the integration's role.

AWS: the request template of the body's media type, in Velocity (VTL), makes the service's request;
the first response whose pattern matches the service's status, else the default, makes the answer.
Without a role that it may assume API Gateway calls nothing and answers 500. A body is treated as
text in UTF-8.
https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html

Emulator: knows no service but SQS, which it does not ask whether the role may send, and of VTL no
conditions, loops and most of `$context`.
"""

import base64
import json
import time
import urllib.parse
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import apigateway_v1, firehose, kinesis, sqs, stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume

JSON = "application/json"

TARGETS = {
    "firehose": "Firehose_20150804",
    "kinesis": "Kinesis_20131202",
    "states": "AWSStepFunctions",
}

Response = tuple[int, dict[str, str], bytes]
Call = Callable[[str, str, str], Awaitable[Response]]
"""Takes what the integration's address says of action or resource, the request, and the role."""


def apply() -> None:
    replace(apigateway_v1, "_invoke_lambda_custom_v1", "79d47dae9d00", _served)
    replace(apigateway_v1, "_invoke_sqs_v1", "f1a9ab93150a", _served)


def _served(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoke_service(integration: dict[str, Any], *request: Any, **options: Any) -> Any:
        spec = apigateway_v1._parse_service_integration_uri(integration.get("uri", ""))
        if not spec or spec[1] not in SERVICES:
            return await invoke(integration, *request, **options)
        _region, service, _kind, address = spec
        role = str(integration.get("credentials"))
        if not may_assume("apigateway.amazonaws.com", role):
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        api, stage, settings, resource, path, method, headers, body, query, in_path = request[:10]
        context = {
            "requestId": new_uuid(),
            "requestTimeEpoch": int(time.time() * 1000),
            "accountId": get_account_id(),
            "apiId": api,
            "stage": stage,
            "httpMethod": method,
            "path": f"/{stage}{path}",
            "resourcePath": resource["path"],
            "responseOverride": {"header": {}},
        }
        params = ChainMap(in_path or {}, first_values(query or {}), headers)
        given = (params, settings.get("variables") or {})
        kind = (apigateway_v1._header_ci(headers, "content-type") or JSON).split(";")[0].strip()
        template = (integration.get("requestTemplates") or {}).get(kind)
        text = body.decode(errors="replace") if body else ""
        try:
            rendered = text if template is None else render(template, text, context, *given)
            status, _, answer = await SERVICES[service](address, rendered, role)
        except ValueError:
            return apigateway_v1._gw_error("BAD_REQUEST_BODY", "Invalid request body")
        return _answer(integration, status, answer.decode(), context, given)

    return invoke_service


def first_values(query: dict[str, Any]) -> dict[str, str]:
    """Return the first value of each parameter of a query."""
    return {name: value[0] if isinstance(value, list) else value for name, value in query.items()}


def _answer(
    integration: dict[str, Any],
    status: int,
    text: str,
    context: dict[str, Any],
    given: tuple[Mapping[str, str], Mapping[str, str]],
) -> Response:
    chosen = apigateway_v1._select_service_integration_response(integration, status)
    if chosen is None:
        return 500, {"Content-Type": JSON}, b'{"message": "Internal server error"}'
    template = (chosen.get("responseTemplates") or {}).get(JSON)
    content = text if template is None else render(template, text, context, *given)
    override = context["responseOverride"]
    status = override.get("status", chosen["statusCode"])
    return int(status), {"Content-Type": JSON} | override["header"], content.encode()


async def _kinesis(action: str, request: str, role: str) -> Response:
    stream = _arn("kinesis", f"stream/{json.loads(request).get('StreamName', '')}")
    return await _json_action(kinesis, f"kinesis:{action}", stream, request, role)


async def _firehose(action: str, request: str, role: str) -> Response:
    name = json.loads(request).get("DeliveryStreamName", "")
    delivery = _arn("firehose", f"deliverystream/{name}")
    return await _json_action(firehose, f"firehose:{action}", delivery, request, role)


async def _states(action: str, request: str, role: str) -> Response:
    machine = json.loads(request).get("stateMachineArn", "")
    return await _json_action(stepfunctions, f"states:{action}", machine, request, role)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


async def _json_action(service: Any, action: str, arn: str, request: str, role: str) -> Response:
    """Call a service that speaks JSON, which is told the action by a header."""
    prefix, _, name = action.partition(":")
    if not role_may(role, action, arn):
        denied = {"__type": "AccessDeniedException", "message": f"may not {name} on {arn}"}
        return 400, {}, json.dumps(denied).encode()
    headers = {"x-amz-target": f"{TARGETS[prefix]}.{name}"}
    response: Response = await service.handle_request("POST", "/", headers, request.encode(), {})
    return response


async def _sqs(queue: str, request: str, role: str) -> Response:
    """Call SQS by its query protocol, whose answer API Gateway gets as JSON."""
    fields = {key: value for key, (value, *_) in urllib.parse.parse_qs(request).items()}
    account, _, name = queue.partition("/")
    action, arn = fields.get("Action", ""), f"arn:aws:sqs:{get_region()}:{account}:{name}"
    if not role_may(role, f"sqs:{action}", arn):
        error = {"Code": "AccessDenied", "Message": f"may not {action} on {arn}"}
        return 403, {}, json.dumps({"Error": error}).encode()
    url = sqs._queue_url_for_account(account, name)
    try:
        result = await sqs._dispatch(
            action, sqs._normalise(action, fields) | {"QueueUrl": url}, url
        )
    except sqs._Err as error:
        return error.status, {}, json.dumps({"Error": {"Code": error.code}}).encode()
    return 200, {}, json.dumps({f"{action}Response": {f"{action}Result": result}}).encode()


SERVICES: dict[str, Call] = {
    "firehose": _firehose,
    "kinesis": _kinesis,
    "sqs": _sqs,
    "states": _states,
}


def render(
    template: str,
    body: str,
    context: dict[str, Any],
    params: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """A mapping template, filled in; raises ValueError when the body is not JSON but read as such.

    `params` are those of the request, and `variables` those of the stage.

    Some of VTL's own corners are those of airspeed, not of API Gateway.
    """
    import airspeed

    values = {"input": _Input(body, params or {}), "util": _Util(), "context": context}
    values["stageVariables"] = dict(variables or {})
    try:
        return str(airspeed.Template(template).merge(values))
    except airspeed.operators.TemplateExecutionError as error:
        raise ValueError(str(error)) from error


class _Input:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html#input-variable-reference"""

    def __init__(self, body: str, params: Mapping[str, str]) -> None:
        self.body = body
        self._params = params

    def params(self, name: str) -> str:
        return self._params.get(name, "")

    def path(self, path: str) -> Any:
        value = json.loads(self.body or "{}")
        for step in path.removeprefix("$").replace("[", ".[").split("."):
            if step.startswith("["):
                place = int(step.strip("[]"))
                value = value[place] if isinstance(value, list) and place < len(value) else None
            elif step:
                value = value.get(step) if isinstance(value, dict) else None
        return "" if value is None else value

    def json(self, path: str) -> str:
        return json.dumps(self.path(path))


class _Util:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html#util-template-reference"""

    def base64Encode(self, text: str) -> str:  # noqa: N802 (the name is API Gateway's)
        return base64.b64encode(str(text).encode()).decode()

    def base64Decode(self, text: str) -> str:  # noqa: N802
        return base64.b64decode(text).decode()

    def urlEncode(self, text: str) -> str:  # noqa: N802
        return urllib.parse.quote_plus(str(text))

    def escapeJavaScript(self, text: str) -> str:  # noqa: N802
        return json.dumps(str(text))[1:-1].replace("'", "\\'")

    def parseJson(self, text: str) -> Any:  # noqa: N802
        return json.loads(text)
