"""How a pipe hands a batch to its enrichment and its target; it changes nothing itself.

AWS: functions and state machines get the batch as a list, everything else each record. Functions
and express state machines are waited for, unless they are invoked with FIRE_AND_FORGET; standard
ones are only started. The answer of an enrichment takes the place of the batch, and an empty one
ends it. All is done in the name of the pipe's role.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/pipes-enrichment.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import eventbridge, firehose, kinesis, stepfunctions

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    SENDING,
    refusing,
    role_may,
)
from sls_patterns_cli.local.emulator.adapters.lambda_ import background, calls
from sls_patterns_cli.local.emulator.adapters.pipes.definitions import (
    API_DESTINATION,
    Pipe,
    service_of,
)
from sls_patterns_cli.local.emulator.adapters.pipes.transformation import (
    as_text,
    rendered,
    value_of,
)
from sls_patterns_cli.local.emulator.adapters.sns import topics
from sls_patterns_cli.local.emulator.adapters.sqs import queues

CALLED = {
    "lambda": "LambdaFunctionParameters",
    "states": "StepFunctionStateMachineParameters",
}
"""What a pipe may wait for, and the parameters that say whether it does."""

ACTIONS = {
    **{service: (action,) for service, action in SENDING.items()},
    "kinesis": ("kinesis:PutRecords", "kinesis:PutRecord"),
    "firehose": ("firehose:PutRecordBatch", "firehose:PutRecord"),
    API_DESTINATION: ("events:InvokeApiDestination",),
}
"""What a role must allow one of to hand something over. AWS sends batches also of one record."""

Record = dict[str, Any]


class NotDeliveredError(Exception):
    """Enrichment or target refuses a batch or fails at it."""


def deliver(pipe: Pipe, records: list[Record]) -> Record:
    """Hand records over; return what Lambda would answer: a failure, or which items failed."""
    try:
        answer = _hand_over(pipe, [_flat(record) for record in records])
    except NotDeliveredError as error:
        journal.note(journal.Attempt(pipe["Arn"], records, "error"))
        body = {"errorType": "Error", "errorMessage": str(error)}
        return {"error": True, "function_error": "Unhandled", "body": body, "log": ""}
    journal.note(journal.Attempt(pipe["Arn"], records, ""))
    return {"body": answer, "log": ""}


def _hand_over(pipe: Pipe, records: list[Record]) -> Any:
    batch: list[Any] = records
    if enrichment := pipe.get("Enrichment"):
        answer = _call(pipe, enrichment, _given(pipe, "EnrichmentParameters", batch))
        if not answer:
            return None
        batch = answer if isinstance(answer, list) else [answer]
    target, given = pipe["Target"], _given(pipe, "TargetParameters", batch)
    service = service_of(target)
    if service in CALLED and _waits(pipe, target):
        return _call(pipe, target, given)
    _require(pipe, target, *ACTIONS.get(service, ()))
    match service:
        case "lambda":
            background.invoke(target, given)
        case "states":
            request = {"stateMachineArn": target, "input": json.dumps(given)}
            _answer(stepfunctions._start_execution, request)
        case _ if send := _SENDERS.get(service):
            options = pipe.get("TargetParameters") or {}
            for record, payload in zip(batch, given, strict=True):
                send(pipe, record, payload, options)
    # A target that is not here takes everything: only `prove` has pipes to one.
    return None


def _given(pipe: Pipe, parameters: str, batch: list[Any]) -> list[Any]:
    """A batch as an input template has it, which is applied to each record."""
    template = (pipe.get(parameters) or {}).get("InputTemplate")
    return [rendered(template, record, pipe) for record in batch] if template else batch


def _require(pipe: Pipe, arn: str, *actions: str) -> None:
    """Raise NotDeliveredError unless the role allows one of the actions, if any is known."""
    role = pipe["RoleArn"]
    may = any(role_may(role, action, arn) for action in actions) if actions else True
    if not may or arn in refusing:
        raise NotDeliveredError(f"{role} does not let the pipe deliver to {arn}")


def _waits(pipe: Pipe, target: str) -> bool:
    """Tell whether a pipe waits for its target, a function or a state machine."""
    kind = CALLED[service_of(target)]
    given = (pipe.get("TargetParameters") or {}).get(kind) or {}
    machine = stepfunctions._state_machines.get(target) or {}
    is_standard = kind == CALLED["states"] and machine.get("type") != "EXPRESS"
    return given.get("InvocationType") != "FIRE_AND_FORGET" and not is_standard


def _call(pipe: Pipe, arn: str, given: Any) -> Any:
    """Call a function or express state machine, and return its answer."""
    match service_of(arn):
        case "lambda":
            _require(pipe, arn, *ACTIONS["lambda"])
            return _called(arn, given)
        case "states":
            _require(pipe, arn, "states:StartSyncExecution")
            return _executed(arn, given)
    _require(pipe, arn, *ACTIONS.get(service_of(arn), ()))
    return given


def _called(function_arn: str, given: Any) -> Any:
    result = calls.call(function_arn, given)
    if result is None:
        raise NotDeliveredError(f"{function_arn} does not exist")
    if result.get("error"):
        raise NotDeliveredError(str(result.get("body")))
    return result.get("body")


def _executed(machine: str, given: Any) -> Any:
    request = {"stateMachineArn": machine, "input": json.dumps(given)}
    execution = _answer(stepfunctions._start_sync_execution, request)
    if execution["status"] != "SUCCEEDED":
        raise NotDeliveredError(f"{execution['executionArn']} {execution['status']}")
    return json.loads(execution["output"])


def _answer(action: Callable[[Record], Any], request: Record) -> Any:
    status, _headers, body = action(request)
    answer = json.loads(body)
    if status >= 400:
        raise NotDeliveredError(str(answer))
    return answer


def _to_queue(pipe: Pipe, record: Any, payload: Any, options: Record) -> None:
    given = options.get("SqsQueueParameters") or {}
    names = ("MessageGroupId", "MessageDeduplicationId")
    settled = {name: as_text(value_of(given[name], record)) for name in names if name in given}
    try:
        queues.put(pipe["Target"], as_text(payload), settled)
    except ValueError as error:
        raise NotDeliveredError(str(error)) from error


def _to_topic(pipe: Pipe, _record: Any, payload: Any, _options: Record) -> None:
    try:
        topics.publish(pipe["Target"], as_text(payload))
    except ValueError as error:
        raise NotDeliveredError(str(error)) from error


def _to_bus(pipe: Pipe, record: Any, payload: Any, options: Record) -> None:
    given = options.get("EventBridgeEventBusParameters") or {}
    kind = f"Event from aws:{service_of(pipe['Source'])}"
    bus = pipe["Target"].rpartition("/")[2]
    if bus not in eventbridge._event_buses:
        raise NotDeliveredError(f"{pipe['Target']} does not exist")
    entry = {
        "Source": as_text(value_of(given.get("Source", f"Pipe {pipe['Name']}"), record)),
        "DetailType": as_text(value_of(given.get("DetailType", kind), record)),
        "Detail": json.dumps(payload),
        "Resources": [as_text(value_of(each, record)) for each in given.get("Resources", [])],
        "EventBusName": bus,
        "EventId": new_uuid(),
    }
    eventbridge._put_events({"Entries": [entry]})


def _to_stream(pipe: Pipe, record: Any, payload: Any, options: Record) -> None:
    key = (options.get("KinesisStreamParameters") or {}).get("PartitionKey", "")
    request = {
        "StreamARN": pipe["Target"],
        "Records": [
            {"Data": _encoded(payload), "PartitionKey": as_text(value_of(key, record))},
        ],
    }
    if _answer(kinesis._put_records, request).get("FailedRecordCount"):
        raise NotDeliveredError(f"{pipe['Target']} is throttled")


def _to_delivery(pipe: Pipe, _record: Any, payload: Any, _options: Record) -> None:
    name = pipe["Target"].rpartition("/")[2]
    request = {"DeliveryStreamName": name, "Record": {"Data": _encoded(payload)}}
    _answer(firehose._HANDLERS["PutRecord"], request)


def _encoded(payload: Any) -> str:
    return base64.b64encode(as_text(payload).encode()).decode()


_SENDERS: dict[str, Callable[[Pipe, Any, Any, Record], None]] = {
    "sqs": _to_queue,
    "sns": _to_topic,
    "events": _to_bus,
    "kinesis": _to_stream,
    "firehose": _to_delivery,
}


def _flat(record: Record) -> Record:
    """A record as pipes have it: what Lambda has under `kinesis` stands beside the rest.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html
    """
    inner = record.get("kinesis")
    if not isinstance(inner, dict):
        return record
    return {**inner, **{key: value for key, value in record.items() if key != "kinesis"}}
