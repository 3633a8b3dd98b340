"""Subscribers with stacks of their own: one template, deployed once for each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conservation import dynamodb
from conservation.datastore import Datastore
from conservation.stack import Stack

SUBSCRIBERS = {"Scans": "Scanning", "Bills": "Billing", "Notices": "Notifying"}
"""The names of their tables, and of their queues."""


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    """Deploy the subscribers, take their queues and tables for the stack's, and disturb these."""
    template = (stack.project / "stacks/subscriber.yaml").read_text()
    outputs, stack.subscribers = dict(stack.outputs), tuple(SUBSCRIBERS)
    for name, queue in SUBSCRIBERS.items():
        found = _deployed(stack, name, template)
        outputs |= {
            f"{name}TableName": found["ProcessedTableName"],
            f"{queue}QueueUrl": found["UploadsQueueUrl"],
            f"{queue}DeadLetterQueueUrl": found["UploadsDeadLetterQueueUrl"],
            f"UploadsTo{queue}DeadLetterQueueUrl": found["UndeliveredDeadLetterQueueUrl"],
        }
    stack.outputs = outputs
    with dynamodb.disturbable(stack, slow_seconds) as tables:
        yield tables


def _deployed(stack: Stack, name: str, template: str) -> dict[str, str]:
    """Deploy a subscriber; return its outputs."""
    cloudformation = stack.client("cloudformation")
    given = {
        "UploadsTopicArn": stack.outputs["UploadsTopicParameterName"],
        "AlarmTopicArn": stack.outputs["AlarmTopicArn"],
        "TicketTopicArn": stack.outputs["AlarmTopicArn"],
    }
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    described: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}
