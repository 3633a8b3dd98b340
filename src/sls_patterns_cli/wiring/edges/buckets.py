"""Notifications of buckets, their own and those that CDK configures by a custom resource.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
"""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside, mappings
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import BUCKET, Edge, place_of

CDK_NOTIFICATIONS = "Custom::S3BucketNotifications"
"""CDK's own names are those of S3's API, PutBucketNotificationConfiguration."""


def edges(stack: Stack) -> Iterator[Edge]:
    for bucket in stack.of_type(BUCKET):
        given = bucket.get("NotificationConfiguration")
        for each in mappings(inside(given, "LambdaConfigurations")):
            yield from invocation(
                stack, bucket.name, each.get("Function"), bucket, is_function=True
            )
        yield from _others(stack, bucket.name, bucket, "Queue", "Topic")
    for custom in stack.of_type(CDK_NOTIFICATIONS):
        source = stack.place(custom.get("BucketName"), BUCKET).name
        given = custom.get("NotificationConfiguration")
        for each in mappings(inside(given, "LambdaFunctionConfigurations")):
            yield from invocation(
                stack, source, each.get("LambdaFunctionArn"), custom, is_function=True
            )
        yield from _others(stack, source, custom, "QueueArn", "TopicArn")


def _others(stack: Stack, source: str, declared_by: Resource, *keys: str) -> Iterator[Edge]:
    """Yield the queues and topics that are told, each under its key."""
    for key in keys:
        kind = f"{key.removesuffix('Arn')}Configurations"
        for each in declared_by.items("NotificationConfiguration", kind):
            target = place_of(stack, each.get(key)).name
            yield Edge(source, target, "other", declared_by.name, can_end=False)
