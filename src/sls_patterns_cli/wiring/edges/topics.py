"""Subscriptions to topics: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html."""

from collections.abc import Iterator, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import (
    NOWHERE,
    SUBSCRIPTION,
    TOPIC,
    UNKNOWN,
    Edge,
    End,
    end_at,
    place_of,
    redrive,
)

SAID_TO_PEOPLE = "email", "email-json", "sms", "application"


def edges(stack: Stack) -> Iterator[Edge]:
    for subscription in stack.of_type(SUBSCRIPTION):
        topic = stack.place(subscription.get("TopicArn"), TOPIC).name
        end = end_at(stack, redrive(subscription).get("deadLetterTargetArn"))
        yield from _subscription(stack, topic, subscription.properties, subscription, end)
    for within in stack.of_type(TOPIC):
        for given in within.items("Subscription"):
            # Declared inside the topic, it has no place for a RedrivePolicy.
            yield from _subscription(stack, within.name, given, within, NOWHERE)


def _subscription(
    stack: Stack, topic: str, given: Mapping[str, Any], declared_by: Resource, end: End
) -> Iterator[Edge]:
    protocol, endpoint = given.get("Protocol"), given.get("Endpoint")
    if protocol in SAID_TO_PEOPLE:
        return
    if end == NOWHERE and not isinstance(protocol, str):  # it may be for people as well
        end = UNKNOWN
    yield Edge(topic, place_of(stack, endpoint).name, "sns", declared_by.name, end)
    if protocol == "lambda":
        yield from invocation(stack, topic, endpoint, declared_by, is_function=True)
