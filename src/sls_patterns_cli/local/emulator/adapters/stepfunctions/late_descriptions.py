"""An execution that has just been started may not be found yet.

AWS: DescribeExecution is eventually consistent.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html

Emulator: finds each execution at once. Here the first that is asked of an execution which runs is
answered as if there were none.
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(stepfunctions, "_describe_execution", "c3ad294ad8b5", _late_once)


def _late_once(describe: Callable[..., Any]) -> Callable[..., Any]:
    def describe_execution(request: dict[str, Any]) -> Any:
        execution = stepfunctions._executions.get(request["executionArn"])
        if execution is not None and not execution.get("asked_for"):
            execution["asked_for"] = True
            if execution["status"] == "RUNNING":
                says = f"Execution Does Not Exist: '{request['executionArn']}'"
                return error_response_json("ExecutionDoesNotExist", says, 400)
        return describe(request)

    return describe_execution
