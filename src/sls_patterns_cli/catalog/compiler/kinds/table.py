"""DynamoDB tables, whose changes functions may read as a stream."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import stream
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    output,
)

ACTIONS = {
    "read": ("GetItem",),
    "write": ("PutItem",),
    "write-once": ("GetItem", "PutItem"),
    "write-update": ("PutItem", "UpdateItem"),
    "append": ("GetItem", "PutItem"),
    "update": ("UpdateItem",),
    "append-update": ("GetItem", "PutItem", "UpdateItem"),
    "read-many": ("BatchGetItem",),
    "read-update": ("GetItem", "UpdateItem"),
    "write-delete": ("PutItem", "DeleteItem"),
    "manage": ("GetItem", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
    "rewrite": ("Scan", "UpdateItem"),
}
"""What an access may call, without the service."""


def metric(
    node: CompiledNode, name: str, statistic: str = "Sum", operation: str | None = None
) -> Metric:
    """A metric of a table; those of latency are by the operation as well.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    """
    by: dict[str, Reference | str] = {"TableName": Reference(node["id"], "table_name")}
    if operation:
        by["Operation"] = operation
    return Metric("AWS/DynamoDB", name, statistic, by)


def called(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to read or write items."""
    actions = tuple(f"dynamodb:{action}" for action in ACTIONS[edge["access"]])
    yield Grant(source["id"], actions, Reference(target["id"], "table_arn"), "grant")


def consumed(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permissions to read the changes of a table, and to keep what failed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    """
    yield Grant(
        target["id"],
        ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        Reference(source["id"], "table_stream_arn"),
        "grant_stream",
    )
    yield Grant(
        target["id"],
        ("dynamodb:ListStreams",),
        Reference(source["id"], "any"),
        "grant_table_list_streams",
        reason="the action knows no resource",
    )
    yield from stream.kept(edge, target)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a table, and where the changes are that its readers failed on."""
    yield output(node["id"], "Name", f"The table of {node['does']}", "table_name")
    yield from stream.failures(node)


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of a table, and of the buckets of changes that failed."""
    yield from stream.acknowledged(node)
    if node["outgoing"]:
        yield Acknowledgement(
            "AwsSolutions-IAM5", "dynamodb:ListStreams knows no resource", "Resource::*"
        )
    if node.get("cache"):
        yield Acknowledgement("AwsSolutions-DDB3", "a cache needs no backups")
