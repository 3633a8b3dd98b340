"""What `prove` asks the emulator for: to break targets, to fire schedules, to read the journal."""

from typing import Any

from ministack.services import eventbridge, lambda_svc

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters.iam import permissions
from sls_patterns_cli.local.emulator.adapters.lambda_ import record_batches
from sls_patterns_cli.local.emulator.proving import deliveries, executions, functions, resources


def do(request: dict[str, Any]) -> Any:
    """Do what is asked for, and return the answer."""
    match request["do"]:
        case "inert":
            return sorted(resources.make_inert(set(request["types"])))
        case "break":
            functions.faults = dict(request["functions"])
            executions.failing = set(request["machines"])
            for broken, kind in (
                (permissions.refusing, "denied"),
                (permissions.throttling, "throttled"),
            ):
                broken.clear()
                for arn in request[kind]:
                    broken.update(deliveries.targets(arn))
        case "hold":
            record_batches.held = request["held"]
            lambda_svc.esm_wake.set()
        case "fire":
            return deliveries.fire(request["arn"])
        case "event":
            # Only AWS's own services may send what begins with `aws.`.
            eventbridge._put_events({"Entries": [request["entry"]]}, allow_aws_source=True)
        case "next-note":
            return journal.next_number()
        case "journal":
            return journal.since(request["since"])
    return None
