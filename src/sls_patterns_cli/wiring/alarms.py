"""Alarms: what they watch, whom they tell, and why one would be deaf.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sls_patterns_cli.cloudformation.stack import (
    Resource,
    Stack,
    inside,
    is_unknown,
    listed,
    once_a_stack,
)
from sls_patterns_cli.wiring.model import (
    BUCKET,
    FUNCTION,
    MACHINE,
    QUEUE,
    RULE,
    SUBSCRIPTION,
    TOPIC,
    Edge,
    redriven,
)
from sls_patterns_cli.wiring.policies import resource_policy, statements

ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
KEY = "AWS::KMS::Key"
PUBLISHER = "cloudwatch.amazonaws.com"

Told = Literal[True, False, "unknown"]

FILLED = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
"""Metrics of a queue that rise whatever has put a message into it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
"""
SENT = "NumberOfMessagesSent"
"""Not counted for what SQS itself moves to a dead-letter queue."""

SET_OFF: dict[str, tuple[str, tuple[str, ...]]] = {
    "AWS/SQS": (QUEUE, (*FILLED, SENT)),
    "AWS/Lambda": (FUNCTION, ("Errors",)),
    "AWS/SNS": (TOPIC, ()),
    "AWS/S3": (BUCKET, ()),
    "AWS/States": (MACHINE, ("ExecutionsFailed",)),
}
"""What a resource reports when something ends there: its type, and the metrics, () for any."""

DIMENSIONS = {
    "AWS/SQS": ("QueueName", QUEUE),
    "AWS/Lambda": ("FunctionName", FUNCTION),
    "AWS/SNS": ("TopicName", TOPIC),
    "AWS/Events": ("RuleName", RULE),
    "AWS/States": ("StateMachineArn", MACHINE),
}
"""The dimension that names a resource, by namespace."""


@dataclass(frozen=True)
class Query:
    """A metric as an alarm watches it."""

    id: str
    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str
    period: Any

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


def queries(alarm: Resource) -> list[Query]:
    """Return the metrics that an alarm watches, by itself or in an expression."""
    alone = {
        "Id": "metric",
        "MetricStat": {
            "Metric": alarm.properties,
            "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
            "Period": alarm.get("Period"),
        },
    }
    found = []
    for each in alarm.items("Metrics") or [alone]:
        stat = each.get("MetricStat")
        if not isinstance(stat, dict):
            continue
        metric = inside(stat, "Metric")
        dimensions = listed(inside(metric, "Dimensions"))
        found.append(
            Query(
                str(each.get("Id")),
                str(inside(metric, "Namespace")),
                str(inside(metric, "MetricName")),
                {
                    str(dimension.get("Name")): dimension.get("Value")
                    for dimension in dimensions
                    if isinstance(dimension, dict)
                },
                str(stat.get("Stat")),
                stat.get("Period"),
            )
        )
    return found


def told(stack: Stack, edge: Edge) -> Told:
    """Tell whether somebody hears of what has ended: by an alarm, or by the end itself."""
    end = stack.resources.get(edge.end.name) if edge.end.kind == "resource" else None
    if end and any(has_listeners(stack, alarm) for alarm in watching(stack, end)):
        return True
    return told_without(stack, edge)


def told_without(stack: Stack, edge: Edge) -> Told:
    """Tell whether somebody hears of it without an alarm that is known to watch the end."""
    if edge.end.kind == "none":
        return False
    end = stack.resources.get(edge.end.name) if edge.end.kind == "resource" else None
    if end is None:
        return "unknown"
    if end.type == TOPIC:
        return bool(end.get("Subscription")) or end.name in _subscribed(stack)
    if end.type == BUCKET:
        return bool(end.get("NotificationConfiguration")) or end.name in _noticed(stack)
    dimension, _ = DIMENSIONS["AWS/SQS"]
    may_watch = (
        is_unknown(query.dimensions.get(dimension))
        for alarm in stack.of_type(ALARM)
        for query in queries(alarm)
    )
    return "unknown" if end.type == QUEUE and any(may_watch) else False


def watching(stack: Stack, resource: Resource) -> list[Resource]:
    """Return the alarms that a resource sets off when something has ended there."""
    return [stack.resources[alarm] for of, alarm in _watches(stack) if of == resource.name]


def has_listeners(stack: Stack, alarm: Resource) -> bool:
    """Tell whether an alarm tells anybody, by itself or through what refers to it."""
    return has_actions(alarm) or alarm.name in _referred_alarms(stack)


def has_actions(alarm: Resource) -> bool:
    """Tell whether an alarm does something itself when it goes off."""
    return not _is_disabled(alarm) and any(listed(alarm.get("AlarmActions")))


def deafness(stack: Stack, alarm: Resource) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Say why nobody would hear of what an alarm watches, each with the property at fault."""
    found = queries(alarm)
    if not any(query.namespace in DIMENSIONS for query in found):
        return
    if _is_disabled(alarm):
        if alarm.name not in _referred_alarms(stack):
            yield "its actions are disabled", ("Properties", "ActionsEnabled")
    elif not has_listeners(stack, alarm):
        yield "it has no action, so it tells nobody", ("Properties",)
    for query in found:
        for reason, at in _without_data(stack, query):
            yield reason, ("Properties", "Metrics" if alarm.get("Metrics") else at)
    for action in listed(alarm.get("AlarmActions")):
        topic = stack.found(action, TOPIC)
        for reason in silence(stack, topic) if topic else ():
            yield reason, ("Properties", "AlarmActions")


def silence(stack: Stack, topic: Resource) -> Iterator[str]:
    """Say why CloudWatch cannot publish to a topic.

    https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
    https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    """
    key_id = topic.get("KmsMasterKeyId")
    if "alias/aws/sns" in stack.text(key_id):
        yield f"CloudWatch cannot publish to {topic.name}, which the key of SNS itself encrypts"
    key = stack.named(key_id, KEY) if key_id else None
    if key is None and key_id:
        alias = stack.named(key_id, "AWS::KMS::Alias")
        key = stack.named(alias.get("TargetKeyId"), KEY) if alias else None
    if key:
        allowed = list(statements(stack, key.get("KeyPolicy")))
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            if not any(
                s.allow and (PUBLISHER in s.services or s.anyone) and s.covers(action, "*")
                for s in allowed
            ):
                yield f"the policy of the key {key.name} does not let {PUBLISHER} call {action}"
    policy = list(resource_policy(stack, topic))
    publishing = [s for s in policy if s.allow and s.names_action("sns:Publish")]
    if policy and not any(s.anyone or s.accounts or PUBLISHER in s.services for s in publishing):
        yield f"the policy of {topic.name} does not let {PUBLISHER} publish"


def _without_data(stack: Stack, query: Query) -> Iterator[tuple[str, str]]:
    """Say why a metric will never come, with the property: its dimension, or what it counts."""
    if query.namespace not in DIMENSIONS:
        return
    dimension, type_ = DIMENSIONS[query.namespace]
    if dimension not in query.dimensions:
        if query.namespace == "AWS/SQS":
            yield f"{query} is published by {dimension} only", "Dimensions"
        return
    value = query.dimensions[dimension]
    resource = stack.found(value, type_)
    if resource is None:
        return
    if not is_dimension(stack, resource, value):
        reason = f"{dimension} is {stack.text(value)}, which is not the name of {resource.name}"
        yield reason, "Dimensions"
    elif _misses(stack, query, resource):
        yield f"{SENT} does not count what SQS moves to {resource.name}", "MetricName"


def is_dimension(stack: Stack, resource: Resource, value: Any) -> bool:
    """Tell whether a dimension names a resource: an ARN or URL is a metric that never comes."""
    text = stack.text(value)
    own = f"${{{resource.name}}}"
    if resource.type == QUEUE:
        names = {f"${{{resource.name}.QueueName}}", stack.text(resource.get("QueueName"))}
    elif resource.type == TOPIC:
        names = {f"${{{resource.name}.TopicName}}", stack.text(resource.get("TopicName"))}
    elif resource.type == MACHINE:
        names = stack.arns(resource)
    elif resource.type == RULE and resource.get("EventBusName") not in (None, "default"):
        # Its Ref is bus|rule, which is the name of no metric (fact C9).
        names = {f"{own} split at |, part 1", stack.text(resource.get("Name"))}
    elif resource.type == FUNCTION:
        names = {own, stack.text(resource.get("FunctionName"))}
    else:
        names = {own, stack.text(resource.get("Name"))}
    return value is not None and text in names


@once_a_stack
def _watches(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield which resource sets off which alarm when something has ended there."""
    for alarm in stack.of_type(ALARM):
        for query in queries(alarm):
            type_, names = SET_OFF.get(query.namespace, ("", ()))
            for value in query.dimensions.values() if not names or query.name in names else ():
                resource = stack.found(value, type_) if type_ else None
                if (
                    resource
                    and is_dimension(stack, resource, value)
                    and not _misses(stack, query, resource)
                ):
                    yield resource.name, alarm.name


def _misses(stack: Stack, query: Query, resource: Resource) -> bool:
    """Tell whether a metric stays as it is when SQS moves a message there."""
    return query.name == SENT and any(end == resource for _, end in redriven(stack))


@once_a_stack
def _referred_alarms(stack: Stack) -> Iterator[str]:
    """The alarms that something else of the stack watches, such as a deployment."""
    alarms = {each.name for each in stack.of_type(ALARM, COMPOSITE)}
    for resource in stack.resources.values():
        if resource.type == COMPOSITE and not any(listed(resource.get("AlarmActions"))):
            continue
        if resource.type not in (ALARM, "AWS::CloudWatch::Dashboard"):
            yield from resource.referred_to & alarms - {resource.name}
        if resource.type == COMPOSITE:
            rule = stack.text(resource.get("AlarmRule"))
            yield from (
                name
                for name in alarms
                if str(stack.resources[name].get("AlarmName")) in rule
                and stack.resources[name].get("AlarmName")
            )


@once_a_stack
def _subscribed(stack: Stack) -> Iterator[str]:
    for subscription in stack.of_type(SUBSCRIPTION):
        topic = stack.found(subscription.get("TopicArn"), TOPIC)
        if topic:
            yield topic.name


@once_a_stack
def _noticed(stack: Stack) -> Iterator[str]:
    """The buckets of whose objects somebody is told."""
    from sls_patterns_cli.wiring.edges.rules import bucket_of

    for rule in stack.of_type(RULE):
        bucket = bucket_of(stack, rule)
        if bucket:
            yield bucket.name
    for custom in stack.of_type("Custom::S3BucketNotifications"):
        bucket = stack.found(custom.get("BucketName"), BUCKET)
        if bucket:
            yield bucket.name


def _is_disabled(alarm: Resource) -> bool:
    return alarm.get("ActionsEnabled") in (False, "false")
