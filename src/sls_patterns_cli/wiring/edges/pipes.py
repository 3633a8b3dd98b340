"""Pipes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.executions import is_express
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.edges.mappings import MECHANISMS
from sls_patterns_cli.wiring.model import (
    NOWHERE,
    PIPE,
    QUEUE,
    UNKNOWN,
    Edge,
    End,
    Mechanism,
    end_at,
    function_at,
    machine_at,
    place_of,
    redrive_end,
)

STREAM_SOURCES = "KinesisStreamParameters", "DynamoDBStreamParameters"


def edges(stack: Stack) -> Iterator[Edge]:
    for pipe in stack.of_type(PIPE):
        source = stack.place(pipe.get("Source"), *MECHANISMS).name
        arn = pipe.get("Target")
        target, mechanism = place_of(stack, arn).name, source_mechanism(stack, pipe)
        # Brokers keep what is not acknowledged.
        can_end = mechanism in {"sqs", "stream"}
        end = _end(stack, pipe, mechanism)
        yield Edge(source, target, "pipe", pipe.name, end, can_end=can_end)
        kind = pipe.get("TargetParameters", "LambdaFunctionParameters", "InvocationType")
        if kind == "FIRE_AND_FORGET":
            yield from invocation(stack, source, arn, pipe)


def source_mechanism(stack: Stack, pipe: Resource) -> Mechanism:
    """Return what kind of source a pipe reads; of one outside by its ARN, or its parameters."""
    source = stack.found(pipe.get("Source"), *MECHANISMS)
    if source:
        return MECHANISMS[source.type]
    given = pipe.get("SourceParameters", "SqsQueueParameters")
    if given or ":sqs:" in stack.text(pipe.get("Source")):
        return "sqs"
    is_stream = any(pipe.get("SourceParameters", kind) for kind in STREAM_SOURCES)
    return "stream" if is_stream else "other"


def waits_for(stack: Stack, pipe: Resource) -> Resource | None:
    """Return the function or express state machine whose failures a pipe hears of.

    It is the target, or else what enriches; a pipe only starts what it does not wait for.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-error-troubleshooting.html
    """
    target, enrichment = pipe.get("Target"), pipe.get("Enrichment")
    if (function := function_at(stack, target)) and _waits(pipe, "LambdaFunctionParameters"):
        return function[0]
    machine = machine_at(stack, target)
    if machine and _waits(pipe, "StepFunctionStateMachineParameters") and is_express(machine):
        return machine
    enriching = function_at(stack, enrichment)
    return enriching[0] if enriching else machine_at(stack, enrichment)


def _waits(pipe: Resource, kind: str) -> bool:
    return bool(pipe.get("TargetParameters", kind, "InvocationType") != "FIRE_AND_FORGET")


def _end(stack: Stack, pipe: Resource, mechanism: Mechanism) -> End:
    if mechanism == "sqs":
        queue = stack.found(pipe.get("Source"), QUEUE)
        return redrive_end(stack, queue) if queue else UNKNOWN
    for kind in STREAM_SOURCES:
        if arn := pipe.get("SourceParameters", kind, "DeadLetterConfig", "Arn"):
            return end_at(stack, arn)
    return NOWHERE
