"""Subscriptions to topics: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import SUBSCRIPTION, TOPIC, Edge, end_at, place_of, redrive

SAID_TO_PEOPLE = "email", "email-json", "sms", "application"


def edges(stack: Stack) -> Iterator[Edge]:
    for subscription in stack.of_type(SUBSCRIPTION):
        if subscription.get("Protocol") in SAID_TO_PEOPLE:
            continue
        topic = stack.place(subscription.get("TopicArn"), TOPIC).name
        endpoint = subscription.get("Endpoint")
        end = end_at(stack, redrive(subscription).get("deadLetterTargetArn"))
        yield Edge(topic, place_of(stack, endpoint).name, "sns", subscription.name, end)
        if subscription.get("Protocol") == "lambda":
            yield from invocation(stack, topic, endpoint, subscription, is_function=True)
    for within in stack.of_type(TOPIC):
        for given in within.items("Subscription"):
            # Declared inside the topic, it has no place for a RedrivePolicy.
            if given.get("Protocol") not in SAID_TO_PEOPLE:
                endpoint = given.get("Endpoint")
                yield Edge(within.name, place_of(stack, endpoint).name, "sns", within.name)
                if given.get("Protocol") == "lambda":
                    yield from invocation(stack, within.name, endpoint, within, is_function=True)
