"""A stream refuses a request without data or with too much, and takes no more than its shards can.

AWS: a record needs a partition key and data, together at most 1 MiB unless the stream's
MaxRecordSizeInKiB says otherwise, and PutRecords at least one record, together at most 10 MiB, or
the request is refused whole. A shard takes 1 MiB and 1,000 records a second; of PutRecords the
records beyond that fail, each by itself, and the answer says which.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
https://docs.aws.amazon.com/streams/latest/dev/large-records.html
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html

Emulator: takes null for no data, an empty list, and any amount in a second; knows no
MaxRecordSizeInKiB.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import kinesis

from sls_patterns_cli.local.emulator.adapters import replace

RECORD_BYTES = 1024 * 1024
REQUEST_BYTES = 10 * 1024 * 1024
BYTES_A_SECOND = 1024 * 1024
RECORDS_A_SECOND = 1000
EXCEEDED = "ProvisionedThroughputExceededException"

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Put = Callable[[Request], Response]

_taken: dict[tuple[str, str], tuple[int, int, int]] = {}
"""What a shard has taken: in which second, how many bytes, how many records."""


def apply() -> None:
    replace(kinesis, "_put_record", "010c2796f340", _record_checked)
    replace(kinesis, "_put_records", "e8f7755ae6b8", _records_checked)


def _record_checked(put_record: Put) -> Put:
    def put(request: Request) -> Response:
        if refusal := _refusal([request]):
            return refusal
        if shard := _full_shard(request, request):
            return _refused(EXCEEDED, f"Rate exceeded for shard {shard}")
        return put_record(request)

    return put


def _records_checked(put_records: Put) -> Put:
    def put(request: Request) -> Response:
        records = request.get("Records") or []
        if refusal := _refusal(records):
            return refusal
        full = [_full_shard(request, record) for record in records]
        fitting = [record for record, shard in zip(records, full, strict=True) if not shard]
        status, headers, body = put_records(request | {"Records": fitting})
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        taken = iter(answer["Records"])
        answer["Records"] = [
            {"ErrorCode": EXCEEDED, "ErrorMessage": f"Rate exceeded for shard {shard}"}
            if shard
            else next(taken)
            for shard in full
        ]
        answer["FailedRecordCount"] = sum(1 for shard in full if shard)
        return status, headers, json.dumps(answer).encode()

    return put


def _refusal(records: list[Request]) -> Response | None:
    """The answer to a request of which nothing can be put."""
    if not records or any(_incomplete(record) for record in records):
        return _refused("ValidationException", "Member must not be null")
    sizes = [len(record["PartitionKey"]) + _size(record) for record in records]
    if max(sizes) > RECORD_BYTES:
        says = f"Member must have length less than or equal to {RECORD_BYTES}"
        return _refused("ValidationException", says)
    if sum(sizes) > REQUEST_BYTES:
        return _refused("InvalidArgumentException", "Records size exceeds 10 MB limit")
    return None


def _refused(error: str, message: str) -> Response:
    response: Response = error_response_json(error, message, 400)
    return response


def _incomplete(record: Request) -> bool:
    return not record.get("PartitionKey") or record.get("Data") is None


def _size(record: Request) -> int:
    return len(base64.b64decode(record["Data"]))


def _full_shard(request: Request, record: Request) -> str | None:
    """The shard that a record belongs to, if it can take no more in this second."""
    name, stream = kinesis._resolve_stream(request)
    if not stream:
        return None
    place = kinesis._partition_key_to_hash(record["PartitionKey"])
    shard = str(kinesis._route_to_shard(int(record.get("ExplicitHashKey") or place), stream))
    now = int(time.monotonic())
    second, size, count = _taken.get((name, shard), (now, 0, 0))
    if second != now:
        size, count = 0, 0
    size, count = size + _size(record), count + 1
    if size > BYTES_A_SECOND or count > RECORDS_A_SECOND:
        return shard
    _taken[name, shard] = now, size, count
    return None
