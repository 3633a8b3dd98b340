"""Express executions of the same name are different executions, each with its own ARN.

AWS: the name of an express execution need not be unique. Its ARN ends with an id of its own, and so
does what the context object says of it: `arn:aws:states:…:express:<machine>:<name>:<id>`.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
https://docs.aws.amazon.com/step-functions/latest/dg/express-at-least-once-execution.html

Emulator: gives them the ARN of a standard execution, so those of the same name share one record.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(stepfunctions, "_start_sync_execution", "8600470a0208", _with_id)
    replace(stepfunctions, "_run_execution", "996dff84e0e0", _as_express)


def _with_id(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_sync_execution(request: dict[str, Any]) -> Any:
        name = request.get("name") or new_uuid()
        status, headers, body = start({**request, "name": f"{name}:{new_uuid()}"})
        answer = json.loads(body)
        if "executionArn" in answer:
            answer |= {"name": name, "executionArn": _express(answer["executionArn"])}
        return status, headers, json.dumps(answer).encode()

    return start_sync_execution


def _as_express(run: Callable[[str], None]) -> Callable[[str], None]:
    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        if execution is None or not execution.get("sync"):
            run(arn)
            return
        express = _express(arn)
        execution |= {"executionArn": express, "name": execution["name"].partition(":")[0]}
        stepfunctions._executions[express] = execution
        run(express)

    return run_execution


def _express(arn: str) -> str:
    return arn.replace(":execution:", ":express:")
