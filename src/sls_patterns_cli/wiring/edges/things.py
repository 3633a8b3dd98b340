"""Rules of IoT: https://docs.aws.amazon.com/iot/latest/developerguide/rule-error-handling.html."""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Place, Stack, inside
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import (
    BUCKET,
    DELIVERY,
    LOG_GROUP,
    MACHINE,
    NOWHERE,
    QUEUE,
    STREAM,
    TABLE,
    TOPIC,
    Edge,
    End,
    place_of,
)

TARGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Sqs": (QUEUE, ("QueueUrl",)),
    "Sns": (TOPIC, ("TargetArn",)),
    "Kinesis": (STREAM, ("StreamName",)),
    "Firehose": (DELIVERY, ("DeliveryStreamName",)),
    "DynamoDB": (TABLE, ("TableName",)),
    "DynamoDBv2": (TABLE, ("PutItem", "TableName")),
    "S3": (BUCKET, ("BucketName",)),
    "StepFunctions": (MACHINE, ("StateMachineName",)),
    "CloudwatchLogs": (LOG_GROUP, ("LogGroupName",)),
    "Republish": ("", ("Topic",)),
    "Http": ("", ("Url",)),
    "IotEvents": ("", ("InputName",)),
    "Kafka": ("", ("Topic",)),
}
"""What an action sends to: the type, and the property that names it."""


def edges(stack: Stack) -> Iterator[Edge]:
    for rule in stack.of_type("AWS::IoT::TopicRule"):
        failed = _target(stack, rule.get("TopicRulePayload", "ErrorAction"))
        end = End(failed.kind, failed.name) if failed else NOWHERE
        for action in rule.items("TopicRulePayload", "Actions"):
            target = _target(stack, action)
            if target:
                yield Edge(rule.name, target.name, "iot", rule.name, end)
                arn = inside(action, "Lambda", "FunctionArn")
                yield from invocation(stack, rule.name, arn, rule, is_function=True)


def _target(stack: Stack, action: Any) -> Place | None:
    """Return where an action leads; None for one that is not there."""
    if not isinstance(action, dict) or not action:
        return None
    kind = next(iter(action))
    if kind == "Lambda":
        return place_of(stack, inside(action, kind, "FunctionArn"))
    type_, path = TARGETS.get(kind, ("", ()))
    value = inside(action, kind, *path) if path else None
    if value is None:
        return Place("outside", kind)
    return stack.place(value, *([type_] if type_ else []))
