"""A stand-in in front of every function: it answers at once, as well or as badly as it is told.

So a function needs no build, no interpreter and no layer, and may be of any runtime or image.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator import journal, timescale
from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import event_source_visibility, record_batches
from sls_patterns_cli.local.emulator.proving.messages import POISON, readable

PAUSE_SECONDS = 0.002
"""Between the attempts of a shard, of which there may be 10,000."""

faults: dict[str, str] = {}
"""By name of a function: `error`, `timeout`, `throttle` or `poison`."""

Record = dict[str, Any]

BROKEN_EXECUTION = {"Status": "FAILED", "Error": {"ErrorType": "Error", "ErrorMessage": "broken"}}
"""What AWS's SDKs return to Lambda when the handler of a durable function raises."""


def apply() -> None:
    replace(lambda_svc, "_execute_function", "3ceb16d6480a", _stand_in)
    event_source_visibility.WORK_TAKES_TIME = False
    record_batches.PAUSE_SECONDS = PAUSE_SECONDS
    record_batches.AGE_FACTOR = timescale.here().factor


def _stand_in(execute: Callable[..., Any]) -> Callable[..., Any]:
    def answer(function: Record, event: Any) -> Record:
        if "pipe" in function:  # it reads as a function does, and delivers by itself
            passed: Record = execute(function, event)
            return passed
        config = function.get("config") or function
        fault = _fault_for(config["FunctionName"], event)
        journal.note(journal.Attempt(config["FunctionArn"], event, fault))
        if fault == "throttle":
            return dict(
                lambda_svc._throttle_response(
                    "ReservedFunctionConcurrentInvocationLimitExceeded", ""
                )
            )
        if fault == "poison" and _reports_items(config["FunctionName"], event):
            return {"body": {"batchItemFailures": list(_failed_items(event))}, "log": ""}
        if fault == "error" and _is_durable(event):
            return {"body": BROKEN_EXECUTION, "log": ""}
        if fault:
            return _failed(fault, int(config.get("Timeout") or 3))
        return {"body": _success(event), "log": ""}

    return answer


def _is_durable(event: Any) -> bool:
    """Tell whether an event is an invocation of a durable execution."""
    return isinstance(event, dict) and "DurableExecutionArn" in event


def _fault_for(name: str, event: Any) -> str:
    fault = faults.get(name, "")
    return "" if fault == "poison" and not _is_poisoned(event) else fault


def _is_poisoned(event: Any) -> bool:
    return POISON in readable(event)


def _reports_items(name: str, event: Any) -> bool:
    """Tell whether the mapping that has sent a batch takes partial failures."""
    records = event.get("Records") if isinstance(event, dict) else None
    source = records[0].get("eventSourceARN") if records and isinstance(records[0], dict) else None
    return source is not None and any(
        mapping["EventSourceArn"] == source
        and mapping["FunctionName"].endswith(name)
        and "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or [])
        for _account, _region, mapping in lambda_svc._iter_all_esms()
    )


def _failed(fault: str, seconds: int) -> Record:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html."""
    message = f"Task timed out after {seconds:.2f} seconds" if fault == "timeout" else "broken"
    kind = "Sandbox.Timedout" if fault == "timeout" else "Error"
    body = {"errorType": kind, "errorMessage": message}
    return {"error": True, "function_error": "Unhandled", "body": body, "log": ""}


def _failed_items(event: Any) -> Iterator[Record]:
    """Of a batch, what a function that reports partial failures names."""
    for record in event.get("Records", []) if isinstance(event, dict) else []:
        if isinstance(record, dict) and _is_poisoned(record) and _number(record):
            yield {"itemIdentifier": _number(record)}


def _number(record: Record) -> str:
    part = record.get("kinesis") or record.get("dynamodb") or {}
    number = record.get("messageId") or part.get("sequenceNumber") or part.get("SequenceNumber")
    return str(number or "")


def _success(event: Any) -> Any:
    """What AWS takes for success: of a transformation of Firehose each record as it came.

    What enriches a pipe's batch, which is a list, leaves it as it is.
    """
    if _is_durable(event):
        return {"Status": "SUCCEEDED", "Result": "null"}
    if isinstance(event, list):
        return event
    if isinstance(event, dict) and "deliveryStreamArn" in event:
        records = [
            {"recordId": each["recordId"], "result": "Ok", "data": each["data"]}
            for each in event["records"]
        ]
        return {"records": records}
    return {"batchItemFailures": []}
