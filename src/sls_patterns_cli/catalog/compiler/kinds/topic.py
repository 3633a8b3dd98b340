"""SNS topics."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Metric,
    Named,
)


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that SNS could not keep what it could not deliver, to any subscription.

    https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    if node["outgoing"]:
        name = "NumberOfNotificationsFailedToRedriveToDlq"
        yield Metric("AWS/SNS", name, "Sum", {"TopicName": Named("topic", node["id"])})
