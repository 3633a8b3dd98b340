"""Kinesis streams, and tables whose changes functions read."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import bucket, queue, rules
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    Attribute,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    end_of,
    output,
    pascal,
)

RETENTION = Duration(24, "hours")
"""How long a stream keeps a record: the default of Kinesis, and what DynamoDB does (fact K3).
https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html"""

RETRIES = 10_000
"""How often Lambda may read a batch again that failed: the most of a mapping that has a limit, so
that `RECORD_AGE` decides.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html"""

RECORD_AGE = Duration(6, "hours")
"""How long Lambda tries: long enough for an outage of what the function needs, and well below the
24 hours after which a record is gone."""

FAILED_RECORD_RETENTION = queue.DEAD_LETTER_RETENTION
"""How long the bucket keeps a failed record: as long as the message that tells of it."""


def failures_rule(edge: Facts) -> str:
    """The logical id of the rule that reports the records that failed on an edge."""
    return f"{pascal(edge['from'])}To{pascal(edge['to'])}FailuresRule"


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that EventBridge could not report a failed record."""
    for edge in node.outgoing:
        if node.graph.node(edge["to"])["kind"] == "function":
            yield rules.not_sent(failures_rule(edge))


def failures_bucket(edge: Facts) -> str:
    """The logical id of the bucket of the records that failed on an edge."""
    return f"{pascal(edge['from'])}To{pascal(edge['to'])}FailuresBucket"


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a stream or table, and where the records are that its readers failed on."""
    attribute: Attribute = "stream_name" if node["kind"] == "stream" else "table_name"
    what = "stream" if node["kind"] == "stream" else "table"
    yield output(node["id"], "Name", f"The {what} of {node['does']}", attribute)
    for edge in node.outgoing:
        if node.graph.node(edge["to"])["kind"] == "function":
            failures = failures_bucket(edge)
            yield output(
                failures,
                "Name",
                f"The bucket of the records that {edge['to']} could not process",
                "bucket_name",
            )
            yield queue.dead_letter_url(end_of(edge, "E5"), "The queue of messages about them")


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of the buckets of failed records, and of a table beside them."""
    for edge in node.outgoing:
        if any(failure["id"] == "E5" for failure in edge["failures"]):
            yield bucket.unlogged()
            yield bucket.objects(failures_bucket(edge), "keys vary")
    if node["resource"] == "dynamodb":
        if node["outgoing"]:
            yield Acknowledgement(
                "AwsSolutions-IAM5", "dynamodb:ListStreams knows no resource", "Resource::*"
            )
        if node.get("cache"):
            yield Acknowledgement("AwsSolutions-DDB3", "a cache needs no backups")


def grant(grantee: str, stream: str, *actions: str) -> Grant:
    """The permission to use a stream of Kinesis, by its logical id."""
    return Grant(grantee, actions, Reference(stream, "stream_arn"), "grant")


def consumed(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permissions to read a stream, or the changes of a table, and to keep what failed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html and
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    """
    if target["kind"] != "function":
        return
    if source["kind"] == "stream":
        yield grant(
            target["id"],
            source["id"],
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )
    else:
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
    failures = failures_bucket(edge)
    yield Grant(target["id"], ("s3:PutObject",), Reference(failures, "objects"))
    yield Grant(target["id"], ("s3:ListBucket",), Reference(failures, "bucket_arn"))
