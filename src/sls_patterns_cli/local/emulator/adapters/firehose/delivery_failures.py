"""Firehose delivers batches, keeps what it cannot transform under the error prefix, and acts as its
role may.

AWS: records that come meanwhile are collected; what is delivered of them is one object, one record
right after the other, compressed if the destination says so. A record that the function does not
return as Ok or Dropped, and every record of a batch whose function fails in all attempts, goes to
ErrorOutputPrefix with what was wrong; Firehose invokes and writes in the name of its role, which it
must be able to assume.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3

Records for a table of Iceberg are its rows: a batch is one commit to the table that Glue has. A
record without the table's columns, and what cannot be written for as long as RetryOptions say, is
kept under the same prefix, as the function has returned it (facts O54 to O56).
https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-destination.html

Emulator: makes an object of each record, never compresses, loses records that the function refuses,
delivers them untransformed when it fails, asks for no permission, and keeps the sender waiting
meanwhile. To Iceberg it delivers only what is put, to S3 Tables, with an extension of DuckDB that
comes from the Internet. Here a table is in a bucket, and retries take as much less time as all
waits. A record whose keys are not exactly the columns is refused: AWS documents that they should
match, and not what becomes of one more. The error codes but that of a missing column are ours.
"""

import base64
import contextvars
import gzip
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import firehose, lambda_svc

from sls_patterns_cli.local.emulator import journal, timescale
from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.glue import lakehouse
from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume
from sls_patterns_cli.local.emulator.adapters.s3 import objects

ATTEMPTS = 4
"""The first, and the 3 retries that are the default."""

BUFFER_SECONDS = 0.2
"""How long records are collected, instead of for as long as the destination's hint says."""

ICEBERG = "Iceberg"
"""The type of a destination, as the emulator calls it."""

BATCH_BYTES = 1024 * 1024
"""How much is transformed at a time, which is the default."""

Stream = dict[str, Any]
Destination = dict[str, Any]
Records = list[tuple[str, bytes]]

RETRY_SECONDS = 300
"""How long rows are tried again unless RetryOptions say otherwise."""

NOT_WRITTEN = "Iceberg.NotWritten"

UNPROCESSED = (
    "processing-failed",
    "Lambda.ProcessingFailedStatus",
    "The function could not process the record.",
)


@dataclass(frozen=True)
class Failure:
    """Why records are kept, as their documents say it; `kind` is in the prefix."""

    kind: str
    code: str
    message: str
    more: Mapping[str, str] = field(default_factory=dict)


_waiting: dict[str, Records] = {}
"""What is to be delivered, by stream; a stream that is there has a thread that delivers it."""

_lock = threading.Lock()


def apply() -> None:
    replace(firehose, "_deliver_records_to_s3", "1f7d45902427", _in_background)
    replace(firehose, "_deliver_to_iceberg", "17688da64d29", _in_background)
    replace(firehose, "ingest_from_kinesis_source", "7dceac1c06ae", _to_iceberg_as_well)


def _in_background(_deliver: Callable[..., None]) -> Callable[..., None]:
    def deliver_records(stream: Stream, destination: Destination, records: Records) -> None:
        with _lock:
            delivered = stream["arn"] in _waiting
            _waiting.setdefault(stream["arn"], []).extend(records)
        if not delivered:
            context = contextvars.copy_context()
            arguments = (_deliver_all, stream, destination)
            threading.Thread(target=context.run, args=arguments, daemon=True).start()

    return deliver_records


def _to_iceberg_as_well(ingest: Callable[..., None]) -> Callable[..., None]:
    """The emulator delivers what it reads of a data stream to S3 alone."""

    def ingest_from_kinesis_source(stream_arn: str, records: Records) -> None:
        ingest(stream_arn, records)
        for stream in list(firehose._streams.values()):
            source = stream.get("kinesis_source") or {}
            if source.get("KinesisStreamARN") != stream_arn or stream["status"] != "ACTIVE":
                continue
            for destination in stream["destinations"]:
                if destination["type"] == ICEBERG:
                    read = [(firehose._record_id(), content) for _, content in records]
                    firehose._deliver_to_iceberg(stream, destination, read)

    return ingest_from_kinesis_source


def _deliver_all(stream: Stream, destination: Destination) -> None:
    """Deliver batch by batch until nothing waits."""
    while True:
        time.sleep(BUFFER_SECONDS)
        with _lock:
            batch = _taken(_waiting[stream["arn"]])
            if not batch:
                del _waiting[stream["arn"]]
                return
        try:
            _deliver(stream, destination, batch)
        except Exception:
            # The next batch is delivered all the same.
            logging.getLogger("firehose").exception("%s: a batch is lost", stream["name"])


def _taken(waiting: Records) -> Records:
    """Take the first records off, as many as are transformed at a time."""
    size, count = 0, 0
    for _, content in waiting:
        size += len(content)
        if count and size > BATCH_BYTES:
            break
        count += 1
    batch = waiting[:count]
    del waiting[:count]
    return batch


def _deliver(stream: Stream, destination: Destination, records: Records) -> None:
    settings = destination["config"]
    try:
        _assume(settings["RoleARN"])
        function = _transform(settings)
        if function:
            records = _transformed(stream, settings, function, records)
        if not records:
            return
        if destination["type"] == ICEBERG:
            _append(stream, settings, [content for _, content in records])
        else:
            content = b"".join(content for _, content in records)
            _put(stream, settings, settings.get("Prefix", ""), content)
    except (PermissionError, LookupError) as error:
        logging.getLogger("firehose").warning("%s: %s", stream["name"], error)


def _append(stream: Stream, settings: dict[str, Any], rows: list[bytes]) -> None:
    """Write rows to the table; those that it does not take are kept as errors."""
    (table,) = settings["DestinationTableConfigurationList"]
    place = table["DestinationDatabaseName"], table["DestinationTableName"]
    retries = (settings.get("RetryOptions") or {}).get("DurationInSeconds", RETRY_SECONDS)
    until = time.monotonic() + timescale.here().divided(int(retries))
    while True:
        try:
            _may_update(settings["RoleARN"], *place)
            refused = lakehouse.append(settings["RoleARN"], *place, rows)
            break
        except Exception as error:  # noqa: BLE001 (whatever it is, nothing was written)
            if time.monotonic() > until:
                says = f"{type(error).__name__}: {error}"
                _keep(stream, settings, Failure("iceberg-failed", NOT_WRITTEN, says), rows)
                return
        time.sleep(BUFFER_SECONDS)
    for code, message in dict.fromkeys((error.code, str(error)) for _, error in refused):
        alike = [row for row, error in refused if (error.code, str(error)) == (code, message)]
        _keep(stream, settings, Failure("iceberg-failed", code, message), alike)


def _may_update(role: str, database: str, table: str) -> None:
    """Raise PermissionError unless a role may commit to a table.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    own = f"arn:aws:glue:{get_region()}:{get_account_id()}:"
    parts = ("catalog", f"database/{database}", f"table/{database}/{table}")
    for action in ("glue:GetTable", "glue:UpdateTable"):
        for part in parts:
            if not role_may(role, action, own + part):
                raise PermissionError(f"{role} may not {action} on {own}{part}")


def _assume(role: str) -> None:
    if not may_assume("firehose.amazonaws.com", role):
        raise PermissionError(f"may not assume {role}")


def _transform(settings: dict[str, Any]) -> str | None:
    """The function's ARN, if there is one."""
    processing = settings.get("ProcessingConfiguration") or {}
    for processor in processing.get("Processors", []) if processing.get("Enabled") else []:
        for parameter in processor.get("Parameters", []):
            if parameter["ParameterName"] == "LambdaArn":
                return str(parameter["ParameterValue"])
    return None


def _transformed(
    stream: Stream, settings: dict[str, Any], function_arn: str, records: Records
) -> Records:
    """What the function makes of the records; those that it refuses are kept as errors."""
    if not role_may(settings["RoleARN"], "lambda:InvokeFunction", function_arn):
        raise PermissionError(f"{settings['RoleARN']} may not invoke {function_arn}")
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if function is None:
        raise LookupError(f"{function_arn} does not exist")
    event = {
        "invocationId": new_uuid(),
        "deliveryStreamArn": stream["arn"],
        "region": get_region(),
        "records": [
            {
                "recordId": identity,
                "approximateArrivalTimestamp": int(time.time() * 1000),
                "data": base64.b64encode(content).decode(),
            }
            for identity, content in records
        ],
    }
    executable = lambda_svc._execution_record_for_config(function, config)
    for _ in range(ATTEMPTS):
        result = lambda_svc._execute_function(executable, event)
        if not result.get("error"):
            break
    answer = result.get("body") if not result.get("error") else None
    returned = {each["recordId"]: each for each in (answer or {}).get("records", [])}
    done: Records = []
    refused: list[bytes] = []
    for identity, content in records:
        outcome = returned.get(identity, {}).get("result", "ProcessingFailed")
        if outcome == "Ok":
            done.append((identity, base64.b64decode(returned[identity]["data"])))
        elif outcome != "Dropped":
            refused.append(content)
    if refused:
        _keep(stream, settings, Failure(*UNPROCESSED, {"lambdaArn": function_arn}), refused)
    return done


def _keep(stream: Stream, settings: dict[str, Any], failure: Failure, records: list[bytes]) -> None:
    now = int(time.time() * 1000)
    documents = [
        {
            "attemptsMade": ATTEMPTS,
            "arrivalTimestamp": now,
            "errorCode": failure.code,
            "errorMessage": failure.message,
            "attemptEndingTimestamp": now,
            "rawData": base64.b64encode(content).decode(),
            **failure.more,
        }
        for content in records
    ]
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    # What a destination keeps of failures that is no bucket itself has settings of its own.
    settings = settings.get("S3Configuration", settings)
    prefix = settings.get("ErrorOutputPrefix", "")
    arn, bucket, end = stream["arn"], settings["BucketARN"], ""
    try:
        _put(stream, settings, prefix, lines.encode(), failure.kind)
        end = bucket
    finally:
        journal.note(journal.GivenUp("firehose", arn, bucket, end, attempts=ATTEMPTS, seconds=None))


def _put(
    stream: Stream,
    settings: dict[str, Any],
    prefix: str,
    content: bytes,
    error_type: str | None = None,
) -> None:
    now = time.gmtime()
    folder = firehose._evaluate_prefix(prefix, now, error_type=error_type)
    name = f"{stream['name']}-1-{time.strftime('%Y-%m-%d-%H-%M-%S', now)}-{new_uuid()}"
    if settings.get("CompressionFormat") == "GZIP":
        name, content = f"{name}.gz", gzip.compress(content)
    objects.put(settings["RoleARN"], settings["BucketARN"], f"{folder}{name}", content)
