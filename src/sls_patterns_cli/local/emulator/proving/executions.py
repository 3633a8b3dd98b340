"""Executions of state machines end at once, as they are told: no state of them runs.

What a machine does is the project's own; where an execution that fails is seen, is its wiring.
"""

import json
from collections.abc import Callable

from ministack.core.responses import now_iso
from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import replace

failing: set[str] = set()
"""The ARNs of machines whose executions fail."""


def apply() -> None:
    replace(stepfunctions, "_run_execution", "996dff84e0e0", _ended)


def _ended(_run: Callable[[str], None]) -> Callable[[str], None]:
    def end_execution(arn: str) -> None:
        execution = stepfunctions._executions[arn]
        machine = execution["stateMachineArn"]
        fault = "error" if machine in failing else ""
        journal.note(journal.Attempt(machine, json.loads(execution["input"]), fault))
        if fault:
            stepfunctions._fail_execution(execution, "States.Runtime", "broken")
            return
        execution.update(status="SUCCEEDED", output=execution["input"], stopDate=now_iso())
        stepfunctions._emit_execution_status_event(execution)

    return end_execution
