"""Tables of the Glue Data Catalog over what a delivery writes, and the workgroup for queries."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    CompiledNode,
    Output,
    output,
    pascal,
)

MOST_SCANNED_GIGABYTES = 100
"""What one query may scan before Athena stops it: at $5 a terabyte it bounds the bill.
https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html"""

TERABYTE_DOLLARS = 5
"""What Athena costs a terabyte in us-east-1: https://aws.amazon.com/athena/pricing/"""

FIRST_DAY = "2025-01-01"
"""The first day of which Athena looks for a partition (fact O51)."""


def is_queried(node: CompiledNode) -> bool:
    """Whether it has a table that Athena queries."""
    return node["resource"] == "s3" and bool(node.get("columns"))


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The names by which its table is queried."""
    name = pascal(node["name"])
    yield output(f"{name}Database", "Name", "The database of the table events", "ref")
    yield output(f"{name}WorkGroup", "Name", "The workgroup that queries it by Athena", "ref")


def acknowledged(_node: CompiledNode) -> Iterator[Acknowledgement]:
    """That a workgroup names no key: Athena keeps its results, and encrypts them (fact O52)."""
    yield Acknowledgement("AwsSolutions-ATH1", "Athena keeps the results itself, encrypted")
