"""An express state machine logs the failures of its executions, where it has no other history.

AWS: with the level ERROR, each event that is an error becomes a line in the machine's log group,
with the execution's ARN; the machine's role must be allowed to deliver logs.
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html

Emulator: keeps the logging configuration and logs nothing.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import cloudwatch_logs, stepfunctions

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.iam.permissions import role_may

LEVELS = {"ERROR", "ALL"}
ERRORS = {
    "TaskFailed": "taskFailedEventDetails",
    "ExecutionFailed": "executionFailedEventDetails",
}
"""The events that are logged as errors, each with where its details are."""


def apply() -> None:
    replace(stepfunctions, "_fail_execution", "e6da895fa0b7", _logged)


def _logged(fail: Callable[..., None]) -> Callable[..., None]:
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        fail(execution, error, cause)
        machine = stepfunctions._state_machines[execution["stateMachineArn"]]
        logging = machine.get("loggingConfiguration", {})
        if machine["type"] == "EXPRESS" and logging.get("Level") in LEVELS:
            lines = [json.dumps(entry) for entry in _errors(execution)]
            for destination in logging["Destinations"]:
                arn = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
                _log(machine["roleArn"], arn.removesuffix(":*").rpartition(":")[2], lines)

    return fail_execution


def _errors(execution: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for event in execution["events"]:
        if event["type"] in ERRORS:
            yield {
                "id": str(event["id"]),
                "type": event["type"],
                "details": event[ERRORS[event["type"]]],
                "execution_arn": execution["executionArn"],
            }


def _log(role: str, group: str, lines: list[str]) -> None:
    if not role_may(role, "logs:CreateLogDelivery", "*"):
        raise PermissionError(f"{role} may not deliver logs")
    stream, now = f"states/{new_uuid()}", int(time.time() * 1000)
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    events = [{"timestamp": now, "message": line} for line in lines]
    cloudwatch_logs._put_log_events(
        {"logGroupName": group, "logStreamName": stream, "logEvents": events}
    )
