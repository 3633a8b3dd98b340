"""A delivery stream refuses what it cannot take, and takes no more than its quota.

AWS: a record needs data, of at most 1,000 KiB before its encoding; PutRecordBatch takes 1 to 500
records of together at most 4 MiB. A request that breaks one of these limits is refused whole, and
so is every request to a delivery stream that reads a data stream. Of a batch the records beyond
the quota of a second fail, each by itself, and the answer says which: it has the status 200.
https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
https://docs.aws.amazon.com/firehose/latest/dev/limits.html

The quota is that of most regions; in us-east-1, us-west-2 and eu-west-1 it is five times as large.

Emulator: takes null for no data, any amount, and what is put beside a data stream; of a batch it
refuses the records alone that are too large.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import firehose

from sls_patterns_cli.local.emulator.adapters import replace

RECORD_BYTES = 1000 * 1024
REQUEST_BYTES = 4 * 1024 * 1024
REQUEST_RECORDS = 500
BYTES_A_SECOND = 1024 * 1024

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Put = Callable[[Request], Response]

_taken: dict[str, tuple[int, int]] = {}
"""What a delivery stream has taken: in which second, and how many bytes."""


def apply() -> None:
    replace(firehose._HANDLERS, "PutRecord", "6a7ed0471aef", _record_checked)
    replace(firehose._HANDLERS, "PutRecordBatch", "5e868d2aec51", _batch_checked)


def _record_checked(put_record: Put) -> Put:
    def put(request: Request) -> Response:
        record = request.get("Record") or {}
        if refusal := _refusal(request, [record]):
            return refusal
        if _is_beyond_quota(request["DeliveryStreamName"], record):
            slow: Response = error_response_json("ServiceUnavailableException", "Slow down.", 500)
            return slow
        return put_record(request)

    return put


def _batch_checked(put_record_batch: Put) -> Put:
    def put(request: Request) -> Response:
        records = request.get("Records") or []
        if refusal := _refusal(request, records):
            return refusal
        beyond = [_is_beyond_quota(request["DeliveryStreamName"], each) for each in records]
        fitting = [each for each, slow in zip(records, beyond, strict=True) if not slow]
        answers: list[Any] = []
        if fitting:
            status, headers, body = put_record_batch(request | {"Records": fitting})
            if status != 200:
                return status, headers, body
            answers = json.loads(body)["RequestResponses"]
        taken = iter(answers)
        slow = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        answer = {
            "FailedPutCount": sum(beyond),
            "Encrypted": False,
            "RequestResponses": [slow if failed else next(taken) for failed in beyond],
        }
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    return put


def _refusal(request: Request, records: list[Request]) -> Response | None:
    """The answer to a request of which nothing can be taken."""
    stream = firehose._streams.get(request.get("DeliveryStreamName", ""))
    if stream and stream["type"] != "DirectPut":
        says = f"This operation is not permitted on {stream['type']} delivery stream type."
        return _refused("InvalidArgumentException", says)
    if not 1 <= len(records) <= REQUEST_RECORDS:
        return _refused("ValidationException", f"1 to {REQUEST_RECORDS} records can be put")
    if any(record.get("Data") is None for record in records):
        return _refused("ValidationException", "Member must not be null")
    try:
        return _too_large([_size(record) for record in records])
    except binascii.Error as error:
        return _refused("SerializationException", str(error))


def _too_large(sizes: list[int]) -> Response | None:
    if max(sizes) > RECORD_BYTES:
        says = f"Member must have length less than or equal to {RECORD_BYTES}"
        return _refused("ValidationException", says)
    if sum(sizes) > REQUEST_BYTES:
        return _refused("InvalidArgumentException", "Records size exceeds 4 MB limit")
    return None


def _refused(error: str, message: str) -> Response:
    response: Response = error_response_json(error, message, 400)
    return response


def _size(record: Request) -> int:
    return len(base64.b64decode(record["Data"], validate=True))


def _is_beyond_quota(stream: str, record: Request) -> bool:
    """Whether the stream can take no more in this second; what it can take is counted."""
    now = int(time.monotonic())
    second, size = _taken.get(stream, (now, 0))
    size = (size if second == now else 0) + _size(record)
    if size > BYTES_A_SECOND:
        return True
    _taken[stream] = now, size
    return False
