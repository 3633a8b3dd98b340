"""An asynchronous invocation is tried again, then goes where the function's role may send it.

AWS: an event whose function fails is tried up to twice more, after one minute and two; throttling
puts it back for 1 second to 5 minutes, until it is too old, and is no attempt. Each attempt has the
configuration that the function has by then; all are of one trace. In the end the record of it goes
to the on-failure destination, with active tracing in the same trace, and the event as it was sent
to the dead-letter queue of the function, with the attributes RequestID, ErrorCode and ErrorMessage
(its first KB); both in the name of the function's role.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-async-destinations
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq

Events wait in a queue of the function. Here few are tried at a time, as each that is tried takes a
thread and a copy of the function's code.

Emulator: counts throttling as an attempt, says of every event that it was tried three times, and
asks for no permission; every attempt has the first one's configuration. Of a template's functions
it forgets the dead-letter queue, and it would send that the record of a destination; it knows no
bucket and no event bus as destination.
"""

import contextvars
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import traces
from sls_patterns_cli.local.emulator.adapters.lambda_.destinations import keep
from sls_patterns_cli.local.emulator.timescale import here

WAITS_SECONDS = (60, 120)

LEAST_PAUSE_WHEN_THROTTLED_SECONDS, LONGEST_PAUSE_WHEN_THROTTLED_SECONDS = 1, 300
"""Each pause of a throttled event is twice the one before."""

logger = logging.getLogger(__name__)

TRIED_AT_MOST = 64
"""So many events of a function at a time: more than one machine has environments for."""

Record = dict[str, Any]

_queues: dict[str, "_Queue"] = {}


def apply() -> None:
    replace(lambda_svc, "invoke_async_with_retry", "289fe4d3cbd4", _in_background)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    replace(handlers, "create", "8b2cf80e961d", _create)
    replace(handlers, "update", "4855410e37d7", _update)


def _in_background(_invoke: Callable[..., None]) -> Callable[..., None]:
    def invoke_asynchronously(function: Record, event: Any) -> None:
        settings = _settings(function)
        context = contextvars.copy_context()
        context.run(traces.current.set, traces.current.get() or traces.new_header())
        queue = _queues.setdefault(function["config"]["FunctionArn"], _Queue())
        queue.put(partial(context.run, _try_until_done, function, event, settings))

    return invoke_asynchronously


class _Queue:
    """The events of a function that wait until one of its threads has time for them."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._lock = threading.Lock()

    def put(self, attempt: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(attempt)
            if self._threads == TRIED_AT_MOST:
                return
            self._threads += 1
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                attempt = self._waiting.popleft()
            try:
                attempt()
            except Exception:
                logger.exception("an event was lost")


def _try_until_done(function: Record, event: Any, settings: Record) -> None:
    retries = int(settings.get("MaximumRetryAttempts", len(WAITS_SECONDS)))
    oldest = int(settings.get("MaximumEventAgeInSeconds", 21600))
    started, waited = time.monotonic(), 0
    attempts, condition = 0, "RetriesExhausted"
    pause_when_throttled = LEAST_PAUSE_WHEN_THROTTLED_SECONDS
    while True:
        result = lambda_svc._execute_function(_as_it_is_now(function), event)
        if not result.get("error"):
            return
        if result.get("throttle"):
            pause = pause_when_throttled
            pause_when_throttled = min(2 * pause, LONGEST_PAUSE_WHEN_THROTTLED_SECONDS)
        else:
            attempts += 1
            if attempts > retries:
                break
            pause = WAITS_SECONDS[attempts - 1]
        # The age that the event has on AWS, which divides no wait.
        waited += pause
        left_out = waited - here().divided(waited)
        if time.monotonic() - started + left_out + here().divided(pause) > oldest:
            condition, waited = "EventAgeExceeded", oldest
            break
        time.sleep(here().divided(pause))
    role = function["config"]["Role"]
    destination, dead_letters = _destination(settings), _dead_letter_queue(function)
    kept = ""
    sends_traces = (function["config"].get("TracingConfig") or {}).get("Mode") == "Active"
    if destination:
        record = _failed(function, event, result, condition, attempts)
        with traces.carried(traces.current.get() if sends_traces else None):
            if keep(role, destination, record, _key(function)):
                kept = destination
    if dead_letters:
        with traces.carried(None):
            if keep(role, dead_letters, json.dumps(event), "", **_error(result)):
                kept = dead_letters
    arn = function["config"]["FunctionArn"]
    journal.note(
        journal.GivenUp(
            "lambda-async",
            arn,
            arn,
            kept,
            attempts=attempts,
            seconds=waited,
        )
    )


def _as_it_is_now(function: Record) -> Record:
    found, config, _name = lambda_svc._get_func_record_for_ref(function["config"]["FunctionArn"])
    return lambda_svc._execution_record_for_config(found, config) if found else function


def _settings(function: Record) -> Record:
    """What is configured for just the qualifier by which the function was invoked."""
    name, qualifier = lambda_svc._resolve_name_and_qualifier(function["config"]["FunctionArn"])
    owner = lambda_svc._functions.get(name) or function
    settings: Record = (owner.get("event_invoke_configs") or {}).get(qualifier or "$LATEST", {})
    return settings or (not qualifier and owner.get("event_invoke_config")) or {}


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_function(logical_id: str, properties: Record, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _keep_dead_letter_queue(created[0], properties)
        return created

    return create_function


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_function(
        physical_id: str, old: Record, new: Record, stack: str, logical_id: str
    ) -> Any:
        updated = update(physical_id, old, new, stack, logical_id)
        _keep_dead_letter_queue(updated[0], new)
        return updated

    return update_function


def _keep_dead_letter_queue(function: str, properties: Record) -> None:
    config = lambda_svc._functions[function]["config"]
    config["DeadLetterConfig"] = properties.get("DeadLetterConfig", {})


def _dead_letter_queue(function: Record) -> str:
    """The ARN of the queue or topic that is named by DeadLetterConfig."""
    return str((function["config"].get("DeadLetterConfig") or {}).get("TargetArn", ""))


def _key(function: Record) -> str:
    """The key of a record in a bucket, as AWS documents it."""
    name = function["config"]["FunctionName"]
    now = datetime.now(UTC)
    return f"aws/lambda/async/{name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{new_uuid()}"


def _error(result: Record) -> dict[str, str]:
    """What is told of a failure beside the event itself."""
    body = result.get("body")
    message = body.get("errorMessage", "") if isinstance(body, dict) else str(body)
    return {
        "RequestID": new_uuid(),
        "ErrorCode": "200",
        "ErrorMessage": message[:1024] or "no message",
    }


def _destination(settings: Record) -> str:
    """The ARN of the on-failure destination."""
    given = settings.get("DestinationConfig") or {}
    return str((given.get("OnFailure") or {}).get("Destination", ""))


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
