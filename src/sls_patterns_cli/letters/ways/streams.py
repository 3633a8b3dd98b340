"""Batches of a stream that a function or pipe could not process.

In a queue there is where the batch was, and its records are read again while the stream has them;
in a bucket are the records themselves. They go to what failed, not into the stream, where every
other consumer would have them again. Of Kafka only letters in a bucket go back: a cluster is read
from its own network only.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from sls_patterns_cli.letters.letter import (
    Cause,
    Letter,
    Outcome,
    decoded,
    failed_again,
    kept,
)
from sls_patterns_cli.letters.stores import Bucket
from sls_patterns_cli.letters.targets import (
    invoke,
    name_of,
    of_arn,
    queue_url,
    send_to_queue,
    start,
)
from sls_patterns_cli.letters.ways.invocations import RetriedByFunction
from sls_patterns_cli.letters.ways.way import Grant
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring.model import STREAM

KINESIS, DYNAMODB, KAFKA = "KinesisBatchInfo", "DDBStreamBatchInfo", "KafkaBatchInfo"

Record = dict[str, Any]


class GoneError(ValueError):
    """The stream has no more what a letter is about."""


class StreamBatches(RetriedByFunction):
    """Where batches of a mapping were, in a queue."""

    kind = "batches of a stream"
    says_error = False

    @cached_property
    def _mapping(self) -> Record:
        mapping = self.context.id(self.edge.declared_by)
        return dict(self.clients("lambda").get_event_source_mapping(UUID=mapping))

    @property
    def function(self) -> str:
        """What the mapping invokes now, with its alias or version."""
        return str(self._mapping["FunctionArn"])

    def ends_at(self) -> str | None:
        destination = self._mapping.get("DestinationConfig", {}).get("OnFailure", {})
        end: str | None = destination.get("Destination")
        return end

    def takes(self, letter: Letter) -> bool | None:
        record = letter.content
        if not isinstance(record, dict) or not {KINESIS, DYNAMODB, KAFKA} & record.keys():
            return False
        function = (record.get("requestContext") or {}).get("functionArn")
        return self.is_id_of(function, self.edge.target) if function else None

    def cause(self, letter: Letter) -> Cause:
        record = letter.content
        context = record.get("requestContext") or record["context"]
        error = (record.get("responseContext") or {}).get("functionError") or ""
        return Cause(context["condition"], error, context.get("requestId", ""))

    def send_back(self, letter: Letter) -> Outcome:
        try:
            records = self.records(letter)
        except GoneError as error:
            return kept(str(error))
        return self.retry(json.dumps({"Records": records}))

    def records(self, letter: Letter) -> list[Record]:
        """Return the records as Lambda has them; raises GoneError."""
        if KINESIS in letter.content:
            return kinesis_records(self, letter.content[KINESIS])
        if KAFKA in letter.content:
            where = ", ".join(letter.content[KAFKA].get("recordsInfo", {}))
            raise GoneError(f"only the cluster has its records, at the offsets it names: {where}")
        return table_records(self, letter.content[DYNAMODB])

    def grants(self) -> Iterator[Grant]:
        yield from super().grants()
        yield from self.reading_again()

    def reading_again(self) -> Iterator[Grant]:
        """Yield what reading the stream again needs: of a table, of its stream."""
        if self.edge.mechanism == "kafka":
            return
        source = self.context.stack.resources.get(self.edge.source)
        service = "kinesis" if source is None or source.type == STREAM else "dynamodb"
        for action in ("GetShardIterator", "GetRecords"):
            yield f"{service}:{action}", self.edge.source

    def reads(self) -> Iterator[Grant]:
        yield "lambda:GetEventSourceMapping", self.edge.declared_by


class StreamRecords(StreamBatches):
    """Batches of a mapping with their records, in a bucket."""

    kind = "records of a stream"

    def takes(self, letter: Letter) -> bool | None:
        taken = super().takes(letter)
        return False if taken is False or "payload" not in letter.content else taken

    def payload(self, letter: Letter) -> Any:
        event = self._event(letter)
        records = event.get("Records")
        return event if records is None else [_readable(record) for record in records]

    def send_back(self, letter: Letter) -> Outcome:
        return self.checked(letter, self.retry(json.dumps(self._event(letter))))

    def checked(self, letter: Letter, outcome: Outcome) -> Outcome:
        """Return an outcome that may be worse: a function keeps what it cannot read, and succeeds.

        Then it has put the same object anew. In a bucket that a queue tells of, that is a letter of
        its own.
        """
        if not (outcome.leaves and letter.object_key):
            return outcome
        bucket = Bucket(self.edge.end.name, self.context.id(self.edge.end.name), (), self.clients)
        try:
            is_new = bucket.content(letter.object_key) != letter.body
        except bucket.s3.exceptions.NoSuchKey:
            return outcome
        why = f"{self.failed} still cannot read it, and has kept it anew"
        return failed_again(why, is_kept_anew=bool(letter.message_id)) if is_new else outcome

    def _event(self, letter: Letter) -> Record:
        """Return the event that the function could not process."""
        payload = letter.content["payload"]
        event: Record = json.loads(payload) if isinstance(payload, str) else payload
        return event

    def grants(self) -> Iterator[Grant]:
        yield "lambda:InvokeFunction", self.edge.target


class PipeBatches(StreamBatches):
    """Where batches of a pipe were, in a queue.

    A pipe hands its target an array of records, flat; what a pipe enriches or transforms, it alone
    can send.
    """

    kind = "batches of a pipe"

    def ends_at(self) -> str | None:
        source = self._pipe().get("SourceParameters", {})
        for kind in ("KinesisStreamParameters", "DynamoDBStreamParameters"):
            if end := (source.get(kind) or {}).get("DeadLetterConfig", {}).get("Arn"):
                return str(end)
        return None

    def takes(self, letter: Letter) -> bool | None:
        record = letter.content
        if not isinstance(record, dict) or not {KINESIS, DYNAMODB} & record.keys():
            return False
        pipe = (record.get("context") or {}).get("partnerResourceArn")
        return self.is_id_of(pipe, self.edge.declared_by) if pipe else None

    def send_back(self, letter: Letter) -> Outcome:
        pipe = self._pipe()
        if pipe.get("Enrichment") or (pipe.get("TargetParameters") or {}).get("InputTemplate"):
            return kept(f"{self.edge.declared_by} changes what it sends, and nothing else can")
        try:
            records = [_flat(record) for record in self.records(letter)]
        except GoneError as error:
            return kept(str(error))
        target = str(pipe["Target"])
        match of_arn(target):
            case "lambda":
                return invoke(self.clients, target, self.failed, json.dumps(records))
            case "states":
                return start(self.clients, target, letter, records)
            case "sqs":
                return self._send_each(queue_url(self.clients, target), letter, records)
        return kept(f"nothing here can deliver to {target}")

    def grants(self) -> Iterator[Grant]:
        target = str(self._pipe()["Target"])
        actions = {"lambda": "lambda:InvokeFunction", "states": "states:StartExecution"}
        if action := actions.get(of_arn(target)):
            yield action, target
        elif of_arn(target) == "sqs":
            yield "sqs:SendMessage", target
            yield "sqs:GetQueueUrl", target
        yield from self.reading_again()

    def reads(self) -> Iterator[Grant]:
        yield "pipes:DescribePipe", self.edge.declared_by

    def _send_each(self, url: str, letter: Letter, records: list[Record]) -> Outcome:
        outcome = kept("the batch is empty")
        for number, record in enumerate(records):
            of_record = replace(letter, id=f"{letter.id}-{number}", body=json.dumps(record))
            outcome = send_to_queue(self.clients, url, of_record, with_attributes=False)
        return outcome

    def _pipe(self) -> Record:
        name = name_of(self.context.id(self.edge.declared_by))
        return dict(self.clients("pipes").describe_pipe(Name=name))


def kinesis_records(way: StreamBatches, batch: Record) -> list[Record]:
    """Read the records of a batch again, and return them as Lambda has them."""
    arn, shard = batch["streamArn"], batch["shardId"]
    first = batch["startSequenceNumber"]
    given = {"StreamARN": arn, "ShardId": shard, "StartingSequenceNumber": first}
    found = _read(way.clients("kinesis"), batch, given)
    return [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "awsRegion": arn.split(":")[3],
            "eventSourceARN": arn,
        }
        for record in found
    ]


def table_records(way: StreamBatches, batch: Record) -> list[Record]:
    """Read the changes of a batch again, and return them as Lambda has them."""
    arn = batch["streamArn"]
    first = batch["startSequenceNumber"]
    given = {"StreamArn": arn, "ShardId": batch["shardId"], "SequenceNumber": first}
    return [
        {
            **{key: value for key, value in record.items() if key != "dynamodb"},
            "dynamodb": _as_json(record["dynamodb"]),
            "eventSourceARN": arn,
        }
        for record in _read(way.clients("dynamodbstreams"), batch, given)
    ]


def _read(client: Any, batch: Record, place: Mapping[str, str]) -> list[Record]:
    """Read a batch's records, from its first number to its last; raises GoneError.

    `place` is that of the first, in the words of the service.
    """
    first, last, size = batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]
    found: list[Record] = []
    try:
        position = client.get_shard_iterator(**place, ShardIteratorType="AT_SEQUENCE_NUMBER")[
            "ShardIterator"
        ]
        while position and not (found and _number(found[-1]) >= int(last)):
            with interrupts.allowed():
                answer = client.get_records(ShardIterator=position)
            found += answer["Records"]
            is_at_end = not answer["Records"] and answer.get("MillisBehindLatest", 0) == 0
            position = None if is_at_end else answer.get("NextShardIterator")
    except client.exceptions.ClientError as error:
        if not any(word in str(error) for word in ("Trimmed", "ResourceNotFound", "InvalidArg")):
            raise
    of_batch = [record for record in found if int(first) <= _number(record) <= int(last)]
    if len(of_batch) < int(size):
        raise GoneError(f"the stream has {len(of_batch)} of its {size} records left")
    return of_batch


def _number(record: Record) -> int:
    number = record.get("SequenceNumber") or record["dynamodb"]["SequenceNumber"]
    return int(number)


def _as_json(change: Record) -> Record:
    """Return a change with its time as a number and its bytes as text, as Lambda has them."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        return int(value.timestamp()) if hasattr(value, "timestamp") else value

    return {key: plain(value) for key, value in change.items()}


def _readable(record: Record) -> Any:
    """Return what is in a record of Kinesis; another as it is."""
    data = (record.get("kinesis") or {}).get("data")
    if data is None:
        return record
    return decoded(base64.b64decode(data).decode(errors="replace"))


def _flat(record: Record) -> Record:
    """Return a record as pipes have it: what Lambda has under `kinesis` stands beside the rest."""
    inner = record.get("kinesis")
    rest = {key: value for key, value in record.items() if key != "kinesis"}
    return {**inner, **rest} if isinstance(inner, dict) else record
