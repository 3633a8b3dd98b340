"""SNS topics."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    end_of,
    output,
)


def metric(node: CompiledNode, name: str) -> Metric:
    """A metric of a topic and all of its subscriptions.

    https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    return Metric("AWS/SNS", name, "Sum", {"TopicName": Reference(node["id"], "topic_name")})


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that SNS could not keep what it could not deliver, to any subscription."""
    if node["outgoing"]:
        yield metric(node, "NumberOfNotificationsFailedToRedriveToDlq")


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The ARN of a topic, the parameter that holds it, and what could not be delivered."""
    topic, parameter = node["id"], f"{node['id']}Parameter"
    yield output(topic, "Arn", f"The topic of {node['does']}", "topic_arn")
    yield output(
        parameter, "Name", "The parameter that holds its ARN", "parameter_name", where_read=True
    )
    for edge in node.outgoing:
        yield queue.dead_letter_url(
            end_of(edge, "E4"),
            f"The queue of the messages that could not be delivered to {edge['to']}",
        )


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to publish to a topic."""
    yield Grant(source["id"], ("sns:Publish",), Reference(target["id"], "topic_arn"))
