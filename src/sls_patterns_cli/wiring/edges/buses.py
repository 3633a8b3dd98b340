"""Custom buses of EventBridge, which keep what they are sent: sources and subscribers (fact O90).

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-subscriber.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-eventsource.html
"""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.edges.rules import DEFAULT_BUS
from sls_patterns_cli.wiring.model import (
    BUS_V2,
    EVENT_SOURCE,
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
    yield from (_forwarded(stack, each) for each in stack.of_type(EVENT_SOURCE))


def _forwarded(stack: Stack, source: Resource) -> Edge:
    """Events of an AWS service, which leave the default bus, or of a partner's source."""
    partner = source.get("Configuration", "PartnerEventsConfiguration") or {}
    given = partner or source.get("Configuration", "AwsServiceEventsConfiguration") or {}
    origin = place_of(stack, partner["PartnerEventSourceArn"]).name if partner else DEFAULT_BUS
    bus = stack.place(source.get("EventBusArn"), BUS_V2).name
    end = end_at(stack, inside(given, "OnFailureConfiguration", "Arn"))
    return Edge(origin, bus, "eventbridge-v2", source.name, end)
