"""SP5xx: what a landing zone refuses to deploy."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.model import QUEUE, redrive

PERMISSIONS = "allowAll", "byQueue"


def faults(stack: Stack) -> Iterator[Fault]:
    """SP501: https://docs.aws.amazon.com/controltower/latest/controlreference/sqs-rules.html."""
    connected = {
        name for edge in edges(stack) for name in (edge.source, edge.target, edge.end.name)
    }
    for queue in stack.of_type(QUEUE):
        if queue.name not in connected or redrive(queue):
            continue
        if queue.get("RedriveAllowPolicy", "redrivePermission") not in PERMISSIONS:
            yield Fault(
                "SP501",
                queue.name,
                f"The control CT.SQS.PR.1 refuses {queue.name}, which has no dead-letter queue.",
                "State the default, which the control accepts:\nRedriveAllowPolicy:\n"
                "  redrivePermission: allowAll",
            )
