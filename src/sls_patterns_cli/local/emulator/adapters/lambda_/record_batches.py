"""How a function or pipe processes a batch of a shard's records; it changes nothing itself.

AWS: a failed batch is tried again until MaximumRetryAttempts or MaximumRecordAgeInSeconds; with
BisectBatchOnFunctionError it is split first, which is no attempt; of a partial failure the records
from the first failed one on are tried again. What is given up goes to the on-failure destination,
to a bucket with the records, to a queue or topic without them.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import contextvars
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import lambda_svc

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters.lambda_.destinations import keep

PAUSE_SECONDS = 0.1
"""Between attempts; Lambda's own backoff is not documented."""

AGE_FACTOR = 60
"""A record's age is divided less than a wait, as work counts too, which takes as long as ever."""

held = False
"""Whether nothing is read for now, so that what is sent meanwhile is one batch."""

Record = dict[str, Any]
Mapping = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """Where the records of a service have what a batch asks of them."""

    part: str
    """What is special of a record."""
    number: str
    arrived: str
    information: str
    """What a document about a batch calls its place."""


KINESIS = Kind("kinesis", "sequenceNumber", "approximateArrivalTimestamp", "KinesisBatchInfo")
DYNAMODB = Kind("dynamodb", "SequenceNumber", "ApproximateCreationDateTime", "DDBStreamBatchInfo")


def poll(service: str, start: Callable[[Mapping, contextvars.Context], bool]) -> bool:
    """Have `start` begin to process what the service has for each mapping, in its account's name.

    Return whether it did for any.
    """
    started = False
    for account, region, mapping in () if held else lambda_svc._iter_all_esms():
        if not mapping.get("Enabled", True) or f":{service}:" not in mapping["EventSourceArn"]:
            continue
        context = contextvars.copy_context()
        context.run(lambda_svc._request_account_id.set, account)
        context.run(lambda_svc._request_region.set, region)
        started = context.run(start, mapping, context) or started
    return started


@dataclass(frozen=True)
class Batch:
    """What one invocation after another makes of the records."""

    kind: Kind
    mapping: Mapping
    function: Record
    shard: str

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
                if self._number(record) in failed:
                    return records[number:], result
        return [], result

    def _given_up(self, records: list[Record], attempts: int) -> str | None:
        most = int(self.mapping.get("MaximumRetryAttempts", -1))
        if 0 <= most < attempts:
            return "RetryAttemptsExhausted"
        oldest = int(self.mapping.get("MaximumRecordAgeInSeconds", -1))
        age = time.time() - self._arrived(records[0])
        return "RecordAgeExceeded" if 0 < oldest / AGE_FACTOR < age else None

    def _keep(self, records: list[Record], condition: str, attempts: int, result: Record) -> None:
        """Put the records where those that cannot be processed go."""
        on_failure = (self.mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
        destination = on_failure.get("Destination", "")
        now = datetime.now(UTC)
        document = {
            **self._context(condition, attempts, result),
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds"),
            self.kind.information: {
                "shardId": self.shard,
                "startSequenceNumber": self._number(records[0]),
                "endSequenceNumber": self._number(records[-1]),
                "approximateArrivalOfFirstRecord": _utc(self._arrived(records[0])),
                "approximateArrivalOfLastRecord": _utc(self._arrived(records[-1])),
                "batchSize": len(records),
                "streamArn": self.mapping["EventSourceArn"],
            },
        }
        # Only a bucket gets the records themselves.
        if ":s3:::" in destination:
            document["payload"] = json.dumps({"Records": records})
        name = f"{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{new_uuid()}"
        key = f"aws/lambda/{self.mapping['UUID']}/{self.shard}/{name}"
        kept = keep(self.function["config"]["Role"], destination, document, key)
        journal.note(
            journal.GivenUp(
                "pipe" if self._pipe else "stream",
                self._pipe or self.mapping["UUID"],
                self.function["config"]["FunctionArn"],
                destination if kept else "",
                attempts=attempts,
                seconds=None,
                bodies=tuple(map(json.dumps, records)),
            )
        )

    @property
    def _pipe(self) -> str:
        """The ARN of the pipe that reads, empty for a function."""
        return str(self.mapping.get("PipeArn", ""))

    def _context(self, condition: str, attempts: int, result: Record) -> Record:
        """Who has given up and why. AWS documents it for functions; pipes were seen to do so.

        https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
        """
        if self._pipe:
            return {"context": {"partnerResourceArn": self._pipe, "condition": condition}}
        return {
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
        }

    def _number(self, record: Record) -> str:
        number: str = record[self.kind.part][self.kind.number]
        return number

    def _arrived(self, record: Record) -> float:
        return float(record[self.kind.part][self.kind.arrived])


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
