"""Warehouses of Amazon Redshift Serverless, which Firehose loads."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import delivery
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Alarm,
    CompiledNode,
)


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
            "Firehose retries for two hours, and what still fails is in the dead-letter queue",
        )
