"""Subscribers of custom buses of EventBridge, which keep what they are sent (fact Y10).

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-subscriber.html
"""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import (
    BUS_V2,
    SUBSCRIBER,
    Edge,
    end_at,
    function_at,
    place_of,
)


def waited_for(stack: Stack, subscriber: Resource) -> Resource | None:
    """Return the function that a subscriber waits for; None for a target of another kind."""
    invoked = function_at(stack, subscriber.get("InvokeConfiguration", "TargetArn"))
    return invoked[0] if invoked and _waits(subscriber) else None


def _waits(subscriber: Resource) -> bool:
    invoke = "InvokeConfiguration", "LambdaParameters", "InvocationType"
    return bool(subscriber.get(*invoke) != "EVENT")


def edges(stack: Stack) -> Iterator[Edge]:
    for subscriber in stack.of_type(SUBSCRIBER):
        source = stack.place(subscriber.get("EventBusArn"), BUS_V2).name
        arn = subscriber.get("InvokeConfiguration", "TargetArn")
        end = end_at(stack, subscriber.get("OnFailureConfiguration", "Arn"))
        yield Edge(source, place_of(stack, arn).name, "eventbridge-v2", subscriber.name, end)
        if not _waits(subscriber):
            yield from invocation(stack, source, arn, subscriber)
