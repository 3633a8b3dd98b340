"""Asks each queue for how long a message is tried, and that no receive counts without a try."""

from collections.abc import Iterator

from contract.edges import edges, queue_of
from contract.ends import DEFAULT_VISIBILITY, FEWEST_RECEIVES, is_fifo, permitted, polled
from contract.standards import told_of
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
MOST_RECEIVES = 1000
# An outage of an hour makes no dead letter, also of messages that were received just before it;
# what kills its process is one soon after.
TRIED_SECONDS = range(3960, 7201)
# In a FIFO queue a message is tried for a day, since order ends with it.
TRIED_IN_ORDER_SECONDS = 86400


def tried_violations(stack: Stack) -> Iterator[Violation]:
    """Say where a message is not tried for as long as an outage takes, or is not tried at all."""
    for edge in edges(stack):
        if edge.mechanism == "E1":
            mapping = stack.resources[edge.declared_by]
            queue, function = stack.resources[edge.source], stack.resources[edge.target]
            yield from _tried(stack, queue, function, mapping)
    for queue, function in polled(stack):
        yield from _tried(stack, queue, function)


def _tried(
    stack: Stack, queue: Resource, function: Resource, mapping: Resource | None = None
) -> Iterator[Violation]:
    """Say where a message is not tried for as long as an outage takes, or is not tried at all.

    A function that is told of the dead-letter queue sends there what can never be processed. One
    that is not, in projects of earlier releases, has five receives for all that fails.
    """
    end = queue_of(stack, queue.get("RedrivePolicy", "deadLetterTargetArn"))
    receives = stack.number(queue.get("RedrivePolicy", "maxReceiveCount"))
    if end is None or receives is None or receives < FEWEST_RECEIVES:
        return
    is_told = end in told_of(stack, function)
    if is_told:
        yield from permitted(stack, function, "sqs:SendMessage", stack.resources[end], "E1")
    elif mapping is None:
        return
    batch = 1 if mapping is None else stack.number(mapping.get("BatchSize"))
    if batch != 1:
        if is_told:
            must = "1: else messages may count a receive that nobody has tried"
            yield is_but("E1", (mapping or queue).name, "BatchSize", batch, must)
        elif receives != FEWEST_RECEIVES:
            must = f"{FEWEST_RECEIVES}, where a batch has several messages"
            yield is_but("E1", queue.name, "RedrivePolicy.maxReceiveCount", receives, must)
        return
    visibility = stack.number(queue.get("VisibilityTimeout"), DEFAULT_VISIBILITY) or 0
    tried, kept = receives * visibility, stack.number(queue.get("MessageRetentionPeriod")) or 0
    if is_fifo(queue):
        longest = min(MOST_RECEIVES * visibility, kept // 2)
        if is_told and not TRIED_IN_ORDER_SECONDS <= tried <= longest:
            must = f"from {TRIED_IN_ORDER_SECONDS} to {longest} s / {visibility} s of visibility"
            yield is_but("E1", queue.name, "RedrivePolicy.maxReceiveCount", receives, must)
    elif tried not in TRIED_SECONDS:
        must = f"from {TRIED_SECONDS[0]} to {TRIED_SECONDS[-1]} s / {visibility} s of visibility"
        yield is_but("E1", queue.name, "RedrivePolicy.maxReceiveCount", receives, must)
