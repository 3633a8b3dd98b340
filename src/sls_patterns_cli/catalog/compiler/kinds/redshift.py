"""Warehouses of Amazon Redshift Serverless, which Firehose loads."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import delivery
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Alarm,
    CompiledNode,
)

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
