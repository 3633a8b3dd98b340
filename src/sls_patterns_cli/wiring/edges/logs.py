"""Subscriptions to logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import LOG_FILTER, LOG_GROUP, Edge, place_of


def edges(stack: Stack) -> Iterator[Edge]:
    for each in stack.of_type(LOG_FILTER):
        group = stack.place(each.get("LogGroupName"), LOG_GROUP).name
        arn = each.get("DestinationArn")
        yield Edge(group, place_of(stack, arn).name, "logs", each.name, can_end=False)
        yield from invocation(stack, group, arn, each)
