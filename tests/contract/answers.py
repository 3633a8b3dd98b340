"""What an API that calls a service by itself answers to the service's errors.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.local.emulator.adapters.apigateway.rest_api_service import render
from sls_patterns_cli.wiring.edges.apis import api_of, integrations

JSON = "application/json"
SERVICE = re.compile(r":apigateway:.*:(?P<service>\w+):(path|action)/")


@dataclass(frozen=True)
class Refusal:
    """What a service answers when it refuses a request."""

    name: str
    status: int
    body: str


def _query(code: str, status: int = 400) -> Refusal:
    return Refusal(code, status, json.dumps({"Error": {"Code": code, "Type": "Sender"}}))


def _json(kind: str) -> Refusal:
    return Refusal(kind, 400, json.dumps({"__type": kind}))


# https://github.com/aws/aws-sdk-js/issues/479: no JSON, so no template can read it.
TOO_LONG = Refusal("a request that is too long", 413, "HTTP content length exceeded 1662976 bytes.")
RECORDS = [_json(f"{kind}Exception") for kind in ("Validation", "Serialization", "InvalidArgument")]

CAUSED_BY_CALLERS = {
    "sqs": [_query("InvalidMessageContents"), _query("InvalidParameterValue"), TOO_LONG],
    "kinesis": RECORDS,
    "firehose": RECORDS,
    "states": [_json("InvalidExecutionInput")],
}
CAUSED_BY_US = {
    "sqs": _query("AccessDenied", 403),
    **dict.fromkeys(("kinesis", "firehose", "states"), _json("AccessDeniedException")),
}


def answer_violations(stack: Stack) -> Iterator[Violation]:
    """Say where any caller could set off the alarm, or where a missing permission would not."""
    for part, integration in integrations(stack):
        called = SERVICE.search(stack.text(integration.get("uri")))
        if called is None or called["service"] not in CAUSED_BY_CALLERS:
            continue
        api, service = api_of(stack, part).name, called["service"]
        if not _chosen(integration, 200).get("statusCode"):
            yield is_but("C13", api, "the answer to success", None, "that of a default response")
        for refusal in CAUSED_BY_CALLERS[service]:
            if (status := _answer(stack, integration, refusal)) // 100 != 4:
                must = "400 or 413: each 5xx counts for the alarm, and any caller can cause it"
                yield is_but("C13", api, f"the answer to {refusal.name}", status, must)
        ours = CAUSED_BY_US[service]
        if (status := _answer(stack, integration, ours)) // 100 != 5:
            must = "502: no caller can correct it"
            yield is_but("C13", api, f"the answer to {ours.name}", status, must)


def _answer(stack: Stack, integration: dict[str, Any], refusal: Refusal) -> int:
    """Return the status of the API's answer: that of the integration response, or its template's.

    It is 0 if there is none.
    """
    response = _chosen(integration, refusal.status)
    context: dict[str, Any] = {"responseOverride": {}}
    template = (response.get("responseTemplates") or {}).get(JSON)
    try:
        render(stack.text(template or ""), refusal.body, context)
    except ValueError:
        return 500  # API Gateway cannot make an answer.
    return int(context["responseOverride"].get("status", response.get("statusCode", 0)))


def _chosen(integration: dict[str, Any], status: int) -> dict[str, Any]:
    """Return the integration response for a status of the service, {} if there is none."""
    responses = dict(_responses(integration))
    matching = (each for each in responses if each and re.fullmatch(each, str(status)))
    return responses.get(next(matching, ""), {})


def _responses(integration: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each integration response with the pattern of the statuses that it is for."""
    for pattern, response in (integration.get("responses") or {}).items():
        yield "" if pattern == "default" else pattern, response
    for given in integration.get("integrationResponses") or []:
        response = {name[:1].lower() + name[1:]: value for name, value in given.items()}
        yield response.get("selectionPattern") or "", response
