"""To start a running execution again under its name is to be answered as the first time.

AWS: StartExecution of a standard machine with the name and the input of an execution that runs
succeeds with the answer of the first request; with another input, or once it has ended, it fails
with ExecutionAlreadyExists.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html

Emulator: fails whenever the name was used before.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace

Request = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_start_execution", "9923282fc76c", _once)


def _once(start: Callable[[Request], Any]) -> Callable[[Request], Any]:
    def start_execution(request: Request) -> Any:
        for execution in list(stepfunctions._executions.values()):
            if _is_same(execution, request):
                started = {name: execution[name] for name in ("executionArn", "startDate")}
                return json_response(started)
        return start(request)

    return start_execution


def _is_same(execution: dict[str, Any], request: Request) -> bool:
    return bool(
        execution["status"] == "RUNNING"
        and execution["name"] == request.get("name")
        and execution["stateMachineArn"] == request["stateMachineArn"]
        and _parsed(execution["input"]) == _parsed(request.get("input", "{}"))
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
