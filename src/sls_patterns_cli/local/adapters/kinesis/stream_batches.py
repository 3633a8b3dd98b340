"""A function reads a stream shard by shard, and what it cannot process ends in a bucket.

AWS: a failed batch is tried again until MaximumRetryAttempts or MaximumRecordAgeInSeconds; with
BisectBatchOnFunctionError it is split first, which is no attempt; of a partial failure the records
from the first failed one on are tried again. What is given up goes to the on-failure destination,
to a bucket with the records. Each shard goes on by itself.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html

Emulator: tries a failed batch again for ever, and meanwhile reads no other shard.
"""

import contextvars
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import kinesis, lambda_svc

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.s3 import objects

PAUSE_SECONDS = 0.1
"""Between attempts; Lambda's own backoff is not documented."""

AGE_FACTOR = 60
"""A record's age is divided less than a wait, as work counts too, which takes as long as ever."""

Record = dict[str, Any]
Mapping = dict[str, Any]

_positions: dict[tuple[str, str], int] = {}
_reading: set[tuple[str, str]] = set()


def apply() -> None:
    replace(lambda_svc, "_poll_kinesis", "0d590120d060", _by_shard)


def _by_shard(_poll: Callable[..., bool]) -> Callable[..., bool]:
    def poll() -> bool:
        """Start to process the next batch of each shard that is not being read."""
        started = False
        for account, region, mapping in lambda_svc._iter_all_esms():
            if not mapping.get("Enabled", True) or ":kinesis:" not in mapping["EventSourceArn"]:
                continue
            context = contextvars.copy_context()
            context.run(lambda_svc._request_account_id.set, account)
            context.run(lambda_svc._request_region.set, region)
            started = context.run(_start, mapping, context) or started
        return started

    return poll


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
        batch = _Batch(mapping, function, shard)
        arguments = (_process, batch, place, position, records)
        threading.Thread(target=context.copy().run, args=arguments, daemon=True).start()
        started = True
    return started


def _process(batch: "_Batch", place: tuple[str, str], position: int, records: list[Record]) -> None:
    try:
        batch.process([batch.described(record) for record in records])
    finally:
        _positions[place] = position + len(records)
        _reading.discard(place)
        lambda_svc.esm_wake.set()


@dataclass(frozen=True)
class _Batch:
    mapping: Mapping
    function: Record
    shard: str

    def described(self, record: Record) -> Record:
        """A record as the function sees it."""
        stream = self.mapping["EventSourceArn"]
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
            "eventID": f"{self.shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self.function["config"]["Role"],
            "awsRegion": stream.split(":")[3],
            "eventSourceARN": stream,
        }

    def process(self, records: list[Record], attempts: int = 0) -> None:
        """Process records until all are processed or given up."""
        while records:
            rest, result = self._attempt(records)
            if len(rest) < len(records):
                records, attempts = rest, 0
                continue
            attempts += 1
            if len(records) > 1 and self.mapping.get("BisectBatchOnFunctionError"):
                middle = len(records) // 2
                self.process(records[:middle], attempts - 1)
                records, attempts = records[middle:], attempts - 1
                continue
            if condition := self._given_up(records, attempts):
                self._keep(records, condition, attempts, result)
                return
            time.sleep(PAUSE_SECONDS)

    def _attempt(self, records: list[Record]) -> tuple[list[Record], Record]:
        """Invoke the function; return the records that are still to be processed."""
        result = lambda_svc._execute_function(self.function, {"Records": records})
        if result.get("error"):
            return records, result
        answer = result.get("body")
        failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        if "ReportBatchItemFailures" in (self.mapping.get("FunctionResponseTypes") or []):
            failed = {failure.get("itemIdentifier") for failure in failures or []}
            for number, record in enumerate(records):
                if record["kinesis"]["sequenceNumber"] in failed:
                    return records[number:], result
        return [], result

    def _given_up(self, records: list[Record], attempts: int) -> str | None:
        most = int(self.mapping.get("MaximumRetryAttempts", -1))
        if 0 <= most < attempts:
            return "RetryAttemptsExhausted"
        oldest = int(self.mapping.get("MaximumRecordAgeInSeconds", -1))
        age = time.time() - records[0]["kinesis"]["approximateArrivalTimestamp"]
        return "RecordAgeExceeded" if 0 < oldest / AGE_FACTOR < age else None

    def _keep(self, records: list[Record], condition: str, attempts: int, result: Record) -> None:
        """Put the records where those that cannot be processed go."""
        on_failure = (self.mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
        destination = on_failure.get("Destination", "")
        if not destination.startswith("arn:aws:s3:::"):
            return
        now = datetime.now(UTC)
        first, last = records[0]["kinesis"], records[-1]["kinesis"]
        document = {
            "requestContext": {
                "requestId": new_uuid(),
                "functionArn": self.function["config"]["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": result.get("function_error") or "Unhandled",
            },
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds"),
            "KinesisBatchInfo": {
                "shardId": self.shard,
                "startSequenceNumber": first["sequenceNumber"],
                "endSequenceNumber": last["sequenceNumber"],
                "approximateArrivalOfFirstRecord": _utc(first["approximateArrivalTimestamp"]),
                "approximateArrivalOfLastRecord": _utc(last["approximateArrivalTimestamp"]),
                "batchSize": len(records),
                "streamArn": self.mapping["EventSourceArn"],
            },
            "payload": json.dumps({"Records": records}),
        }
        name = f"{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{new_uuid()}"
        key = f"aws/lambda/{self.mapping['UUID']}/{self.shard}/{name}"
        try:
            objects.put(
                self.function["config"]["Role"], destination, key, json.dumps(document).encode()
            )
        except PermissionError as error:
            logging.getLogger("lambda").warning("%s", error)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
