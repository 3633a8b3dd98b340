"""Deliveries of Firehose: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html."""

from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside
from sls_patterns_cli.wiring.model import DELIVERY, STREAM, Edge, at_arn, end_at

S3 = "ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"
BACKUPS = "S3Configuration", "S3BackupConfiguration"
ADDRESSES = (
    ("HttpEndpointDestinationConfiguration", ("EndpointConfiguration", "Url")),
    ("RedshiftDestinationConfiguration", ("ClusterJDBCURL",)),
    ("SplunkDestinationConfiguration", ("HECEndpoint",)),
    ("AmazonopensearchserviceDestinationConfiguration", ("DomainARN",)),
    ("AmazonOpenSearchServerlessDestinationConfiguration", ("CollectionEndpoint",)),
    ("ElasticsearchDestinationConfiguration", ("DomainARN",)),
    ("SnowflakeDestinationConfiguration", ("AccountUrl",)),
    ("IcebergDestinationConfiguration", ("CatalogConfiguration", "CatalogArn")),
)
"""Destinations beside S3, and the property that names them."""


def edges(stack: Stack) -> Iterator[Edge]:
    for delivery in stack.of_type(DELIVERY):
        end = end_at(stack, kept_in(delivery))
        arn = delivery.get("KinesisStreamSourceConfiguration", "KinesisStreamARN")
        if arn is not None:
            source = at_arn(stack, arn, STREAM).name
            yield Edge(source, delivery.name, "firehose", delivery.name, end)
        target = destination(delivery)
        if target is not None:
            name = at_arn(stack, target).name
            yield Edge(delivery.name, name, "firehose", delivery.name, end)


def destination(delivery: Resource) -> Any:
    """Return what names the destination: a bucket's ARN, an address; None where none is known."""
    for kind in S3:
        if delivery.get(kind):
            return delivery.get(kind, "BucketARN")
    for kind, path in ADDRESSES:
        if delivery.get(kind):
            return delivery.get(kind, *path) or kind.removesuffix("DestinationConfiguration")
    return None


def kept_in(delivery: Resource) -> Any:
    """Return the ARN of the bucket that keeps what could not be delivered or transformed.

    https://docs.aws.amazon.com/firehose/latest/dev/retry.html
    """
    for kind in S3:
        if delivery.get(kind):
            return delivery.get(kind, "BucketARN")
    for kind, _ in ADDRESSES:
        for backup in BACKUPS:
            arn = inside(delivery.get(kind), backup, "BucketARN")
            if arn is not None:
                return arn
    return None
