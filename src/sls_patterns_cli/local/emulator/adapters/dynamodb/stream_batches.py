"""A function reads a table's stream in order, and what it cannot process ends in a bucket.

AWS: what becomes of a batch that fails, `lambda_.record_batches` says. A filter drops records
before the function sees them.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html

Emulator: tries a failed batch again until its age, knows no partial failures, retry limits and
splits, and puts nothing into a bucket. It has one shard for each table, so how shards go on by
themselves can only be seen on AWS.
"""

import contextvars
import threading
from collections.abc import Callable
from functools import partial

from ministack.services import dynamodb, lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_.record_batches import (
    DYNAMODB,
    Batch,
    Mapping,
    Record,
    poll,
)

SHARD = "shardId-00000000000000000000-00000000"

_positions: dict[str, int] = {}
_reading: set[str] = set()


def apply() -> None:
    replace(lambda_svc, "_poll_dynamodb_streams", "2b2460e933a9", _by_mapping)


def _by_mapping(_poll: Callable[..., bool]) -> Callable[..., bool]:
    """Start to process the next batch of each mapping that is not processing one."""
    return partial(poll, "dynamodb", _start)


def _start(mapping: Mapping, context: contextvars.Context) -> bool:
    stream = mapping["EventSourceArn"]
    table = stream.split("/")[1]
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    current = (dynamodb._tables.get(table) or {}).get("LatestStreamArn")
    if current != stream or function is None or mapping["UUID"] in _reading:
        return False
    first = dynamodb.stream_start_position(table)
    from_start = mapping.get("StartingPosition") == "TRIM_HORIZON"
    begin = first if from_start else dynamodb.stream_end_position(table)
    position = max(_positions.setdefault(mapping["UUID"], begin), first)
    records = dynamodb.stream_records_since(table, position, mapping.get("BatchSize", 100))
    if not records:
        return False
    _reading.add(mapping["UUID"])
    batch = Batch(DYNAMODB, mapping, function, SHARD)
    arguments = (_process, batch, position, records)
    threading.Thread(target=context.copy().run, args=arguments, daemon=True).start()
    return True


def _process(batch: Batch, position: int, records: list[Record]) -> None:
    name = batch.mapping["UUID"]
    try:
        batch.process(lambda_svc._apply_filter_criteria(records, batch.mapping))
    finally:
        _positions[name] = position + len(records)
        _reading.discard(name)
        lambda_svc.esm_wake.set()
