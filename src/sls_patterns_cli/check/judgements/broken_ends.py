"""SP2xx: ends that do not work, and targets that refuse what is sent to them."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Resource, Stack, is_unknown
from sls_patterns_cli.wiring.edges import edges, ends
from sls_patterns_cli.wiring.edges.invocations import configurations, is_durable, permissions
from sls_patterns_cli.wiring.model import (
    BUCKET,
    BUS_V2,
    DELIVERY,
    FUNCTION,
    MACHINE,
    QUEUE,
    RULE,
    SCHEDULE,
    STREAM,
    SUBSCRIBER,
    TOPIC,
    Edge,
    redriven,
)
from sls_patterns_cli.wiring.policies import (
    Grant,
    allowed,
    resource_documents,
    resource_policy,
    role_of,
    statements,
    trusts,
)

ENDS = {
    "sqs": {QUEUE},
    "sns": {QUEUE},
    "eventbridge": {QUEUE},
    "eventbridge-v2": {QUEUE},
    "scheduler": {QUEUE},
    "lambda-async": {QUEUE, TOPIC, FUNCTION, BUCKET, "AWS::Events::EventBus"},
    "stream": {QUEUE, TOPIC, BUCKET},
    "kafka": {QUEUE, TOPIC, BUCKET},
    "pipe": {QUEUE, TOPIC},
}
"""The types that an end may be of, by mechanism."""

SERVICES = {
    "sns": "sns.amazonaws.com",
    "eventbridge": "events.amazonaws.com",
}
"""Services that send to a queue in their own name, so that its policy must let them in."""

DELIVERING = {**SERVICES, "iot": "iot.amazonaws.com"}
"""The same of services that invoke functions, which a permission must allow."""

POLICIES = {
    QUEUE: ("AWS::SQS::QueuePolicy", "Queues"),
    TOPIC: ("AWS::SNS::TopicPolicy", "Topics"),
}
"""The resource that says who may send, and the property that names whom it is about."""

SENDING = {QUEUE: "sqs:SendMessage", TOPIC: "sns:Publish", BUCKET: "s3:PutObject"}

EVENTS = "events.amazonaws.com"

DELIVERED_BY_ROLE = {
    **SENDING,
    FUNCTION: "lambda:InvokeFunction",
    STREAM: "kinesis:PutRecords",
    MACHINE: "states:StartExecution",
    DELIVERY: "firehose:PutRecordBatch",
}
"""What the role of a subscriber of a custom bus needs, by its target:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-targets.html."""

DAY_SECONDS = 86_400
LONGEST_RETENTION = 1209600
DEFAULT_RETENTION = 345600
"""Seconds: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html."""


def faults(stack: Stack) -> Iterator[Fault]:
    yield from dict.fromkeys(_unwritable(stack))
    yield from _without_effect(stack)
    yield from _on_durable_functions(stack)
    yield from dict.fromkeys(_refusing_targets(stack))
    yield from _powerless_subscribers(stack)
    yield from dict.fromkeys(_locked_queues(stack))
    yield from _short_retentions(stack)
    yield from _short_buses(stack)
    yield from _fifo_targets(stack)


def _unwritable(stack: Stack) -> Iterator[Fault]:
    """SP201."""
    for edge in ends(stack):
        end = stack.resources[edge.end.name]
        if edge.mechanism in ENDS and end.type not in ENDS[edge.mechanism]:
            yield _unfit(edge, end, f"it is a {end.type}, which cannot be an end here")
        elif end.type == QUEUE and (reason := _wrong_order(stack, edge, end)):
            yield _unfit(edge, end, reason)
        elif edge.mechanism in SERVICES and end.type == QUEUE:
            service = SERVICES[edge.mechanism]
            if not admits_service(stack, end, service, "sqs:SendMessage"):
                yield _closed(end, service, edge)
        elif (sender := _sender(stack, edge)) is not None and end.type in SENDING:
            action = SENDING[end.type]
            if allowed(stack, role_of(stack, sender), action, end) is Grant.NO:
                yield Fault(
                    "SP201",
                    end.name,
                    f"The role of {sender.name} may not {action}, so what fails on the way from "
                    f"{edge.source} to {edge.target} is lost.",
                    f"Allow it in the role:\n- Effect: Allow\n  Action: {action}\n"
                    f"  Resource: {_arn(end)}",
                )


def _wrong_order(stack: Stack, edge: Edge, end: Resource) -> str:
    """Say why a queue is FIFO and may not be, or is not and must be."""
    if stack.resources[edge.declared_by].type == SUBSCRIBER:
        return ""
    if edge.mechanism in {"sqs", "pipe"}:
        source = stack.resources.get(edge.source)
        if source is None or source.type != QUEUE:
            return ""
        must = source.is_true("FifoQueue")
    elif edge.mechanism == "sns":
        source = stack.resources.get(edge.source)
        if source is None or source.type != TOPIC:
            return ""
        must = source.is_true("FifoTopic")
    else:
        must = False
    if end.is_true("FifoQueue") == must:
        return ""
    return "it must be a FIFO queue" if must else "it must be a standard queue, not FIFO"


def _sender(stack: Stack, edge: Edge) -> Resource | None:
    """Return the resource with whose role an end is written."""
    if edge.mechanism in {"lambda-async", "stream", "kafka", "express"}:
        return stack.resources.get(edge.target)
    if edge.mechanism in {"scheduler", "eventbridge-v2"}:
        return stack.resources[edge.declared_by]
    if edge.mechanism == "pipe":
        source = stack.resources.get(edge.source)
        return None if source and source.type == QUEUE else stack.resources[edge.declared_by]
    return None


def _unfit(edge: Edge, end: Resource, reason: str) -> Fault:
    return Fault(
        "SP201",
        end.name,
        f"Failures on the way from {edge.source} to {edge.target} cannot end here: {reason}.",
        f"Name an end of the right type in {edge.declared_by}.",
    )


def _closed(queue: Resource, service: str, edge: Edge) -> Fault:
    return Fault(
        "SP201",
        queue.name,
        f"No policy lets {service} send to {queue.name}, so what cannot be delivered from "
        f"{edge.source} to {edge.target} is lost.",
        f"Let the service in:\n{_policy(queue, service)}",
    )


def _policy(target: Resource, service: str) -> str:
    """Return the lines of the policy that lets a service send to a queue or topic."""
    kind, owners = POLICIES[target.type]
    return (
        f"{target.name}Policy:\n  Type: {kind}\n  Properties:\n"
        f"    {owners}: [!Ref {target.name}]\n    PolicyDocument:\n      Statement:\n"
        f"        - Effect: Allow\n          Principal: {{Service: {service}}}\n"
        f"          Action: {SENDING[target.type]}\n          Resource: {_arn(target)}"
    )


def admits_service(stack: Stack, resource: Resource, service: str, action: str) -> bool:
    """Tell whether the policy of a queue or topic may let a service in."""
    return any(map(is_unknown, resource_documents(stack, resource))) or any(
        statement.lets(service, action) for statement in resource_policy(stack, resource)
    )


def _without_effect(stack: Stack) -> Iterator[Fault]:
    """SP202."""
    polled = {edge.target for edge in edges(stack) if edge.mechanism in {"sqs", "stream", "kafka"}}
    invoked = {edge.target for edge in edges(stack) if edge.mechanism == "lambda-async"}
    called = {owner.name for _, owner in permissions(stack) if owner}
    for function in stack.functions:
        if function.name not in polled - invoked - called:
            continue
        given = function.get("DeadLetterConfig", "TargetArn") or any(
            config.get("DestinationConfig", "OnFailure", "Destination")
            for config in configurations(stack, function)
        )
        if given:
            yield Fault(
                "SP202",
                function.name,
                f"{function.name} is only polled, so Lambda never sends to its dead-letter queue "
                "or destination.",
                "Remove it, and give the queue a RedrivePolicy, or the stream's mapping an "
                "OnFailure destination.",
                ("Properties",),
            )


def _on_durable_functions(stack: Stack) -> Iterator[Fault]:
    """SP203."""
    for function in stack.functions:
        if is_durable(function):
            for config in configurations(stack, function):
                if config.get("DestinationConfig"):
                    yield Fault(
                        "SP203",
                        function.name,
                        f"A durable execution of {function.name} that fails goes to no "
                        "destination.",
                        "Name a queue in DeadLetterConfig of the function instead:\n"
                        "DeadLetterConfig:\n  TargetArn: !GetAtt "
                        f"{function.name}DeadLetters.Arn",
                    )


def _refusing_targets(stack: Stack) -> Iterator[Fault]:
    """SP204."""
    for edge in edges(stack):
        target = stack.resources.get(edge.target)
        service = DELIVERING.get(edge.mechanism)
        if service is None or target is None or _sends_by_role(stack, edge):
            continue
        if target.type == FUNCTION and not _may_invoke(stack, service, target):
            does, mend = "invoke", _permission(target, service)
        elif (
            target.type in POLICIES
            and edge.mechanism in SERVICES
            and not admits_service(stack, target, service, SENDING[target.type])
        ):
            does, mend = "send to", _policy(target, service)
        else:
            continue
        yield Fault(
            "SP204",
            target.name,
            f"Nothing lets {service} {does} {target.name}: everything from {edge.source} is "
            "refused.",
            f"Let the service in:\n{mend}",
        )


def _powerless_subscribers(stack: Stack) -> Iterator[Fault]:
    """SP204: subscribers of custom buses deliver in the name of a role, whatever policies say."""
    for edge in edges(stack):
        subscriber = stack.resources[edge.declared_by]
        if edge.mechanism != "eventbridge-v2" or subscriber.type != SUBSCRIBER:
            continue
        target = stack.resources.get(edge.target)
        role = role_of(stack, subscriber)
        if role and not trusts(stack, role, EVENTS):
            yield Fault(
                "SP204",
                role.name,
                f"{EVENTS} may not assume {role.name}: {subscriber.name} delivers nothing.",
                f"Let it in AssumeRolePolicyDocument:\n- Effect: Allow\n"
                f"  Principal: {{Service: {EVENTS}}}\n  Action: sts:AssumeRole",
            )
        action = DELIVERED_BY_ROLE.get(target.type) if target else None
        if target and action and allowed(stack, role, action, target) is Grant.NO:
            yield Fault(
                "SP204",
                target.name,
                f"The role of {subscriber.name} may not {action}: nothing from {edge.source} is "
                "delivered.",
                f"Allow it in the role:\n- Effect: Allow\n  Action: {action}\n"
                f"  Resource: {_arn(target)}",
            )


def _may_invoke(stack: Stack, service: str, function: Resource) -> bool:
    """Tell whether a permission lets a service invoke a function, by whatever qualifier."""
    for permission, owner in permissions(stack):
        principal = permission.get("Principal")
        # A function or principal that is a parameter may be any.
        may_be = owner is None or owner == function
        if may_be and (not isinstance(principal, str) or principal in {service, "*"}):
            return True
    return False


def _permission(function: Resource, service: str) -> str:
    return (
        f"{function.name}Permission:\n  Type: AWS::Lambda::Permission\n  Properties:\n"
        f"    FunctionName: !Ref {function.name}\n    Action: lambda:InvokeFunction\n"
        f"    Principal: {service}"
    )


def _sends_by_role(stack: Stack, edge: Edge) -> bool:
    """A rule may name a role for its target, but not for its dead-letter queue.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    declared = stack.resources[edge.declared_by]
    return declared.type == RULE and any(
        target.get("RoleArn") for target in declared.items("Targets")
    )


def _locked_queues(stack: Stack) -> Iterator[Fault]:
    """SP205."""
    for edge in edges(stack):
        service = SERVICES.get(edge.mechanism)
        if service is None:
            continue
        written = [edge.end.name] if edge.end.kind == "resource" else []
        if not _sends_by_role(stack, edge):
            written.append(edge.target)
        for name in written:
            queue = stack.resources.get(name)
            if queue is None or queue.type != QUEUE:
                continue
            key_id = queue.get("KmsMasterKeyId")
            key = stack.found(key_id, "AWS::KMS::Key") if key_id else None
            if "alias/aws/sqs" in stack.text(key_id):
                reason = "the policy of the key alias/aws/sqs does not let it in"
            elif key and not _may_use(stack, key, service):
                reason = f"the policy of {key.name} does not let it in"
            else:
                continue
            yield Fault(
                "SP205",
                queue.name,
                f"{service} cannot send to {queue.name}: {reason}.",
                "Let SQS encrypt the queue itself (SqsManagedSseEnabled: true), or let the "
                f"service use a key of your own:\n- Effect: Allow\n"
                f"  Principal: {{Service: {service}}}\n"
                "  Action: [kms:GenerateDataKey, kms:Decrypt]\n  Resource: '*'",
                ("Properties", "KmsMasterKeyId"),
            )


def _may_use(stack: Stack, key: Resource, service: str) -> bool:
    document = key.get("KeyPolicy")
    if not isinstance(document, dict) or is_unknown(document):
        return True
    return any(
        statement.lets(service, "kms:GenerateDataKey") for statement in statements(stack, document)
    )


def _short_retentions(stack: Stack) -> Iterator[Fault]:
    """SP206."""
    for queue, end in redriven(stack):
        if queue.is_true("FifoQueue"):
            continue
        kept = stack.number(queue.get("MessageRetentionPeriod"), DEFAULT_RETENTION)
        after = stack.number(end.get("MessageRetentionPeriod"), DEFAULT_RETENTION)
        if kept is not None and after is not None and after <= kept < LONGEST_RETENTION:
            yield Fault(
                "SP206",
                end.name,
                f"{end.name} keeps messages for {after} s from their first sending, "
                f"{queue.name} for {kept} s: one that fails late is gone at once.",
                f"Keep them as long as SQS can:\nMessageRetentionPeriod: {LONGEST_RETENTION}",
                ("Properties", "MessageRetentionPeriod"),
            )


def _short_buses(stack: Stack) -> Iterator[Fault]:
    """SP206: a record of what a subscriber could not deliver has no event, which the bus keeps."""
    for edge in ends(stack):
        bus, end = stack.resources.get(edge.source), stack.resources[edge.end.name]
        if bus is None or bus.type != BUS_V2 or end.type != QUEUE:
            continue
        days = stack.number(bus.get("StorageConfiguration", "RetentionPeriodInDays"), 1)
        after = stack.number(end.get("MessageRetentionPeriod"), DEFAULT_RETENTION)
        if days is not None and after is not None and days * DAY_SECONDS < after:
            needed = -(-after // DAY_SECONDS)
            yield Fault(
                "SP206",
                end.name,
                f"{end.name} keeps records of failures for {after} s, {bus.name} the events that "
                f"they are about for {days} d: later nothing can bring them back.",
                f"Keep the events as long:\nStorageConfiguration:\n"
                f"  RetentionPeriodInDays: {needed:g}",
            )


def _fifo_targets(stack: Stack) -> Iterator[Fault]:
    """SP207."""
    for edge in edges(stack):
        queue = stack.resources.get(edge.target)
        declared = stack.resources[edge.declared_by]
        given = declared.get("InvokeConfiguration", "SqsParameters", "MessageDeduplicationId")
        if (
            queue
            and queue.type == QUEUE
            and declared.type in (RULE, SCHEDULE, SUBSCRIBER)
            and given is None
            and queue.is_true("FifoQueue")
            and queue.get("ContentBasedDeduplication") in (None, False, "false")
        ):
            yield Fault(
                "SP207",
                queue.name,
                f"{edge.declared_by} sends no deduplication id, so {queue.name} refuses each "
                "message.",
                "Let SQS make it from the content:\nContentBasedDeduplication: true",
            )


def _arn(end: Resource) -> str:
    if end.type == TOPIC:
        return f"!Ref {end.name}"
    return f"!Sub ${{{end.name}.Arn}}/*" if end.type == BUCKET else f"!GetAtt {end.name}.Arn"
