"""An express state machine logs what its executions do, where they have no other history.

AWS: with the level ERROR, each event that is an error becomes a line in the machine's log group,
with the execution's ARN, also where the state is tried again or the error is caught; with ALL, each
event. The machine's role must be allowed to deliver logs.
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html

Emulator: keeps the logging configuration and logs nothing.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.logs.lines import put_line
from sls_patterns_cli.local.emulator.adapters.stepfunctions.machines import machine_of

ERRORS = {"TaskFailed", "ExecutionFailed"}
"""The events that are logged as errors."""
DETAILS = "EventDetails"
"""How the name of what an event says ends."""


def apply() -> None:
    replace(stepfunctions, "_add_event", "b1db143ccd21", _logged)


def _logged(add: Callable[..., Any]) -> Callable[..., Any]:
    def add_event(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        event = add(execution, kind, details)
        _log(execution, event)
        return event

    return add_event


def _log(execution: dict[str, Any], event: dict[str, Any]) -> None:
    machine = machine_of(execution)
    logging = machine.get("loggingConfiguration", {})
    level = logging.get("Level")
    is_logged = level == "ALL" or (level == "ERROR" and event["type"] in ERRORS)
    if machine["type"] != "EXPRESS" or not is_logged:
        return
    entry = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": next((event[name] for name in event if name.endswith(DETAILS)), {}),
        "execution_arn": execution["executionArn"],
    }
    for destination in logging["Destinations"]:
        if not role_may(machine["roleArn"], "logs:CreateLogDelivery", "*"):
            raise PermissionError(f"{machine['roleArn']} may not deliver logs")
        arn = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
        put_line(arn, f"states/{new_uuid()}", json.dumps(entry))
