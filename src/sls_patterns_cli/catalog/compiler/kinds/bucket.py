"""S3 buckets."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import athena, rules
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    CompiledNode,
    Facts,
    Grant,
    Output,
    Reference,
    output,
)

ACTIONS = {
    "read": ("s3:GetObject",),
    "read-many": ("s3:GetObject",),
    "write-once": ("s3:GetObject", "s3:PutObject"),
    "write": ("s3:PutObject",),
    "read-write": ("s3:GetObject", "s3:PutObject"),
}
"""What an access may call."""

PART_ACTIONS = ("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload")
"""What writing in parts needs besides:
https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"""


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a bucket, and where the events are that it could not deliver."""
    yield output(node["id"], "Name", f"The bucket of {node['does']}", "bucket_name")
    yield from rules.undelivered(node)
    if athena.is_queried(node):
        yield from athena.outputs(node)


def unlogged() -> Acknowledgement:
    """That a bucket has no access logs."""
    return Acknowledgement(
        "AwsSolutions-S1", "access logs need a bucket; which one is a choice of the owner"
    )


def objects(bucket: str, reason: str) -> Acknowledgement:
    """That a policy is for all objects of a bucket, by its logical id."""
    return Acknowledgement("AwsSolutions-IAM5", reason, f"Resource::<{bucket}.Arn>/*", of=bucket)


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """That a bucket has no access logs, and which objects it has is not known."""
    yield unlogged()
    if node["kind"] == "datastore":
        yield objects(node["id"], "objects have no set names")
    elif any("access" in edge for edge in node.incoming):
        yield objects(node["id"], "which objects there will be is not known")
    if athena.is_queried(node):
        yield from athena.acknowledged(node)


def called(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to read or write objects; a distributed map writes its results in parts."""
    actions = ACTIONS[edge["access"]]
    if source.get("map") == "distributed" and edge["access"] != "read":
        actions = (*actions, *PART_ACTIONS)
    yield Grant(source["id"], actions, Reference(target["id"], "objects"))
