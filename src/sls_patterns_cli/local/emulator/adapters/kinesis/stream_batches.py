"""A function reads a stream shard by shard, and what it cannot process ends in a bucket.

AWS: `lambda_.record_batches` says what becomes of a failed batch. Each shard goes on by itself. A
filter drops records before the function sees them.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html

Emulator: tries a failed batch again for ever, and meanwhile reads no other shard.
"""

import contextvars
import threading
from collections.abc import Callable
from functools import partial

from ministack.services import kinesis, lambda_svc

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.lambda_.record_batches import (
    KINESIS,
    Batch,
    Mapping,
    Record,
    poll,
)

_positions: dict[tuple[str, str], int] = {}
_reading: set[tuple[str, str]] = set()


def apply() -> None:
    replace(lambda_svc, "_poll_kinesis", "0d590120d060", _by_shard)


def _by_shard(_poll: Callable[..., bool]) -> Callable[..., bool]:
    """Start to process the next batch of each shard that is not being read."""
    return partial(poll, "kinesis", _start)


def _start(mapping: Mapping, context: contextvars.Context) -> bool:
    stream = kinesis._resolve_stream_by_arn(mapping["EventSourceArn"])
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if not stream or function is None:
        return False
    started = False
    for shard, content in stream["shards"].items():
        place = (mapping["UUID"], shard)
        from_start = mapping.get("StartingPosition") == "TRIM_HORIZON"
        position = _positions.setdefault(place, 0 if from_start else len(content["records"]))
        records = content["records"][position : position + mapping.get("BatchSize", 100)]
        if place in _reading or not records:
            continue
        _reading.add(place)
        batch = Batch(KINESIS, mapping, function, shard)
        arguments = (_process, batch, place, position, records)
        threading.Thread(target=context.copy().run, args=arguments, daemon=True).start()
        started = True
    return started


def _process(batch: Batch, place: tuple[str, str], position: int, records: list[Record]) -> None:
    try:
        described = [_described(batch, record) for record in records]
        batch.process(lambda_svc._apply_filter_criteria(described, batch.mapping))
    finally:
        _positions[place] = position + len(records)
        _reading.discard(place)
        lambda_svc.esm_wake.set()


def _described(batch: Batch, record: Record) -> Record:
    """A record as the function sees it."""
    stream = batch.mapping["EventSourceArn"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": record["Data"],
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{batch.shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": batch.function["config"]["Role"],
        "awsRegion": stream.split(":")[3],
        "eventSourceARN": stream,
    }
