"""Pipes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.edges.mappings import MECHANISMS
from sls_patterns_cli.wiring.model import (
    NOWHERE,
    PIPE,
    QUEUE,
    UNKNOWN,
    Edge,
    End,
    end_at,
    place_of,
    redrive_end,
)

STREAM_SOURCES = "KinesisStreamParameters", "DynamoDBStreamParameters"


def edges(stack: Stack) -> Iterator[Edge]:
    for pipe in stack.of_type(PIPE):
        source = stack.place(pipe.get("Source"), *MECHANISMS).name
        arn = pipe.get("Target")
        end = _end(stack, pipe)
        yield Edge(
            source, place_of(stack, arn).name, "pipe", pipe.name, end, can_end=can_end(stack, pipe)
        )
        kind = pipe.get("TargetParameters", "LambdaFunctionParameters", "InvocationType")
        if kind == "FIRE_AND_FORGET":
            yield from invocation(stack, source, arn, pipe)


def can_end(stack: Stack, pipe: Resource) -> bool:
    """Tell whether AWS knows an end for this source: brokers keep what is not acknowledged."""
    return is_of_queue(stack, pipe) or is_of_stream(stack, pipe)


def is_of_queue(stack: Stack, pipe: Resource) -> bool:
    given = pipe.get("SourceParameters", "SqsQueueParameters")
    source = stack.found(pipe.get("Source"), *MECHANISMS)
    return (
        source.type == QUEUE if source else bool(given) or ":sqs:" in stack.text(pipe.get("Source"))
    )


def is_of_stream(stack: Stack, pipe: Resource) -> bool:
    source = stack.found(pipe.get("Source"), *MECHANISMS)
    if source:
        return MECHANISMS[source.type] == "stream"
    return any(pipe.get("SourceParameters", kind) for kind in STREAM_SOURCES)


def _end(stack: Stack, pipe: Resource) -> End:
    if is_of_queue(stack, pipe):
        queue = stack.found(pipe.get("Source"), QUEUE)
        return redrive_end(stack, queue) if queue else UNKNOWN
    for kind in STREAM_SOURCES:
        if arn := pipe.get("SourceParameters", kind, "DeadLetterConfig", "Arn"):
            return end_at(stack, arn)
    return NOWHERE
