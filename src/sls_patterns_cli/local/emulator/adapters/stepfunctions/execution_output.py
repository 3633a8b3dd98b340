"""Only an execution that has succeeded has an output.

AWS: of an execution that failed DescribeExecution tells error and cause, and no output; so does
the answer of StartSyncExecution.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html

Emulator: the one's output holds error and cause once more, the other's is an empty object.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(stepfunctions, "_fail_execution", "e6da895fa0b7", _without_output)
    replace(stepfunctions, "_start_sync_execution", "8600470a0208", _answered_without_output)


def _without_output(fail: Callable[..., None]) -> Callable[..., None]:
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        fail(execution, error, cause)
        execution["output"] = None

    return fail_execution


def _answered_without_output(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_sync_execution(request: dict[str, Any]) -> Any:
        status, headers, body = start(request)
        answer = json.loads(body)
        if answer.get("status") == "FAILED":
            del answer["output"]
        return status, headers, json.dumps(answer).encode()

    return start_sync_execution
