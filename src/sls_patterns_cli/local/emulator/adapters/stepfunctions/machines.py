"""The state machines of executions."""

from typing import Any

from ministack.services import stepfunctions


def machine_of(execution: dict[str, Any]) -> dict[str, Any]:
    """Return the machine of an execution; that of a map's is named after machine and map."""
    name = execution["stateMachineArn"].partition("/")[0]
    machine: dict[str, Any] = stepfunctions._state_machines[name]
    return machine
