"""SP4xx: how often something is tried, and how much one failure takes with it."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Stack, inside, listed
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.edges.mappings import Poll, polls
from sls_patterns_cli.wiring.model import (
    FUNCTION,
    QUEUE,
    RULE,
    SCHEDULE,
    redrive,
)

VISIBILITY_FACTOR = 6
FEWEST_RECEIVES = 5
DEFAULT_VISIBILITY = 30
DEFAULT_TIMEOUT = 3
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

DEFAULT_BATCHES = {"sqs": 10, "stream": 100}
UNLIMITED = (None, -1)
"""https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""

FEWEST_CONSUMERS, MOST_CONSUMERS = 2, 1000
"""Of a standard queue: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html."""


def faults(stack: Stack) -> Iterator[Fault]:
    for poll in polls(stack):
        yield from _partial_responses(stack, poll)
        yield from _visibility(stack, poll)
        yield from _endless_retries(poll)
        yield from _silent_filter(poll)
        yield from _receives(stack, poll)
        yield from _batches_of_fifo(stack, poll)
    yield from _reserved_concurrency(stack)
    yield from dict.fromkeys(_default_retries(stack))


def _batch(stack: Stack, poll: Poll) -> int:
    """Return how many items a batch has at most; 1 where nobody can say."""
    given = poll.mapping.get("BatchSize")
    return stack.number(given, DEFAULT_BATCHES.get(poll.mechanism, 1)) or 1


def _partial_responses(stack: Stack, poll: Poll) -> Iterator[Fault]:
    """SP401."""
    types = poll.mapping.get("FunctionResponseTypes")
    reports = isinstance(types, dict) or "ReportBatchItemFailures" in listed(types)
    size = _batch(stack, poll)
    if poll.mechanism in DEFAULT_BATCHES and size > 1 and not reports:
        yield Fault(
            "SP401",
            poll.mapping.name,
            f"One failure returns the whole batch of up to {size}, those that were done as well.",
            "Let the function return the ids that failed in batchItemFailures, and say so:\n"
            "FunctionResponseTypes: [ReportBatchItemFailures]",
        )


def _visibility(stack: Stack, poll: Poll) -> Iterator[Fault]:
    """SP402."""
    queue, function = poll.source, poll.function
    if queue is None or queue.type != QUEUE or function is None:
        return
    timeout = stack.number(function.get("Timeout"), DEFAULT_TIMEOUT)
    window = stack.number(poll.mapping.get("MaximumBatchingWindowInSeconds"), 0)
    visibility = stack.number(queue.get("VisibilityTimeout"), DEFAULT_VISIBILITY)
    if visibility is None or timeout is None or window is None:
        return
    least = VISIBILITY_FACTOR * timeout + window
    if visibility < least:
        yield Fault(
            "SP402",
            queue.name,
            f"Messages are visible again after {visibility} s, before Lambda has done with its own "
            f"retries; AWS advises {least} s for {function.name}.",
            f"Raise it:\nVisibilityTimeout: {least}",
            ("Properties", "VisibilityTimeout"),
        )


def _endless_retries(poll: Poll) -> Iterator[Fault]:
    """SP403."""
    mapping = poll.mapping
    if poll.mechanism != "stream" or mapping.get("DocumentDBEventSourceConfig"):
        return
    limits = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    if all(limit in UNLIMITED for limit in limits):
        yield Fault(
            "SP403",
            mapping.name,
            "One bad record stops its shard until it expires: Lambda tries it again and again.",
            "Limit the retries, and halve the batch that fails:\nMaximumRetryAttempts: 10\n"
            "MaximumRecordAgeInSeconds: 21600\nBisectBatchOnFunctionError: true",
        )


def _silent_filter(poll: Poll) -> Iterator[Fault]:
    """SP405."""
    if poll.mechanism == "sqs" and poll.mapping.get("FilterCriteria"):
        yield Fault(
            "SP405",
            poll.mapping.name,
            "Messages that do not match the filter are deleted without a trace.",
            "Filter in the subscription or rule that leads to the queue, or decide in the "
            "function.",
            ("Properties", "FilterCriteria"),
        )


def _receives(stack: Stack, poll: Poll) -> Iterator[Fault]:
    """SP406."""
    queue = poll.source
    if queue is None or queue.type != QUEUE:
        return
    receives = stack.number(redrive(queue).get("maxReceiveCount"))
    if receives is not None and receives < FEWEST_RECEIVES:
        yield Fault(
            "SP406",
            queue.name,
            f"{receives} receives are soon used up by throttling, without any try to process.",
            f"Raise it:\nmaxReceiveCount: {FEWEST_RECEIVES}",
            ("Properties", "RedrivePolicy", "maxReceiveCount"),
        )


def _batches_of_fifo(stack: Stack, poll: Poll) -> Iterator[Fault]:
    """SP408."""
    queue = poll.source
    is_fifo = queue is not None and queue.type == QUEUE and queue.is_true("FifoQueue")
    if is_fifo and _batch(stack, poll) > 1:
        yield Fault(
            "SP408",
            poll.mapping.name,
            "A message that fails takes those behind it in the batch to the dead-letter queue.",
            "Take one at a time:\nBatchSize: 1",
            ("Properties", "BatchSize"),
        )


def _reserved_concurrency(stack: Stack) -> Iterator[Fault]:
    """SP407."""
    of_function: dict[str, list[Poll]] = {}
    for poll in polls(stack):
        if poll.mechanism == "sqs" and poll.function:
            of_function.setdefault(poll.function.name, []).append(poll)
    for name, found in of_function.items():
        reserved = stack.number(stack.resources[name].get("ReservedConcurrentExecutions"))
        if reserved is None or any(p.source and p.source.is_true("FifoQueue") for p in found):
            continue
        limits = [poll.mapping.get("ScalingConfig", "MaximumConcurrency") for poll in found]
        consumers = sum(stack.number(limit, MOST_CONSUMERS) or 0 for limit in limits)
        if reserved < consumers:
            yield Fault(
                "SP407",
                name,
                f"The poller takes more messages than {reserved} executions can process; each "
                "throttled one counts as received.",
                "Limit the mapping instead:\nScalingConfig:\n"
                f"  MaximumConcurrency: {max(reserved, FEWEST_CONSUMERS)}",
                ("Properties", "ReservedConcurrentExecutions"),
            )


def _default_retries(stack: Stack) -> Iterator[Fault]:
    """SP404."""
    for edge in edges(stack):
        declared = stack.resources[edge.declared_by]
        if edge.mechanism == "lambda-async":
            function = stack.resources.get(edge.target)
            if function is None or function.type != FUNCTION:
                continue
            config = configuration(stack, function, edge.qualifier)
            names = "MaximumRetryAttempts", "MaximumEventAgeInSeconds"
            if config is None or any(config.get(name) is None for name in names):
                yield Fault(
                    "SP404",
                    function.name,
                    f"Events for {function.name} are tried three times within six hours, since "
                    "nothing else is said.",
                    "Say how late an event is still useful:\nMaximumRetryAttempts: 2\n"
                    "MaximumEventAgeInSeconds: 3600",
                )
        elif declared.type in {RULE, SCHEDULE}:
            policies = (
                [each.get("RetryPolicy") for each in declared.items("Targets")]
                if declared.type == RULE
                else [declared.get("Target", "RetryPolicy")]
            )
            if not all(inside(policy, "MaximumEventAgeInSeconds") for policy in policies):
                yield Fault(
                    "SP404",
                    declared.name,
                    "Deliveries are tried for 24 hours and 185 times, since nothing else is said.",
                    "Say how late an event is still useful:\nRetryPolicy:\n"
                    "  MaximumRetryAttempts: 10\n  MaximumEventAgeInSeconds: 3600",
                )
