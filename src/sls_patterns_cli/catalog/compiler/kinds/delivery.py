"""Delivery streams of Amazon Data Firehose."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Metric,
    Named,
    Tier,
    pascal,
)

LATE_MILLISECONDS = 900_000
"""Firehose may read so far behind a stream, which keeps a record for 24 hours."""


def archive(node: CompiledNode) -> CompiledNode:
    """The datastore to which it delivers."""
    return next(each for each in node.targets if each["kind"] == "datastore")


def metric(node: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of a delivery stream.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    named = {"DeliveryStreamName": Named("delivery", node["id"])}
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
    yield Alarm(
        f"{node['id']}FreshnessAlarm",
        PAGE,
        f"Records wait longer than {minutes} minutes",
        "see the log of the delivery stream",
        "15 minutes and what is collected before a delivery, in 5 of 5 minutes",
        {"age": metric(node, "DeliveryToS3.DataFreshness", "Maximum")},
        threshold=minutes * 60,
        periods=5,
    )
    yield succeeds(
        node,
        "Success",
        "DeliveryToS3.Success",
        PAGE,
        "Firehose cannot write to the bucket",
        "check its role and the bucket's policy",
        "it retries for 24 hours, then records are lost",
    )
    if any(source["kind"] == "stream" for source in node.sources):
        throttled, what = "ThrottledGetRecords", "Firehose is throttled when it reads the stream"
        yield Alarm(
            f"{node['id']}LagAlarm",
            PAGE,
            "Firehose reads the stream 15 minutes late",
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
