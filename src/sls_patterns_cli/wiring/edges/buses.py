"""Subscribers of custom buses of EventBridge, which keep what they are sent (fact Y10).

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-subscriber.html
"""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import BUS_V2, SUBSCRIBER, Edge, end_at, place_of


def edges(stack: Stack) -> Iterator[Edge]:
    for subscriber in stack.of_type(SUBSCRIBER):
        source = stack.place(subscriber.get("EventBusArn"), BUS_V2).name
        arn = subscriber.get("InvokeConfiguration", "TargetArn")
        end = end_at(stack, subscriber.get("OnFailureConfiguration", "Arn"))
        yield Edge(source, place_of(stack, arn).name, "eventbridge-v2", subscriber.name, end)
        if subscriber.get("InvokeConfiguration", "LambdaParameters", "InvocationType") == "EVENT":
            yield from invocation(stack, source, arn, subscriber)
