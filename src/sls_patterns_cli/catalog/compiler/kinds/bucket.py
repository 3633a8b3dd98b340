"""S3 buckets."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Output,
    output,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a bucket, and where the events are that it could not deliver."""
    yield output(node["id"], "Name", f"The bucket of {node['does']}", "bucket_name")
    yield from rules.undelivered(node)
