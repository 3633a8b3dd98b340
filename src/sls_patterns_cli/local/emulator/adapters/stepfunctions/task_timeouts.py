"""A task's timeout does not count how long its function waits for an environment.

AWS: a task that takes longer than its TimeoutSeconds fails with States.Timeout; an environment is
there for each invocation.
https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html

Emulator: counts all the time that the task takes on this one machine, where invocations wait for
environments (environment_starts).
"""

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_.environment_starts import Wait, waiting


def apply() -> None:
    replace(stepfunctions, "_invoke_resource_with_timeout", "faeed0bf70d5", _timed)


def _timed(_invoke: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_with_timeout(resource: str, task_input: Any, timeout: float) -> Any:
        wait = Wait()
        context = contextvars.copy_context()
        context.run(waiting.set, wait)
        pool = ThreadPoolExecutor(max_workers=1)
        task = pool.submit(context.run, stepfunctions._invoke_resource, resource, task_input)
        pool.shutdown(wait=False)
        return _result(task, float(timeout), wait)

    return invoke_with_timeout


def _result(task: "Future[Any]", timeout: float, wait: Wait) -> Any:
    started = time.monotonic()
    while not task.done():
        left = timeout + wait.so_far() - (time.monotonic() - started)
        if left <= 0:
            raise stepfunctions._ExecutionError(
                "States.Timeout", f"Task timed out after {timeout:g} seconds"
            )
        with suppress(TimeoutError):
            return task.result(timeout=left)
    return task.result()
