"""SP4xx: how often something is tried, and how much one failure takes with it."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside
from sls_patterns_cli.wiring.edges import edges
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.edges.mappings import mechanism_of, source_of
from sls_patterns_cli.wiring.model import (
    FUNCTION,
    MAPPING,
    QUEUE,
    RULE,
    SCHEDULE,
    function_at,
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
    for mapping in stack.of_type(MAPPING):
        yield from _partial_responses(stack, mapping)
        yield from _visibility(stack, mapping)
        yield from _endless_retries(stack, mapping)
        yield from _silent_filter(stack, mapping)
        yield from _receives(stack, mapping)
        yield from _batches_of_fifo(stack, mapping)
    yield from _reserved_concurrency(stack)
    yield from dict.fromkeys(_default_retries(stack))


def _partial_responses(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP401."""
    mechanism = mechanism_of(stack, mapping)
    if mechanism not in DEFAULT_BATCHES:
        return
    batch = mapping.get("BatchSize")
    size = stack.number(batch, DEFAULT_BATCHES[mechanism] if batch is None else None)
    types = mapping.get("FunctionResponseTypes")
    reports = "ReportBatchItemFailures" in (types if isinstance(types, list) else [])
    if size is not None and size > 1 and not reports and not isinstance(types, dict):
        yield Fault(
            "SP401",
            mapping.name,
            f"One failure returns the whole batch of up to {size}, those that were done as well.",
            "FunctionResponseTypes: [ReportBatchItemFailures]\nThe function then returns the ids "
            "that failed in batchItemFailures.",
        )


def _visibility(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP402."""
    queue, function = source_of(stack, mapping), function_at(stack, mapping.get("FunctionName"))
    if queue is None or queue.type != QUEUE or function is None:
        return
    timeout = stack.number(function[0].get("Timeout"), DEFAULT_TIMEOUT)
    window = stack.number(mapping.get("MaximumBatchingWindowInSeconds"), 0)
    given = queue.get("VisibilityTimeout")
    visibility = stack.number(given, DEFAULT_VISIBILITY if given is None else None)
    if visibility is None or timeout is None or window is None:
        return
    least = VISIBILITY_FACTOR * timeout + window
    if visibility < least:
        yield Fault(
            "SP402",
            queue.name,
            f"Messages are visible again after {visibility} s, before Lambda has done with its own "
            f"retries; AWS advises {least} s for {function[0].name}.",
            f"VisibilityTimeout: {least}",
            ("Properties", "VisibilityTimeout"),
        )


def _endless_retries(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP403."""
    if mechanism_of(stack, mapping) != "stream" or mapping.get("DocumentDBEventSourceConfig"):
        return
    limits = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    if all(limit in UNLIMITED for limit in limits):
        yield Fault(
            "SP403",
            mapping.name,
            "One bad record stops its shard until it expires: Lambda tries it again and again.",
            "MaximumRetryAttempts: 10\nMaximumRecordAgeInSeconds: 21600\n"
            "BisectBatchOnFunctionError: true",
        )


def _silent_filter(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP405."""
    if mechanism_of(stack, mapping) == "sqs" and mapping.get("FilterCriteria"):
        yield Fault(
            "SP405",
            mapping.name,
            "Messages that do not match the filter are deleted without a trace.",
            "Filter in the subscription or rule that leads to the queue, or decide in the "
            "function.",
            ("Properties", "FilterCriteria"),
        )


def _receives(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP406."""
    queue = source_of(stack, mapping)
    if queue is None or queue.type != QUEUE:
        return
    receives = stack.number(redrive(queue).get("maxReceiveCount"))
    if receives is not None and receives < FEWEST_RECEIVES:
        yield Fault(
            "SP406",
            queue.name,
            f"{receives} receives are soon used up by throttling, without any try to process.",
            f"maxReceiveCount: {FEWEST_RECEIVES}",
            ("Properties", "RedrivePolicy", "maxReceiveCount"),
        )


def _batches_of_fifo(stack: Stack, mapping: Resource) -> Iterator[Fault]:
    """SP408."""
    queue = source_of(stack, mapping)
    if queue and queue.type == QUEUE and queue.is_true("FifoQueue"):
        batch = mapping.get("BatchSize")
        size = stack.number(batch, DEFAULT_BATCHES["sqs"] if batch is None else None)
        if size is not None and size > 1:
            yield Fault(
                "SP408",
                mapping.name,
                "A message that fails takes those behind it in the batch to the dead-letter queue.",
                "BatchSize: 1",
            )


def _reserved_concurrency(stack: Stack) -> Iterator[Fault]:
    """SP407."""
    for function in stack.functions:
        reserved = stack.number(function.get("ReservedConcurrentExecutions"))
        mappings = [
            mapping
            for mapping in stack.of_type(MAPPING)
            if mechanism_of(stack, mapping) == "sqs"
            and (invoked := function_at(stack, mapping.get("FunctionName")))
            and invoked[0] == function
        ]
        if reserved is None or not mappings:
            continue
        queues = [source_of(stack, mapping) for mapping in mappings]
        if any(queue and queue.is_true("FifoQueue") for queue in queues):
            continue
        consumers = sum(
            stack.number(mapping.get("ScalingConfig", "MaximumConcurrency"), MOST_CONSUMERS) or 0
            for mapping in mappings
        )
        if reserved < consumers and any(not mapping.get("ScalingConfig") for mapping in mappings):
            yield Fault(
                "SP407",
                function.name,
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
                    "MaximumRetryAttempts: 2\nMaximumEventAgeInSeconds: 3600",
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
                    "RetryPolicy:\n  MaximumRetryAttempts: 10\n  MaximumEventAgeInSeconds: 3600",
                )
