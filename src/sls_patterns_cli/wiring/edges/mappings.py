"""Event source mappings: Lambda polls queues, streams and brokers.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, is_unknown, once_a_stack
from sls_patterns_cli.wiring.model import (
    MAPPING,
    NOWHERE,
    QUEUE,
    UNKNOWN,
    Edge,
    End,
    Mechanism,
    end_at,
    function_at,
    place_of,
    redrive_end,
    redriven,
)

MECHANISMS: dict[str, Mechanism] = {
    QUEUE: "sqs",
    "AWS::Kinesis::Stream": "stream",
    "AWS::Kinesis::StreamConsumer": "stream",
    "AWS::DynamoDB::Table": "stream",
    "AWS::DynamoDB::GlobalTable": "stream",
    "AWS::DocDB::DBCluster": "stream",
    "AWS::MSK::Cluster": "kafka",
    "AWS::MSK::ServerlessCluster": "kafka",
    "AWS::AmazonMQ::Broker": "other",
}
SERVICES: dict[str, Mechanism] = {
    ":sqs:": "sqs",
    ":kinesis:": "stream",
    ":dynamodb:": "stream",
    ":rds:": "stream",
    ":kafka:": "kafka",
    ":mq:": "other",
}
"""Of a source outside of the stack, by the service in its ARN."""


@dataclass(frozen=True)
class Poll:
    """A mapping, with the resources of the stack that it connects, if they are there."""

    mapping: Resource
    source: Resource | None
    mechanism: Mechanism
    function: Resource | None


@once_a_stack
def polls(stack: Stack) -> Iterator[Poll]:
    """Return what Lambda polls."""
    for mapping in stack.of_type(MAPPING):
        source = _source(stack, mapping)
        consumer = function_at(stack, mapping.get("FunctionName"))
        function = consumer[0] if consumer else None
        yield Poll(mapping, source, _mechanism(stack, mapping, source), function)


def edges(stack: Stack) -> Iterator[Edge]:
    for poll in polls(stack):
        mapping, source = poll.mapping, poll.source
        name = source.name if source else _outside(stack, mapping)
        consumer = place_of(stack, mapping.get("FunctionName")).name
        end, can_end = _end(stack, poll), poll.mechanism != "other"
        yield Edge(name, consumer, poll.mechanism, mapping.name, end, can_end=can_end)


def by_code(stack: Stack, polled: Collection[str]) -> Iterator[Edge]:
    """Return an edge for each queue with an end that code receives from, and nothing in the stack.

    Whose code that is the template does not say: the edge leads to the queue itself.
    """
    for queue, end in redriven(stack):
        if queue.name not in polled:
            yield Edge(queue.name, queue.name, "sqs", queue.name, End("resource", end.name))


def _source(stack: Stack, mapping: Resource) -> Resource | None:
    source = stack.found(mapping.get("EventSourceArn"), *MECHANISMS)
    if source and source.type == "AWS::Kinesis::StreamConsumer":
        return stack.found(source.get("StreamARN"), "AWS::Kinesis::Stream") or source
    return source


def _mechanism(stack: Stack, mapping: Resource, source: Resource | None) -> Mechanism:
    """Return what kind of source is polled; of one outside by its ARN, or by what a kind needs."""
    if source:
        return MECHANISMS[source.type]
    if is_unknown(mapping.get("EventSourceArn")):
        return "other"
    text = stack.text(mapping.get("EventSourceArn"))
    for service, mechanism in SERVICES.items():
        if service in text:
            return mechanism
    if mapping.get("SelfManagedEventSource") or mapping.get("Topics"):
        return "kafka"
    if mapping.get("Queues"):
        return "other"
    is_read = mapping.get("StartingPosition") or mapping.get("DocumentDBEventSourceConfig")
    return "stream" if is_read else "sqs"


def _end(stack: Stack, poll: Poll) -> End:
    if poll.mechanism == "sqs":
        return redrive_end(stack, poll.source) if poll.source else UNKNOWN
    if is_unknown(poll.mapping.get("EventSourceArn")):
        return UNKNOWN
    if poll.mechanism == "other":  # MQ's brokers keep what is not acknowledged, as they are set
        return NOWHERE
    return end_at(stack, poll.mapping.get("DestinationConfig", "OnFailure", "Destination"))


def _outside(stack: Stack, mapping: Resource) -> str:
    arn: Any = mapping.get("EventSourceArn")
    if arn is not None:
        return stack.place(arn).name
    servers = mapping.get("SelfManagedEventSource", "Endpoints", "KafkaBootstrapServers")
    first = next(iter(servers), None) if isinstance(servers, list) else servers
    return stack.outside(first) if first is not None else mapping.name
