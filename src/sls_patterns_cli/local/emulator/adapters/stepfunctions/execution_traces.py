"""The tasks of an execution are of one trace, if its machine sends traces.

AWS: with TracingConfiguration, the tasks of an execution belong to the trace of the call that
started it, or to a trace of its own. What tasks of other machines belong to is not documented.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html

Emulator: knows no traces of executions.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import traces
from sls_patterns_cli.local.emulator.adapters.stepfunctions.machines import machine_of

_traced_machines: set[str] = set()


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"]
    replace(handlers, "create", "d2ffde42cb0e", _create)
    replace(handlers, "update", "e6b56ee6ad59", _update)
    replace(stepfunctions, "_run_execution", "996dff84e0e0", _traced)


def _create(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_machine(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _keep(created[0], properties)
        return created

    return create_machine


def _update(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_machine(arn: str, old: Any, new: dict[str, Any], *rest: Any) -> Any:
        updated = update(arn, old, new, *rest)
        _keep(updated[0], new)
        return updated

    return update_machine


def _keep(arn: str, properties: dict[str, Any]) -> None:
    if str((properties.get("TracingConfiguration") or {}).get("Enabled")).lower() == "true":
        _traced_machines.add(arn)
    else:
        _traced_machines.discard(arn)


def _traced(run: Callable[[str], None]) -> Callable[[str], None]:
    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        header = None
        if execution and machine_of(execution)["stateMachineArn"] in _traced_machines:
            header = traces.current.get() or traces.new_header()
        with traces.carried(header):
            run(arn)

    return run_execution
