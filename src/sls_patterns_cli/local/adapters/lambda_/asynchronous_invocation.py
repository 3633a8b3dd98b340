"""An asynchronous invocation is tried again, then goes where the function's role may send it.

AWS: an event whose function fails is tried up to twice more, after one minute and two; throttling
puts it back until it is too old, and is no attempt. Then the record of it goes to the on-failure
destination, in the name of the function's role.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-async-destinations

Emulator: counts throttling as an attempt, says of every event that it was tried three times, and
asks for no permission.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import lambda_svc

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.iam.permissions import role_may
from sls_patterns_cli.local.adapters.sqs.queues import send
from sls_patterns_cli.local.timescale import FACTOR

WAITS_SECONDS = (60, 120)

PAUSE_WHEN_THROTTLED_SECONDS = 6
"""From 1 second to 5 minutes on AWS."""

Record = dict[str, Any]


def apply() -> None:
    replace(lambda_svc, "invoke_async_with_retry", "289fe4d3cbd4", _in_background)


def _in_background(invoke: Callable[..., None]) -> Callable[..., None]:
    def invoke_asynchronously(function: Record, event: Any) -> None:
        settings = _settings(function)
        if not _queue(settings):
            invoke(function, event)
            return
        context = contextvars.copy_context()
        arguments = (_try_until_done, function, event, settings)
        threading.Thread(target=context.run, args=arguments, daemon=True).start()

    return invoke_asynchronously


def _try_until_done(function: Record, event: Any, settings: Record) -> None:
    retries = int(settings.get("MaximumRetryAttempts", len(WAITS_SECONDS)))
    oldest = int(settings.get("MaximumEventAgeInSeconds", 21600))
    started, waited = time.monotonic(), 0.0
    attempts, condition = 0, "RetriesExhausted"
    while True:
        result = lambda_svc._execute_function(function, event)
        if not result.get("error"):
            return
        if result.get("throttle"):
            pause = PAUSE_WHEN_THROTTLED_SECONDS
        else:
            attempts += 1
            if attempts > retries:
                break
            pause = WAITS_SECONDS[attempts - 1]
        # The age that the event has on AWS, which divides no wait.
        waited += pause * (1 - 1 / FACTOR)
        if time.monotonic() - started + waited + pause / FACTOR > oldest:
            condition = "EventAgeExceeded"
            break
        time.sleep(pause / FACTOR)
    role, queue = function["config"]["Role"], _queue(settings)
    if role_may(role, "sqs:SendMessage", queue):
        send(queue, _failed(function, event, result, condition, attempts))


def _settings(function: Record) -> Record:
    settings: Record = function.get("event_invoke_config") or (
        function.get("event_invoke_configs") or {}
    ).get("$LATEST", {})
    return settings


def _queue(settings: Record) -> str:
    """The ARN of the queue that is the on-failure destination; other kinds are the emulator's."""
    arn = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    return str(arn) if ":sqs:" in arn else ""


def _failed(function: Record, event: Any, result: Record, condition: str, attempts: int) -> Record:
    config = function["config"]
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": f"{config['FunctionArn']}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.get("function_error", "Unhandled"),
        },
        "responsePayload": result.get("body"),
    }
