"""An express state machine logs the failures of its executions, where it has no other history.

AWS: with the level ERROR, each event that is an error becomes a line in the machine's log group,
with the execution's ARN, also where the state is tried again or the error is caught; the machine's
role must be allowed to deliver logs.
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html

Emulator: keeps the logging configuration and logs nothing.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import cloudwatch_logs, stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.stepfunctions.machines import machine_of

LEVELS = {"ERROR", "ALL"}
ERRORS = {
    "TaskFailed": "taskFailedEventDetails",
    "ExecutionFailed": "executionFailedEventDetails",
}
"""The events that are logged as errors, each with where its details are."""


def apply() -> None:
    replace(stepfunctions, "_add_event", "b1db143ccd21", _logged)


def _logged(add: Callable[..., Any]) -> Callable[..., Any]:
    def add_event(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        event = add(execution, kind, details)
        if kind in ERRORS:
            _log_error(execution, event)
        return event

    return add_event


def _log_error(execution: dict[str, Any], event: dict[str, Any]) -> None:
    machine = machine_of(execution)
    logging = machine.get("loggingConfiguration", {})
    if machine["type"] != "EXPRESS" or logging.get("Level") not in LEVELS:
        return
    entry = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": event[ERRORS[event["type"]]],
        "execution_arn": execution["executionArn"],
    }
    for destination in logging["Destinations"]:
        arn = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
        group = arn.removesuffix(":*").rpartition(":")[2]
        _log(machine["roleArn"], group, json.dumps(entry))


def _log(role: str, group: str, line: str) -> None:
    if not role_may(role, "logs:CreateLogDelivery", "*"):
        raise PermissionError(f"{role} may not deliver logs")
    stream, now = f"states/{new_uuid()}", int(time.time() * 1000)
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    event = {"timestamp": now, "message": line}
    cloudwatch_logs._put_log_events(
        {"logGroupName": group, "logStreamName": stream, "logEvents": [event]}
    )
