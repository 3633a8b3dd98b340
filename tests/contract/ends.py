"""Asks each asynchronous edge for its end, and the end for somebody who is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from contract.alarms import (
    DEAD_LETTERS,
    DELIVERY,
    DELIVERY_BY_PUT,
    DELIVERY_FROM_STREAM,
    DELIVERY_OF_ROWS,
    DESTINATION,
    ITERATOR_AGE,
    LAMBDA_DEAD_LETTER,
    RULE_DEAD_LETTER,
    RULE_TARGET,
    SCHEDULE_DEAD_LETTER,
    SUBSCRIPTION_DEAD_LETTER,
    TRANSFORM,
    consumption,
    watched,
)
from contract.edges import (
    EVENTS_OF_BUCKET,
    GROUP,
    Edge,
    delivery_destination,
    edges,
    error_prefix,
    event_source,
    processors,
    queue_of,
    rule_of_objects,
    transforms,
)
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.edges.rules import bucket_of
from sls_patterns_cli.wiring.model import (
    BUCKET,
    MACHINE,
    MAPPING,
    QUEUE,
    STREAM,
    TABLE,
    TOPIC,
    place_of,
)
from sls_patterns_cli.wiring.policies import admits, may, role_of, statements

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
LONGEST_RETENTION = 1209600
DEFAULT_RETENTION = 345600
DEFAULT_VISIBILITY = 30

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
FEWEST_RECEIVES = 5
CONCURRENCY = range(2, 1001)

# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
RETRIES = range(3)
EVENT_AGE = range(60, 21601)

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
# The most there may be: the age of a record ends what fails, not how often it was tried.
STREAM_RETRIES = range(10000, 10001)
LONGEST_RECORD_AGE = 604800
# A stream's target may be down for so long: about six hours.
LONGEST_OUTAGE = 21600

# Events and schedules: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
# and https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
DELIVERY_RETRIES = range(186)
DELIVERY_AGE = range(60, 86401)

# What a transform answers is limited to 6 MB, and may be larger than what it was given (fact B17).
# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
TRANSFORMED_MEGABYTES = 1

# What Lambda's poller asks for in the name of the function's role.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
# https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/iam-policy-example-lamda-process-dynamodb-streams.html
RECEIVING = ("sqs:ReceiveMessage", "sqs:DeleteMessage")
VIEWS_WITH_IMAGES = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
POLLING = {
    QUEUE: (*RECEIVING, "sqs:GetQueueAttributes"),
    STREAM: (
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
    TABLE: ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}


# https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
FIREHOSE_READING = (
    "kinesis:DescribeStream",
    "kinesis:GetShardIterator",
    "kinesis:GetRecords",
    "kinesis:ListShards",
)
FIREHOSE_WRITING = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
FIREHOSE_FINDING = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
FIREHOSE_CHANGING = ("lambda:InvokeFunction", "lambda:GetFunctionConfiguration")


def edge_violations(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """Say what an edge lacks of what must hold for its mechanism."""
    if edge.mechanism in CHECKS:
        yield from CHECKS[edge.mechanism](stack, edge)


def dead_letter_queue(stack: Stack, name: str, *, fifo: bool = False) -> Iterator[Violation]:
    """Say what a queue lacks of what must hold for every dead-letter queue.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    queue = stack.resources[name]
    retention = stack.number(queue.get("MessageRetentionPeriod"))
    if retention != LONGEST_RETENTION:
        must = f"{LONGEST_RETENTION} (14 days)"
        yield is_but("DLQ", name, "MessageRetentionPeriod", retention, must)
    if is_fifo(queue) != fifo:
        kinds = {True: "FIFO", False: "standard"}
        says = f"is a {kinds[not fifo]} queue, but must be a {kinds[fifo]} queue"
        yield Violation("DLQ", name, says)
    yield from watched(stack, queue, DEAD_LETTERS)


def is_fifo(resource: Resource) -> bool:
    """Tell whether a queue or topic is first in, first out."""
    return resource.get("FifoQueue") in (True, "true") or resource.get("FifoTopic") in (
        True,
        "true",
    )


def _queue_to_function(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E1: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html."""
    queue, function = stack.resources[edge.source], stack.resources[edge.target]
    mapping = stack.resources[edge.declared_by]
    window = stack.number(mapping.get("MaximumBatchingWindowInSeconds"), 0) or 0
    timeout = stack.number(function.get("Timeout"), 3) or 0
    visibility = stack.number(queue.get("VisibilityTimeout"), DEFAULT_VISIBILITY) or 0
    if visibility < VISIBILITY_FACTOR * timeout + window:
        least = f"at least {VISIBILITY_FACTOR} x {timeout} (Timeout of {function.name}) + {window}"
        yield is_but("E1", queue.name, "VisibilityTimeout", visibility, least)
    yield from _gives_up(stack, queue)
    yield from _reports_items(mapping, "E1")
    batch = stack.number(mapping.get("BatchSize"))
    if is_fifo(queue) and batch != 1:
        # A batch may hold messages of several groups, and of one that fails also those behind it.
        # https://github.com/aws-powertools/powertools-lambda-python/issues/2981
        must = "1: what is behind a message that fails would be given up with it (fact B24)"
        yield is_but("E1", mapping.name, "BatchSize", batch, must)
    if edge.limit is not None and edge.limit not in CONCURRENCY:
        name = "ScalingConfig.MaximumConcurrency"
        yield is_but("E1", mapping.name, name, edge.limit, "from 2 to 1000")
    if mapping.get("ProvisionedPollerConfig") and mapping.get("ScalingConfig"):
        must = "left out: provisioned pollers are the limit (fact B23)"
        yield is_but("E1", mapping.name, "ScalingConfig", "set", must)
    reserved = stack.number(function.get("ReservedConcurrentExecutions"))
    if reserved is not None and (edge.limit is None or reserved < edge.limit):
        must = (
            "left out: throttled receives count towards the dead-letter queue; "
            "ScalingConfig.MaximumConcurrency bounds the consumers"
        )
        yield is_but("E1", function.name, "ReservedConcurrentExecutions", reserved, must)
    yield from _polls(stack, edge, "E1")
    yield from consumption(stack, queue)


def polled(stack: Stack) -> Iterator[tuple[Resource, Resource]]:
    """Return each queue from which a function receives by itself, without a mapping."""
    found = edges(stack)
    apart = {edge.source for edge in found if edge.mechanism == "E1"} | {edge.end for edge in found}
    for queue in stack.of_type(QUEUE):
        for function in stack.functions if queue.name not in apart else ():
            role = role_of(stack, function)
            if any(may(stack, role, action, queue) for action in RECEIVING):
                yield queue, function


def polled_violations(stack: Stack) -> Iterator[Violation]:
    """Say what a queue lacks from which a function receives by itself."""
    for queue, function in polled(stack):
        yield from _gives_up(stack, queue)
        yield from consumption(stack, queue)
        for action in RECEIVING:
            yield from permitted(stack, function, action, queue, "E1")


def _gives_up(stack: Stack, queue: Resource) -> Iterator[Violation]:
    """Say what a queue lacks that gives up what cannot be done."""
    end = queue_of(stack, queue.get("RedrivePolicy", "deadLetterTargetArn"))
    if end is None:
        yield Violation("E1", queue.name, "RedrivePolicy must name a queue of this stack")
    else:
        yield from dead_letter_queue(stack, end, fifo=is_fifo(queue))
        kept = stack.number(queue.get("MessageRetentionPeriod"), DEFAULT_RETENTION) or 0
        kept_after = stack.number(
            stack.resources[end].get("MessageRetentionPeriod"), DEFAULT_RETENTION
        )
        if kept >= (kept_after or 0):
            must = f"less than the {kept_after} of {end}"
            yield is_but("E1", queue.name, "MessageRetentionPeriod", kept, must)
    receives = stack.number(queue.get("RedrivePolicy", "maxReceiveCount"))
    if receives is None or receives < FEWEST_RECEIVES:
        must = f"at least {FEWEST_RECEIVES}"
        yield is_but("E1", queue.name, "RedrivePolicy.maxReceiveCount", receives, must)


def _asynchronous_invoke(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E2: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""
    function = stack.resources[edge.target]
    config = configuration(stack, function, edge.qualifier)
    if config is None:
        says = f"no EventInvokeConfig for {edge.qualifier}, which {edge.source} invokes"
        yield Violation("E2", function.name, says)
    else:
        for name, allowed in (
            ("MaximumRetryAttempts", RETRIES),
            ("MaximumEventAgeInSeconds", EVENT_AGE),
        ):
            yield from _explicit(stack, config, (name,), allowed, "E2")
    destination = config and config.get("DestinationConfig", "OnFailure", "Destination")
    bucket = stack.by_arn(destination, BUCKET) if destination else None
    if config and bucket:
        yield from _kept_in(stack, edge, bucket, function)
        for action, on in _keeping(bucket):
            yield from _allowed_in_time(stack, config, function, action, on)
        return
    if edge.end is None:
        says = "OnFailure or DeadLetterConfig must name a queue or bucket of this stack"
        yield Violation("E2", function.name, says)
        return
    yield from dead_letter_queue(stack, edge.end)
    yield from permitted(stack, function, "sqs:SendMessage", stack.resources[edge.end], "E2")
    yield from watched(stack, function, DESTINATION if destination else LAMBDA_DEAD_LETTER)
    made = config if config and destination else function
    yield from _allowed_in_time(stack, made, function, "sqs:SendMessage", stack.resources[edge.end])


def _lines_apart(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E10: what a function sets aside itself, it sends by its own role."""
    if edge.end:
        function = stack.resources[edge.target]
        yield from permitted(stack, function, "sqs:SendMessage", stack.resources[edge.end], "E10")


def _rule_to_target(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E3: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html."""
    rule = stack.resources[edge.declared_by]
    sender = "events.amazonaws.com"
    if edge.end is None:
        says = "DeadLetterConfig of its target must name a queue of this stack"
        yield Violation("E3", rule.name, says)
    else:
        yield from dead_letter_queue(stack, edge.end)
        yield from _let_in(stack, stack.resources[edge.end], sender, rule, "E3")
        by_bus = ("EventBusName",) if rule.get("EventBusName") else ()
        yield from watched(stack, rule, replace(RULE_DEAD_LETTER, others=by_bus))
    yield from _policies_first(stack, rule, edge)
    bucket = bucket_of(stack, rule)
    if bucket and not bucket.get(*EVENTS_OF_BUCKET):
        yield Violation("E3", bucket.name, "must send its events to EventBridge")
    targets = rule.get("Targets") or []
    target = next(t for t in targets if place_of(stack, t.get("Arn")).name == edge.target)
    holder = Resource(rule.name, rule.type, target)
    yield from _retries(stack, holder, ("RetryPolicy",), "E3")
    resource = stack.resources.get(edge.target)
    if resource and resource.type == QUEUE:
        yield from _let_in(stack, resource, sender, rule, "E3")
        mappings = stack.of_type(MAPPING)
        if not any(event_source(stack, mapping) == resource for mapping in mappings):
            # Nothing takes what comes there, so people must be told of it.
            yield from watched(stack, resource, DEAD_LETTERS)
    if resource and resource.type == MACHINE:
        acting = Resource(rule.name, rule.type, target)
        yield from permitted(stack, acting, "states:StartExecution", resource, "E3")


def _topic_to_subscriber(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E4: https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html."""
    subscription = stack.resources[edge.declared_by]
    topic = stack.resources.get(edge.source)
    if topic is None or topic.type != TOPIC:
        says = f"TopicArn {edge.source} must be a topic of this stack"
        yield Violation("E4", subscription.name, says)
        return
    sender = "sns.amazonaws.com"
    if edge.end is None:
        yield Violation("E4", subscription.name, "RedrivePolicy must name a queue of this stack")
    else:
        yield from dead_letter_queue(stack, edge.end, fifo=is_fifo(topic))
        yield from _let_in(stack, stack.resources[edge.end], sender, topic, "E4")
        yield from watched(stack, topic, SUBSCRIPTION_DEAD_LETTER)
    target = stack.resources.get(edge.target)
    if target and target.type == QUEUE:
        yield from _let_in(stack, target, sender, topic, "E4")
        # https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-delivery.html
        if is_fifo(target) and not is_fifo(topic):
            says = f"must be a FIFO topic, since {target.name} is a FIFO queue"
            yield Violation("E4", topic.name, says)


def _stream_to_function(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E5: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html."""
    mapping, function = stack.resources[edge.declared_by], stack.resources[edge.target]
    arn = mapping.get("DestinationConfig", "OnFailure", "Destination")
    bucket = stack.by_arn(arn, BUCKET)
    if bucket is None:
        says = "OnFailure must name a bucket of this stack: queues and topics get no records"
        yield Violation("E5", mapping.name, says)
    else:
        yield from _kept_in(stack, edge, bucket, function)
    yield from watched(stack, function, ITERATOR_AGE)
    yield from _explicit(stack, mapping, ("MaximumRetryAttempts",), STREAM_RETRIES, "E5")
    age = range(LONGEST_OUTAGE, LONGEST_RECORD_AGE + 1)
    yield from _explicit(stack, mapping, ("MaximumRecordAgeInSeconds",), age, "E5")
    if mapping.get("BisectBatchOnFunctionError") not in (True, "true"):
        value = mapping.get("BisectBatchOnFunctionError")
        yield is_but("E5", mapping.name, "BisectBatchOnFunctionError", value, "true")
    yield from _reports_items(mapping, "E5")
    yield from _polls(stack, edge, "E5")


def _schedule_to_target(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E6: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html."""
    schedule = stack.resources[edge.declared_by]
    if edge.end is None:
        says = "DeadLetterConfig of its target must name a queue of this stack"
        yield Violation("E6", schedule.name, says)
    else:
        yield from dead_letter_queue(stack, edge.end)
        queue = stack.resources[edge.end]
        yield from permitted(stack, schedule, "sqs:SendMessage", queue, "E6")
        group = stack.named(schedule.get("GroupName"), GROUP)
        if group is None:
            must = "a group of this stack: its dead letters are counted by group alone"
            yield is_but("E6", schedule.name, "GroupName", schedule.get("GroupName"), must)
        else:
            yield from watched(stack, group, SCHEDULE_DEAD_LETTER)
    yield from _retries(stack, schedule, ("Target", "RetryPolicy"), "E6")
    target = stack.resources.get(edge.target)
    if target:
        actions = {
            "AWS::Lambda::Function": "lambda:InvokeFunction",
            MACHINE: "states:StartExecution",
            QUEUE: "sqs:SendMessage",
        }
        invoked = stack.named(schedule.get("Target", "Arn")) or target
        if target.type in actions:
            yield from permitted(stack, schedule, actions[target.type], invoked, "E6")


def _delivery(stack: Stack, edge: Edge) -> Iterator[Violation]:
    """E8: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html."""
    delivery = stack.resources[edge.declared_by]
    destination = delivery_destination(delivery)
    prefix = str(destination.get("ErrorOutputPrefix", ""))
    errors, normal = error_prefix(destination), str(destination.get("Prefix", ""))
    if "!{firehose:error-output-type}" not in prefix or not errors:
        must = "a fixed folder and !{firehose:error-output-type}"
        name = "ErrorOutputPrefix"
        yield is_but("E8", delivery.name, name, destination.get("ErrorOutputPrefix"), must)
    if errors and normal.startswith(errors):
        must = f"outside {errors}, where every object is an error"
        yield is_but("E8", delivery.name, "Prefix", normal, must)
    bucket = stack.by_arn(destination.get("BucketARN"), BUCKET)
    if bucket is None:
        yield Violation("E8", delivery.name, "BucketARN must name a bucket of this stack")
        return
    yield from _told_of_objects(stack, edge, bucket, errors)
    changing = list(transforms(stack, delivery))
    delivering = Resource(delivery.name, delivery.type, destination)
    for action, on in _delivering_actions(bucket, changing):
        yield from permitted(stack, delivering, action, on, "E8")
    source = delivery.get("KinesisStreamSourceConfiguration") or {}
    stream = stack.by_arn(source.get("KinesisStreamARN"), STREAM)
    if stream:
        reading = Resource(delivery.name, delivery.type, source)
        for action in FIREHOSE_READING:
            yield from permitted(stack, reading, action, stream, "E8")
    for parameters in processors(delivery):
        if stack.number(parameters.get("BufferSizeInMBs")) != TRANSFORMED_MEGABYTES:
            must = f"{TRANSFORMED_MEGABYTES}: what the function answers must be less than 6 MB"
            name = "BufferSizeInMBs"
            yield is_but("E8", delivery.name, name, parameters.get(name), must)
    throttling = DELIVERY_FROM_STREAM if stream else DELIVERY_BY_PUT
    written = DELIVERY_OF_ROWS if delivery.get("IcebergDestinationConfiguration") else DELIVERY
    for metric in [*written, *throttling, *([TRANSFORM] if changing else [])]:
        yield from watched(stack, delivery, metric)


def _delivering_actions(
    bucket: Resource, changing: list[Resource]
) -> Iterator[tuple[str, Resource | str]]:
    for action in FIREHOSE_WRITING:
        yield action, f"${{{bucket.name}.Arn}}/*"
    for action in FIREHOSE_FINDING:
        yield action, bucket
    for function in changing:
        for action in FIREHOSE_CHANGING:
            yield action, function


CHECKS: Mapping[str, Callable[[Stack, Edge], Iterator[Violation]]] = {
    "E1": _queue_to_function,
    "E2": _asynchronous_invoke,
    "E3": _rule_to_target,
    "E4": _topic_to_subscriber,
    "E5": _stream_to_function,
    "E6": _schedule_to_target,
    "E8": _delivery,
    "E10": _lines_apart,
}


def _kept_in(stack: Stack, edge: Edge, bucket: Resource, function: Resource) -> Iterator[Violation]:
    """Say what is missing where Lambda puts what a function could not process into a bucket.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    yield from _told_of_objects(stack, edge, bucket)
    for action, on in _keeping(bucket):
        yield from permitted(stack, function, action, on, edge.mechanism)
    yield from watched(stack, function, DESTINATION)


def _keeping(bucket: Resource) -> Iterator[tuple[str, Resource | str]]:
    yield "s3:PutObject", f"${{{bucket.name}.Arn}}/*"
    yield "s3:ListBucket", bucket


def _told_of_objects(
    stack: Stack, edge: Edge, bucket: Resource, prefix: str = ""
) -> Iterator[Violation]:
    if edge.end is None:
        where = f" under {prefix}" if prefix else ""
        says = f"a rule must tell a queue of this stack of its objects{where}"
        yield Violation(edge.mechanism, bucket.name, says)
    else:
        yield from dead_letter_queue(stack, edge.end)
    rule = rule_of_objects(stack, bucket, prefix)
    if rule and edge.end:
        yield from rule_to_end(stack, rule, stack.resources[edge.end], edge.mechanism)


def rule_to_end(stack: Stack, rule: Resource, queue: Resource, says: str) -> Iterator[Violation]:
    """Say what a rule lacks whose target is itself the end of a failure.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """
    yield from _let_in(stack, queue, "events.amazonaws.com", rule, says)
    for target in rule.get("Targets") or []:
        if queue_of(stack, target.get("Arn")) == queue.name:
            holder = Resource(rule.name, rule.type, target)
            yield from _retries(stack, holder, ("RetryPolicy",), says)
    yield from watched(stack, rule, RULE_TARGET)


def _policies_first(stack: Stack, rule: Resource, edge: Edge) -> Iterator[Violation]:
    """A rule delivers from the moment it exists, and a bus of another stack has events already."""
    bus = rule.get("EventBusName")
    if bus is None or stack.named(bus, "AWS::Events::EventBus"):
        return
    for policy in stack.of_type("AWS::SQS::QueuePolicy"):
        queues = [stack.named(queue, QUEUE) for queue in policy.get("Queues") or []]
        of_edge = any(queue and queue.name in {edge.target, edge.end} for queue in queues)
        if of_edge and policy.name not in rule.depends_on:
            says = f"must depend on {policy.name}: events come at once (fact B37)"
            yield Violation("E3", rule.name, says)


def _let_in(
    stack: Stack, queue: Resource, service: str, source: Resource, rule: str
) -> Iterator[Violation]:
    if not admits(stack, queue, service, "sqs:SendMessage", source):
        says = f"its policy must let {service} send for {source.name} alone"
        yield Violation(rule, queue.name, says)


def permitted(
    stack: Stack, acting: Resource, action: str, on: Resource | str, rule: str
) -> Iterator[Violation]:
    """Say that a role is not allowed what it needs."""
    if not may(stack, role_of(stack, acting), action, on):
        name = on if isinstance(on, str) else on.name
        yield Violation(rule, acting.name, f"its role must be allowed {action} on {name}")


def _allowed_in_time(
    stack: Stack, made: Resource, function: Resource, action: str, on: Resource | str
) -> Iterator[Violation]:
    """Say that a resource is made before the function's role has the permission that it needs.

    Lambda checks that when it makes the resource: "The provided execution role does not have
    permissions to call SendMessage on SQS". What is in the role itself is there in time.
    """
    before = (stack.resources[name] for name in stack.comes_after(made))
    said = (
        statement
        for resource in before
        if resource.type.startswith("AWS::IAM::")
        for policy in (resource.properties, *(resource.get("Policies") or []))
        for statement in statements(stack, policy.get("PolicyDocument"))
    )
    arns = {on} if isinstance(on, str) else stack.arns(on)
    in_time = any(s.allow and any(s.covers(action, arn) for arn in arns) for s in said)
    if not in_time and may(stack, role_of(stack, function), action, on):
        name = on if isinstance(on, str) else on.name
        says = f"must depend on the policy that allows {action} on {name}"
        yield Violation("A19" if made == function else "A26", made.name, says)


def _polls(stack: Stack, edge: Edge, rule: str) -> Iterator[Violation]:
    source, function = stack.resources[edge.source], stack.resources[edge.target]
    on = f"${{{source.name}.StreamArn}}" if source.type == TABLE else source
    mapping = stack.resources[edge.declared_by]
    for action in POLLING[source.type]:
        yield from permitted(stack, function, action, on, rule)
        yield from _allowed_in_time(stack, mapping, function, action, on)
    if source.type == TABLE:
        yield from _has_a_stream(stack, source, function)


def _has_a_stream(stack: Stack, table: Resource, function: Resource) -> Iterator[Violation]:
    """K1: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html."""
    view = table.get("StreamSpecification", "StreamViewType")
    if view not in VIEWS_WITH_IMAGES:
        must = f"one of {', '.join(VIEWS_WITH_IMAGES)}"
        yield is_but("K1", table.name, "StreamSpecification.StreamViewType", view, must)
    # The action knows no resource.
    yield from permitted(stack, function, "dynamodb:ListStreams", "*", "K1")


def _reports_items(mapping: Resource, rule: str) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting."""
    types = mapping.get("FunctionResponseTypes") or []
    if "ReportBatchItemFailures" not in types:
        must = "ReportBatchItemFailures"
        yield is_but(rule, mapping.name, "FunctionResponseTypes", types or None, must)


def _retries(
    stack: Stack, holder: Resource, policy: tuple[str, ...], says: str
) -> Iterator[Violation]:
    for name, allowed in (
        ("MaximumRetryAttempts", DELIVERY_RETRIES),
        ("MaximumEventAgeInSeconds", DELIVERY_AGE),
    ):
        yield from _explicit(stack, holder, (*policy, name), allowed, says)


def _explicit(
    stack: Stack, resource: Resource, path: tuple[str, ...], allowed: range, rule: str
) -> Iterator[Violation]:
    value = stack.number(resource.get(*path))
    if value is None or value not in allowed:
        first, last = allowed[0], allowed[-1]
        must = f"{first}" if first == last else f"from {first} to {last}"
        yield is_but(rule, resource.name, ".".join(path), value, must)
