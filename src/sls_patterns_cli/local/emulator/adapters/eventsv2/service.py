"""The local stack has custom event buses and their subscribers.

AWS: EventBridge's Custom Event Bus is an API of its own. It signs as `events`, and its actions are
`events:` as well, on the ARN of a bus or subscriber. Templates have types for both.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-names.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-permissions.html

Emulator: takes the requests for those of classic buses, and knows neither type. Here are buses,
subscribers to queues, functions, topics and state machines, and events in JSON. There are no event
sources, no policies of buses and nothing of other accounts, no logs and no metrics; `iam:PassRole`
is not asked for. Buses are there at once, and forget nothing.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_actions, router
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError, rely_on, replace
from sls_patterns_cli.local.emulator.adapters.eventsv2 import operations, stacks, wire

SERVICE = "eventsv2"
PATH = "/service/AWSEventsV2/operation/"

logger = logging.getLogger(__name__)


def apply() -> None:
    replace(router, "detect_service", "fd156fac4b5d", _detected)
    replace(iam_actions, "extract_iam_action", "ec476b92d969", _action)
    replace(iam_actions, "extract_resource_arn", "82f51700695c", _resource)
    replace(iam_actions, "access_denied_response", "3cc2e315f91f", _denial)
    rely_on(eventbridge._matches_detail, "4278d284fbea")
    rely_on(eventbridge._parse_pattern_text, "7aef5f5f532c")
    for type_, handlers in stacks.HANDLERS.items():
        if type_ in provisioners._RESOURCE_HANDLERS:
            raise EmulatorChangedError(f"the emulator knows {type_}")
        provisioners._RESOURCE_HANDLERS[type_] = handlers
    app.detect_service = router.detect_service  # which it has imported by name
    app.SERVICE_HANDLERS[SERVICE] = _handle


def _detected(detect: Callable[..., str]) -> Callable[..., str]:
    def detect_service(method: str, path: str, *rest: Any) -> str:
        return SERVICE if path.startswith(PATH) else detect(method, path, *rest)

    return detect_service


def _action(extract: Callable[..., str | None]) -> Callable[..., str | None]:
    def extract_iam_action(service: str, method: str, path: str, *rest: Any) -> str | None:
        if service == SERVICE:
            return f"events:{path.removeprefix(PATH)}"
        return extract(service, method, path, *rest)

    return extract_iam_action


def _resource(extract: Callable[..., str]) -> Callable[..., str]:
    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any
    ) -> str:
        if service != SERVICE:
            return extract(service, method, path, headers, body, *rest)
        request = wire.read(body)
        return str(request.get("SubscriberArn") or request.get("EventBusArn") or "*")

    return extract_resource_arn


def _denial(deny: Callable[..., wire.Answer]) -> Callable[..., wire.Answer]:
    def access_denied_response(service: str, *rest: Any, **options: Any) -> wire.Answer:
        denied = deny(service, *rest, **options)
        if service != SERVICE:
            return denied
        said = json.loads(denied[2])
        message = said.get("message") or said.get("Message") or ""
        return wire.refusal("AccessDeniedException", message, denied[0])

    return access_denied_response


async def _handle(_method: str, path: str, _headers: Any, body: bytes, _query: Any) -> wire.Answer:
    name = path.removeprefix(PATH)
    try:
        return wire.answer(name, operations.do(name, wire.read(body)))
    except wire.RefusedError as error:
        return wire.refusal(error.code, str(error))
    except Exception as error:  # the emulator would answer in JSON, which no client reads
        logger.exception(name)
        return wire.refusal("InternalException", repr(error), 500)
