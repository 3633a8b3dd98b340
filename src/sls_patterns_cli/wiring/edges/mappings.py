"""Event source mappings: Lambda polls queues, streams and brokers.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.model import (
    MAPPING,
    NOWHERE,
    QUEUE,
    UNKNOWN,
    Edge,
    End,
    Mechanism,
    end_at,
    place_of,
    redrive_end,
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


def edges(stack: Stack) -> Iterator[Edge]:
    for mapping in stack.of_type(MAPPING):
        source = source_of(stack, mapping)
        mechanism = mechanism_of(stack, mapping)
        consumer = place_of(stack, mapping.get("FunctionName"))
        name = source.name if source else _outside(stack, mapping)
        end = _end(stack, mapping, source, mechanism)
        yield Edge(name, consumer.name, mechanism, mapping.name, end, can_end=mechanism != "other")


def source_of(stack: Stack, mapping: Resource) -> Resource | None:
    """Return the resource of the stack that is polled."""
    source = stack.found(mapping.get("EventSourceArn"), *MECHANISMS)
    if source and source.type == "AWS::Kinesis::StreamConsumer":
        return stack.found(source.get("StreamARN"), "AWS::Kinesis::Stream") or source
    return source


def mechanism_of(stack: Stack, mapping: Resource) -> Mechanism:
    """Return what kind of source is polled; of one outside by its ARN, or by what a kind needs."""
    source = source_of(stack, mapping)
    if source:
        return MECHANISMS[source.type]
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


def _end(stack: Stack, mapping: Resource, source: Resource | None, mechanism: Mechanism) -> End:
    if mechanism == "sqs":
        return redrive_end(stack, source) if source else UNKNOWN
    if mechanism == "other":  # brokers of MQ keep what is not acknowledged, by their own settings
        return NOWHERE
    return end_at(stack, mapping.get("DestinationConfig", "OnFailure", "Destination"))


def _outside(stack: Stack, mapping: Resource) -> str:
    arn: Any = mapping.get("EventSourceArn")
    if arn is not None:
        return stack.place(arn).name
    servers = mapping.get("SelfManagedEventSource", "Endpoints", "KafkaBootstrapServers")
    first = servers[0] if isinstance(servers, list) and servers else servers
    return stack.outside(first) if first is not None else mapping.name
