"""Kinesis streams, and what the functions that read one have in common with those of a table."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import bucket, queue, rules
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
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


def metric(stream: CompiledNode, name: str) -> Metric:
    """A metric of a stream of Kinesis and all of its shards.

    https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
    """
    named = {"StreamName": Reference(stream["id"], "stream_name")}
    return Metric("AWS/Kinesis", name, "Sum", named)


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
    """The name of a stream, and where the records are that its readers failed on."""
    yield output(node["id"], "Name", f"The stream of {node['does']}", "stream_name")
    yield from failures(node)


def failures(node: CompiledNode) -> Iterator[Output]:
    """The buckets of the records that readers failed on, and the queues that tell of them."""
    for edge in node.outgoing:
        if node.graph.node(edge["to"])["kind"] == "function":
            yield output(
                failures_bucket(edge),
                "Name",
                f"The bucket of the records that {edge['to']} could not process",
                "bucket_name",
            )
            yield queue.dead_letter_url(end_of(edge, "E5"), "The queue of messages about them")


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of the buckets of failed records."""
    for edge in node.outgoing:
        if any(failure["id"] == "E5" for failure in edge["failures"]):
            yield bucket.unlogged()
            yield bucket.objects(failures_bucket(edge), "keys vary")


def grant(grantee: str, stream: str, *actions: str) -> Grant:
    """The permission to use a stream of Kinesis, by its logical id."""
    return Grant(grantee, actions, Reference(stream, "stream_arn"), "grant")


def consumed(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permissions to read a stream, and to keep what failed; a delivery has a role for it.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
    """
    if target["kind"] == "function":
        yield grant(
            target["id"],
            source["id"],
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )
        yield from kept(edge, target)


def kept(edge: Facts, reader: CompiledNode) -> Iterator[Grant]:
    """The permissions to keep records that a reader failed on."""
    failed = failures_bucket(edge)
    yield Grant(reader["id"], ("s3:PutObject",), Reference(failed, "objects"))
    yield Grant(reader["id"], ("s3:ListBucket",), Reference(failed, "bucket_arn"))
