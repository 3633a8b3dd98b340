"""An execution that is stopped does nothing more.

AWS: StopExecution ends a standard execution at once. What its task returns later is ignored, and no
retry and no other state follows.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html

Emulator: retries the task that runs, and then says of the execution that it has failed. After a
redrive, that would go on beside the execution that was redriven.
"""

import contextvars
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace

Execution = dict[str, Any]

_run: contextvars.ContextVar[tuple[str, int]] = contextvars.ContextVar("run")
"""The execution that this thread carries out, and how often it had been redriven by then."""


class _StoppedError(BaseException):
    """Ends the thread: the emulator takes any other exception for a failure of the execution."""


def apply() -> None:
    replace(stepfunctions, "_run_execution", "996dff84e0e0", _until_stopped)
    replace(stepfunctions, "_add_event", "b1db143ccd21", _unless_stopped)
    replace(stepfunctions, "_fail_execution", "e6da895fa0b7", _unless_stopped)


def _until_stopped(run: Callable[[str], None]) -> Callable[[str], None]:
    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return
        _run.set((arn, execution.get("redriveCount", 0)))
        with suppress(_StoppedError):
            run(arn)

    return run_execution


def _unless_stopped(report: Callable[..., Any]) -> Callable[..., Any]:
    def report_what_happened(execution: Execution, *what: Any) -> Any:
        if _is_stopped(execution):
            raise _StoppedError
        return report(execution, *what)

    return report_what_happened


def _is_stopped(execution: Execution) -> bool:
    """Tell whether this thread carries out the execution, which was stopped meanwhile."""
    arn, redrives = _run.get(("", 0))
    if execution["executionArn"] != arn:
        return False
    return bool(execution["status"] == "ABORTED" or execution.get("redriveCount", 0) != redrives)
