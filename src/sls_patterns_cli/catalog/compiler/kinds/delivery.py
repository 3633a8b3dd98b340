"""Delivery streams of Amazon Data Firehose."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import queue, rules
from sls_patterns_cli.catalog.compiler.quantities import Count, Duration
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Grant,
    Metric,
    Output,
    Reference,
    Tier,
    dead_letter_queue,
    output,
    pascal,
)

PROCESSING_ATTEMPTS = Count(4)
"""How often Firehose invokes a function with a batch: by default it retries three times.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html"""

PROCESSING_MEGABYTES = 1
"""How much a function gets at a time: what it answers may be larger, and must be less than 6 MB.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html"""

BUCKET_RETRIES = Duration(24, "hours")
"""How long Firehose tries to write what it was sent into a bucket (fact Q6)."""

TABLE_RETRIES = Duration(2, "hours")
"""How long Firehose tries to write to a table: the most; then it keeps the rows (fact Y16).
https://docs.aws.amazon.com/firehose/latest/APIReference/API_RetryOptions.html"""

TABLE_ACTIONS = ("glue:GetDatabase", "glue:GetTable", "glue:UpdateTable")
"""What a commit to a table needs, of the table, its database and the catalog.
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html"""

LATE = Duration(15, "minutes")
"""How late records may be, beside what is collected before a delivery."""

LATE_MILLISECONDS = LATE.seconds * 1000
"""Firehose may read so far behind a stream, which keeps a record for 24 hours."""


def late_after_minutes(buffer_seconds: int) -> int:
    """When an alarm tells of records: what is collected first is late by that much."""
    return LATE.amount * (1 + buffer_seconds // LATE.seconds)


def archive(node: CompiledNode) -> CompiledNode:
    """The datastore to which it delivers."""
    return next(each for each in node.targets if each["kind"] == "datastore")


def is_iceberg(node: CompiledNode) -> bool:
    """Whether it writes rows into a table of Apache Iceberg."""
    return bool(archive(node).get("table_format") == "iceberg")


def metric(node: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of a delivery stream.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    named = {"DeliveryStreamName": Reference(node["id"], "ref")}
    return Metric("AWS/Firehose", name, statistic, named)


def succeeds(node: CompiledNode, suffix: str, name: str, tier: Tier, *told: str) -> Alarm:
    """The alarm on a step that does not always succeed: its metric is the share that does."""
    what, first, reason = told
    return Alarm(
        f"{node['id']}{suffix}Alarm",
        tier,
        what,
        first,
        reason,
        {"succeeded": metric(node, name, "Average")},
        threshold=1,
        below=True,
        period=300,
        periods=3,
    )


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of a delivery stream."""
    minutes = node["late_after_minutes"]
    written = "DeliveryToIceberg" if is_iceberg(node) else "DeliveryToS3"
    yield Alarm(
        f"{node['id']}FreshnessAlarm",
        PAGE,
        f"Records wait longer than {minutes} minutes",
        "see the log of the delivery stream",
        f"{LATE.text} and what is collected before a delivery, in 5 of 5 minutes",
        {"age": metric(node, f"{written}.DataFreshness", "Maximum")},
        threshold=minutes * 60,
        periods=5,
    )
    if is_iceberg(node):
        yield Alarm(
            f"{node['id']}RowsAlarm",
            TICKET,
            "The table does not take rows",
            "see errorCode and errorMessage in the dead-letter queue's messages",
            "they are kept under errors/, and redriven once the cause is fixed",
            {"failed": metric(node, "DeliveryToIceberg.FailedRowCount")},
        )
    else:
        yield succeeds(
            node,
            "Success",
            "DeliveryToS3.Success",
            PAGE,
            "Firehose cannot write to the bucket",
            "check its role and the bucket's policy",
            f"it retries for {BUCKET_RETRIES.text}, then records are lost",
        )
    if any(source["kind"] == "stream" for source in node.sources):
        throttled, what = "ThrottledGetRecords", "Firehose is throttled when it reads the stream"
        yield Alarm(
            f"{node['id']}LagAlarm",
            PAGE,
            f"Firehose reads the stream {LATE.text} late",
            "see the log of the delivery stream",
            "AWS recommends 15 of 15 minutes for the age of a stream's records",
            {"behind": metric(node, "KinesisMillisBehindLatest", "Maximum")},
            threshold=LATE_MILLISECONDS,
            periods=15,
        )
    else:
        throttled, what = "ThrottledRecords", "Firehose takes in less than it is sent"
    yield Alarm(
        f"{node['id']}ThrottledAlarm",
        TICKET,
        what,
        "have its quota raised",
        "what is throttled is sent again; AWS recommends 5 of 5 minutes for throttles",
        {"throttled": metric(node, throttled)},
        periods=5,
    )
    if any(target["kind"] == "function" for target in node.targets):
        yield succeeds(
            node,
            "Transform",
            "ExecuteProcessing.Success",
            TICKET,
            "Records are not transformed",
            "see the log of the function",
            "Firehose retries, and what still fails is in the dead-letter queue",
        )


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that EventBridge could not report a failed batch."""
    yield rules.not_sent(f"{pascal(archive(node)['name'])}ErrorsRule")


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a delivery stream, and where it tells of records that it could not deliver."""
    yield output(node["id"], "Name", f"The delivery stream that {node['does']}", "ref")
    yield queue.dead_letter_url(
        dead_letter_queue(node["name"]),
        "The queue of messages about records that could not be delivered",
    )


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """That a delivery from a stream has no encryption of its own."""
    if any(source["kind"] == "stream" for source in node.sources):
        yield Acknowledgement("AwsSolutions-KDF1", "the stream that it delivers from is encrypted")


def grant(grantee: str, delivery: str, *actions: str) -> Grant:
    """The permission to use a delivery stream, by its logical id."""
    return Grant(grantee, actions, Reference(delivery, "attr_arn"))


def grants(node: CompiledNode) -> Iterator[Grant]:
    """What a delivery stream reads, calls and writes.

    https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
    """
    role, bucket = f"{node['id']}Role", f"{pascal(archive(node)['name'])}Bucket"
    for source in node.sources:
        if source["kind"] == "stream":
            yield Grant(
                role,
                (
                    "kinesis:DescribeStream",
                    "kinesis:GetRecords",
                    "kinesis:GetShardIterator",
                    "kinesis:ListShards",
                ),
                Reference(source["id"], "stream_arn"),
            )
    deletes: tuple[str, ...] = ()
    if is_iceberg(node):
        name = pascal(archive(node)["name"])
        for table in (
            Reference(f"{name}Database", "glue_catalog"),
            Reference(f"{name}Database", "glue_database"),
            Reference(f"{name}Database", "glue_table", f"{archive(node)['name']}-table"),
        ):
            yield Grant(role, TABLE_ACTIONS, table)
        deletes = ("s3:DeleteObject",)
    yield Grant(
        role,
        ("s3:AbortMultipartUpload", *deletes, "s3:GetObject", "s3:PutObject"),
        Reference(bucket, "objects"),
    )
    yield Grant(
        role,
        ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
        Reference(bucket, "bucket_arn"),
    )
    for target in node.targets:
        if target["kind"] == "function":
            yield Grant(
                role,
                ("lambda:InvokeFunction", "lambda:GetFunctionConfiguration"),
                Reference(target["id"], "function_arn"),
            )
    if archive(node)["resource"] == "redshift-serverless":
        loader = Reference(f"{pascal(archive(node)['name'])}LoaderSecret", "secret_arn")
        yield Grant(role, ("secretsmanager:GetSecretValue",), loader)
    yield Grant(role, ("logs:PutLogEvents",), Reference(f"{node['id']}LogGroup", "log_group_arn"))
