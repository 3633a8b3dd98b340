"""Ends that stand outside of a template: queues of another stack are there in their place.

What an import, a parameter or an ARN names takes everything, as nobody here knows who may send to
it. So it shows when a service puts something there.
"""

import json
from collections.abc import Mapping
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.local.emulator.proving.names import OUTSIDE_QUEUES, QUEUE_ARN
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.wiring.model import QUEUE, end_at, redrive

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    ],
}

ARN_OF_END = "deadLetterTargetArn"
UNKNOWN_REDRIVE = {"maxReceiveCount": 10}
"""Any, as nobody knows how often a message is received there."""

NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "DeadLetterConfig": ("Arn", "TargetArn"),
    "OnFailure": ("Destination",),
    "OnFailureConfiguration": ("Arn",),
    "OnSuccess": ("Destination",),
    "RedrivePolicy": (ARN_OF_END,),
}
"""The properties that name an end, by what they are in."""


def make_queues(emulator: Emulator) -> None:
    """Make the queues that stand for all ends elsewhere."""
    for arn in OUTSIDE_QUEUES:
        name = arn.rpartition(":")[2]
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        emulator.client("sqs").create_queue(
            QueueName=name, Attributes={"Policy": json.dumps(POLICY), **fifo}
        )


def settled(stack: Stack, resource: Resource) -> dict[str, Any]:
    """Return the properties of a resource with each end that is not in its stack in one of them."""
    fifo = resource.type == QUEUE and resource.is_true("FifoQueue")
    arn = f"{QUEUE_ARN}.fifo" if fifo else QUEUE_ARN
    given = dict(resource.properties)
    if policy := redrive(resource):  # it may be a text of JSON, or a parameter
        is_known = ARN_OF_END in policy
        given["RedrivePolicy"] = policy if is_known else UNKNOWN_REDRIVE | {ARN_OF_END: arn}
    found: dict[str, Any] = _settled(stack, given, arn)
    return found


def _settled(stack: Stack, value: Any, arn: str, within: str = "") -> Any:
    if isinstance(value, list):
        return [_settled(stack, each, arn) for each in value]
    if not isinstance(value, dict):
        return value
    names = NAMED_BY.get(within, ())
    return {
        key: arn
        if key in names and _is_elsewhere(stack, inner)
        else _settled(stack, inner, arn, key)
        for key, inner in value.items()
    }


def _is_elsewhere(stack: Stack, value: Any) -> bool:
    """Tell whether a value names something that is not in the stack; AWS refuses what is no ARN."""
    if isinstance(value, str) and not value.startswith("arn:"):
        return False
    return end_at(stack, value).kind in {"outside", "unknown"}
