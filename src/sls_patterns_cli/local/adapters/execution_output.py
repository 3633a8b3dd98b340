"""Only an execution that has succeeded has an output.

AWS: of an execution that failed DescribeExecution tells error and cause, and no output.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html

Emulator: its output holds error and cause once more.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.adapters import replace


def apply() -> None:
    replace(stepfunctions, "_fail_execution", "e6da895fa0b7", _without_output)


def _without_output(fail: Callable[..., None]) -> Callable[..., None]:
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        fail(execution, error, cause)
        execution["output"] = None

    return fail_execution
