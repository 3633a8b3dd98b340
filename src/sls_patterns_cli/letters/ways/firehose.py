"""Records that Firehose could not transform or deliver, in a bucket: back into the delivery.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
https://docs.aws.amazon.com/firehose/latest/dev/retry.html
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from sls_patterns_cli.letters.aws import Clients
from sls_patterns_cli.letters.batches import Refusal, put
from sls_patterns_cli.letters.letter import SENT, Cause, Letter, Outcome, decoded, kept
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.letters.ways.way import Grant, Way

ERROR_TYPES = (
    "processing-failed",
    "format-conversion-failed",
    "http-endpoint-failed",
    "splunk-failed",
    "iceberg-failed",
    "elasticsearch-failed",
    "AmazonOpenSearchService_failed",
)
"""What stands for `!{firehose:error-output-type}`: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html."""

ERROR_TYPE = "!{firehose:error-output-type}"

MOST_RECORDS = 500
"""In a request of Firehose or Kinesis, of at most 4 MiB in Firehose.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""
MOST_BYTES = 3_000_000
"""Of the data in a request, which are longer in it."""

REQUESTS_AT_A_TIME = 4


class UndeliveredRecords(Way):
    kind = "records of a delivery"

    to_all_readers = False
    """Whether the stream may have records again that others read as well."""

    def ends_at(self) -> str | None:
        name = name_of(self.context.id(self.edge.declared_by))
        found = self.clients("firehose").describe_delivery_stream(DeliveryStreamName=name)
        for destination in found["DeliveryStreamDescription"]["Destinations"]:
            for described in destination.values():
                if isinstance(described, dict):
                    backup = described.get("S3BackupDescription") or {}
                    arn = backup.get("BucketARN") or described.get("BucketARN")
                    kept_in = (described.get("S3DestinationDescription") or {}).get("BucketARN")
                    if arn or kept_in:
                        return str(kept_in or arn)
        return None

    @property
    def failed(self) -> str:
        return self.edge.declared_by

    def takes(self, letter: Letter) -> bool | None:
        first = decoded(letter.body.partition("\n")[0])
        return None if isinstance(first, dict) and "rawData" in first else False

    def cause(self, letter: Letter) -> Cause:
        first = json.loads(letter.body.partition("\n")[0])
        return Cause(first["errorCode"], first["errorMessage"])

    def payload(self, letter: Letter) -> Any:
        return [decoded(data.decode(errors="replace")) for data in self._data(letter)]

    def send_back(self, letter: Letter) -> Outcome:
        data = self._data(letter)
        stream = self._stream()
        if stream is None:
            return self._put(data)
        if stream == "":
            return kept("its source is no stream of this stack")
        others = self._other_readers(stream)
        if others and not self.to_all_readers:
            again = "which would have it again; --all-readers sends it to them, too"
            return kept(f"{stream} is also read by {others}, {again}")
        return self._put_into_stream(stream, data)

    def grants(self) -> Iterator[Grant]:
        stream = self._stream()
        if stream is None:
            yield "firehose:PutRecordBatch", self.edge.declared_by
        elif stream:
            yield "kinesis:PutRecords", stream

    def reads(self) -> Iterator[Grant]:
        yield "firehose:DescribeDeliveryStream", self.edge.declared_by

    def _data(self, letter: Letter) -> list[bytes]:
        lines = letter.body.splitlines()
        return [base64.b64decode(json.loads(line)["rawData"]) for line in lines]

    def _stream(self) -> str | None:
        """Return the stream that the delivery reads, "" for one outside, None without."""
        stack = self.context.stack
        arn = stack.resources[self.edge.declared_by].get(
            "KinesisStreamSourceConfiguration", "KinesisStreamARN"
        )
        if arn is None:
            return None
        found = stack.found(arn, "AWS::Kinesis::Stream")
        return found.name if found else ""

    def _other_readers(self, stream: str) -> str:
        from sls_patterns_cli.wiring.edges import edges

        own = self.edge.declared_by
        readers = [e.target for e in edges(self.context.stack) if e.source == stream]
        return ", ".join(sorted({each for each in readers if each != own}))

    def _put(self, data: Iterable[bytes]) -> Outcome:
        name = name_of(self.context.id(self.edge.declared_by))

        def put_some(some: list[bytes]) -> dict[int, str]:
            records = [{"Data": each} for each in some]
            return put_into_delivery(self.clients, name, records)

        return self._put_each(data, put_some)

    def _put_into_stream(self, stream: str, data: Iterable[bytes]) -> Outcome:
        name = self.context.id(stream)

        def put_some(some: list[bytes]) -> dict[int, str]:
            # Firehose does not keep their keys.
            records = [{"Data": each, "PartitionKey": str(uuid4())} for each in some]
            return put_into_stream(self.clients, name, records)

        return self._put_each(data, put_some)

    def _put_each(
        self, data: Iterable[bytes], put_some: Callable[[list[bytes]], dict[int, str]]
    ) -> Outcome:
        """Put records by several requests at the same time, as many of one letter as there are."""
        with ThreadPoolExecutor(REQUESTS_AT_A_TIME) as pool:
            refused = [
                reason for found in pool.map(put_some, _batches(data)) for reason in found.values()
            ]
        if refused:
            twice = "with the next redrive the others come twice"
            return kept(
                f"{self.failed} has not taken {len(refused)} records: {refused[0]}; {twice}"
            )
        return SENT


def put_into_delivery(
    clients: Clients, name: str, records: Sequence[dict[str, Any]]
) -> dict[int, str]:
    """Put records into a delivery; return why some are not taken, by their place (fact L1)."""

    def request(some: Sequence[dict[str, Any]]) -> dict[int, Refusal]:
        answer = clients("firehose").put_record_batch(DeliveryStreamName=name, Records=some)
        return _refused(answer.get("RequestResponses", []) if answer["FailedPutCount"] else [])

    return put(records, request)


def put_into_stream(
    clients: Clients, name: str, records: Sequence[dict[str, Any]]
) -> dict[int, str]:
    """Put records into a stream; return why some are not taken, by their place."""

    def request(some: Sequence[dict[str, Any]]) -> dict[int, Refusal]:
        answer = clients("kinesis").put_records(StreamName=name, Records=some)
        return _refused(answer["Records"] if answer["FailedRecordCount"] else [])

    return put(records, request)


def _refused(answers: Sequence[dict[str, Any]]) -> dict[int, Refusal]:
    """Return the refusals of a batch: each is of a quota for a second, or of the service itself."""
    return {
        number: Refusal(f"{each['ErrorCode']}: {each.get('ErrorMessage', '')}")
        for number, each in enumerate(answers)
        if each.get("ErrorCode")
    }


def _batches(data: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for each in data:
        if len(batch) == MOST_RECORDS or (batch and size + len(each) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each)
    if batch:
        yield batch


def error_prefixes(destination: dict[str, Any]) -> tuple[str, ...]:
    """Return where in its bucket a delivery keeps what it could not deliver.

    Without a prefix for errors they are under that for data.
    """
    given = str(destination.get("ErrorOutputPrefix") or "")
    if not given:
        given = f"{str(destination.get('Prefix') or '').partition('!{')[0]}{ERROR_TYPE}/"
    if ERROR_TYPE not in given:
        return (given.partition("!{")[0],)
    before, after = given.split(ERROR_TYPE, 1)
    if "!{" in before:
        return (before.partition("!{")[0],)
    return tuple(f"{before}{kind}{after.partition('!{')[0]}" for kind in ERROR_TYPES)
