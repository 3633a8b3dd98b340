"""Warehouses of Amazon Redshift Serverless, which Firehose loads."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import bucket, delivery
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Grant,
    Output,
    Reference,
    output,
    pascal,
)

PORT = 5439
"""The port of Redshift."""

BASE_CAPACITY = 8
"""The RPU with which the warehouse works; loads of small batches need no more."""

UNIT_DOLLARS = 0.375
"""What an RPU costs an hour in us-east-1: https://aws.amazon.com/redshift/pricing/"""

MOST_CAPACITY = 32
"""The most RPU, which bound the bill."""

PASSWORD_LENGTH = 32
"""The characters of the password of the user by whom Firehose loads."""

LOAD_RETRIES = Duration(2, "hours")
"""How long Firehose tries to load a batch: the most; then it keeps a manifest of the batch.
https://docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftRetryOptions.html"""


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on loads that fail: the metric is the share of COPY that succeeds (fact U8)."""
    for source in node.sources:
        yield delivery.succeeds(
            source,
            "Load",
            "DeliveryToRedshift.Success",
            TICKET,
            "The warehouse does not take what Firehose loads",
            "see the log of the delivery stream",
            f"Firehose retries for {LOAD_RETRIES.words}, and what still fails is in the "
            "dead-letter queue",
        )


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The names of a warehouse and of what it is loaded from, and the user that loads it."""
    loaded, namespace, secret = (
        f"{pascal(node['name'])}{part}" for part in ("Bucket", "Namespace", "LoaderSecret")
    )
    yield output(loaded, "Name", "The bucket from which the warehouse is loaded", "bucket_name")
    yield output(node["id"], "Name", "The workgroup of the warehouse", "ref")
    yield output(namespace, "Name", "The namespace that holds its data", "ref")
    yield output(secret, "Arn", "The user by whom Firehose loads the warehouse", "secret_arn")


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of a warehouse, and of what Firehose loads it by."""
    yield bucket.unlogged()
    yield bucket.objects(f"{pascal(node['name'])}Bucket", "objects have no set names")
    yield Acknowledgement(
        "AwsSolutions-EC23", "only Firehose is admitted; the rule cannot look up its addresses"
    )
    yield Acknowledgement(
        "AwsSolutions-SMG4", "Firehose keeps what it has read for ten minutes, and fails meanwhile"
    )
    yield Acknowledgement(
        "AwsSolutions-VPC7",
        "flow logs bill for what they hold; the warehouse logs its connections",
    )


def grants(node: CompiledNode) -> Iterator[Grant]:
    """What a redrive loads from: it has a role of the warehouse."""
    role, loaded = f"{pascal(node['name'])}Role", f"{pascal(node['name'])}Bucket"
    yield Grant(role, ("s3:GetObject",), Reference(loaded, "objects"))
    yield Grant(role, ("s3:GetBucketLocation", "s3:ListBucket"), Reference(loaded, "bucket_arn"))
