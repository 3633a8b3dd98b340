"""An execution that failed, timed out or was aborted can go on with the state that failed.

AWS: RedriveExecution of a standard machine's execution runs the state that failed once more, with
its input and the variables that the states before it have assigned; what has succeeded is not run
again. It is the same execution, with its definition, and RUNNING once more.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html

Emulator: has no such action. Here the execution runs from its start, and each task or distributed
map that has succeeded, or whose failure was caught, is answered with what came of it then. The
definition is the machine's present one.
"""

import contextvars
import copy
import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace

REDRIVABLE = {"FAILED", "TIMED_OUT", "ABORTED"}

Execution = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "handle_request", "efa6e8c4532a", _with_redrive)
    replace(stepfunctions, "_describe_execution", "c3ad294ad8b5", _with_redrive_status)
    replace(stepfunctions, "_execute_task", "53c818d247db", _once)
    replace(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _mapped_once)
    replace(stepfunctions, "_add_event", "b1db143ccd21", _of_states_that_run)


def _with_redrive(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Any:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return stepfunctions._finalize_response(_redrive(json.loads(body)))
        return await handle(method, path, headers, body, query)

    return handle_request


def _redrive(request: dict[str, Any]) -> Any:
    arn = request["executionArn"]
    execution = stepfunctions._executions.get(arn)
    if execution is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution {arn} not found", 400)
    if not _is_redrivable(execution):
        reason = f"Execution is {execution['status']} and cannot be redriven"
        return error_response_json("ExecutionNotRedrivable", reason, 400)
    date = now_iso()
    execution.update(
        status="RUNNING",
        stopDate=None,
        error=None,
        cause=None,
        redriveCount=execution.get("redriveCount", 0) + 1,
        redriveDate=date,
        replayed=list(execution.get("outcomes", [])),
    )
    details = {"redriveCount": execution["redriveCount"]}
    stepfunctions._add_event(
        execution, "ExecutionRedriven", {"executionRedrivenEventDetails": details}
    )
    stepfunctions._emit_execution_status_event(execution)
    context = contextvars.copy_context()
    arguments = (stepfunctions._run_execution, arn)
    threading.Thread(target=context.run, args=arguments, daemon=True).start()
    return json_response({"redriveDate": date})


def _is_redrivable(execution: Execution) -> bool:
    return execution["status"] in REDRIVABLE and not execution.get("sync")


def _with_redrive_status(describe: Callable[..., Any]) -> Callable[..., Any]:
    def describe_execution(request: dict[str, Any]) -> Any:
        execution = stepfunctions._executions.get(request["executionArn"])
        status, headers, body = describe(request)
        if execution is None:
            return status, headers, body
        redrivable = _is_redrivable(execution)
        about = {
            "redriveCount": execution.get("redriveCount", 0),
            "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        }
        if "redriveDate" in execution:
            about["redriveDate"] = execution["redriveDate"]
        return json_response({**json.loads(body), **about}, status)

    return describe_execution


def _once(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_task(
        definition: dict[str, Any], given: Any, execution: Execution, context: dict[str, Any]
    ) -> Any:
        return _outcome(
            lambda: execute(definition, given, execution, context), given, execution, context
        )

    return execute_task


def _mapped_once(run_map: Callable[..., Any]) -> Callable[..., Any]:
    def run_distributed_map(*arguments: Any) -> Any:
        _state, given, _effective, _processor, execution, context = arguments
        return _outcome(lambda: run_map(*arguments), given, execution, context)

    return run_distributed_map


def _outcome(
    run: Callable[[], Any], given: Any, execution: Execution, context: dict[str, Any]
) -> Any:
    """Return what came of a state before the redrive, or else run it and keep what comes of it."""
    state = (context["State"]["Name"], json.dumps(given))
    for outcome in execution.get("replayed", []):
        if outcome["state"] == state:
            execution["replayed"].remove(outcome)
            context["variables"].update(copy.deepcopy(outcome["variables"]))
            return copy.deepcopy(outcome["result"])
    execution.pop("replayed", None)
    result = run()
    done = {"state": state, "result": result, "variables": context["variables"]}
    execution.setdefault("outcomes", []).append(copy.deepcopy(done))
    return result


def _of_states_that_run(add: Callable[..., Any]) -> Callable[..., Any]:
    def add_event(execution: Execution, kind: str, details: Any = None) -> Any:
        if "replayed" in execution and kind.endswith(("StateEntered", "StateExited")):
            return None
        return add(execution, kind, details)

    return add_event
