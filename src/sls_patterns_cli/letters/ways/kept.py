"""What a stack keeps itself, and no service for it.

A distributed map sends items that failed to a queue, a function lines of a log and records of a
stream that it cannot read; functions and rules set aside what nobody may process now.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sls_patterns_cli.letters.batches import Refusal, put
from sls_patterns_cli.letters.letter import (
    SENT,
    UNREADABLE,
    Cause,
    Letter,
    Outcome,
    failed_again,
    kept,
)
from sls_patterns_cli.letters.stores import MOST_RECEIVED
from sls_patterns_cli.letters.targets import invoked, name_of
from sls_patterns_cli.letters.ways.executions import wait_for_end
from sls_patterns_cli.letters.ways.invocations import RetriedByFunction
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.streams import DYNAMODB, KAFKA, KINESIS, StreamRecords
from sls_patterns_cli.letters.ways.way import Context, Grant, SentInBatches, Way
from sls_patterns_cli.wiring.model import Edge


class Kept(Way):
    """What is in an end because the stack itself has put it there: AWS cannot say where it ends."""

    @property
    def goes_back(self) -> str:
        return f"to {self.goes_to}"

    def ends_at(self) -> str | None:
        return self.context.id(self.edge.end.name)


class SetAsideMessages(Kept, SentToQueue):
    """Messages of a queue that its consumer has set aside, with the reason as an attribute."""

    kind = "messages set aside"
    with_attributes = False  # they say why it was set aside
    comes_back = True

    @property
    def goes_to(self) -> str:
        return self.edge.source

    @property
    def url(self) -> str:
        return self.context.id(self.edge.source)

    def cause(self, letter: Letter) -> Cause:
        return Cause("; ".join(filter(None, map(letter.told, letter.attributes))))

    def grants(self) -> Iterator[Grant]:
        yield "sqs:SendMessage", self.edge.source


TIME_BYTES, COUNTED = 14, ("Source", "DetailType", "Detail", "Resources")
"""How EventBridge counts the size of an entry:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevents-size"""

TEMPORARY = {"InternalFailure", "ThrottlingException"}
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html"""


class SetAsideEvents(Kept, SentInBatches):
    """Events that a rule has set aside, as no other is for them: the bus has a rule by now."""

    kind = "events set aside"
    most_bytes = 256 * 1024
    """An older limit: a newer one is larger."""

    @property
    def failed(self) -> str:
        return self.edge.source

    def cause(self, letter: Letter) -> Cause:
        return Cause("no rule is for it", letter.content["detail-type"])

    def entry(self, letter: Letter) -> dict[str, Any]:
        event = letter.content
        return {
            "EventBusName": name_of(self.context.id(self.edge.source)),
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event["resources"],
            "Time": event["time"],
        }

    def entry_size(self, entry: dict[str, Any]) -> int:
        return TIME_BYTES + sum(len(str(entry[name]).encode()) for name in COUNTED)

    def put(self, entries: Sequence[dict[str, Any]]) -> dict[int, str]:
        def request(some: Sequence[dict[str, Any]]) -> dict[int, Refusal]:
            # The call succeeds although events were refused.
            answers = self.clients("events").put_events(Entries=some)["Entries"]
            return {
                number: Refusal(
                    f"{each['ErrorCode']}: {each.get('ErrorMessage', '')}",
                    each["ErrorCode"] in TEMPORARY,
                )
                for number, each in enumerate(answers)
                if each.get("ErrorCode")
            }

        return put(entries, request)

    def grants(self) -> Iterator[Grant]:
        yield "events:PutEvents", self.edge.source


class UnreadableLines(RetriedByFunction, Kept):
    """Lines of a log that a function could not read, and has sent itself, one a letter.

    It has each again alone, as CloudWatch Logs delivers it. The answer names, under `unreadable`,
    those that it still cannot read: it has kept these anew.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """

    kind = "lines of a log"

    def takes(self, letter: Letter) -> bool | None:
        line = letter.content
        return isinstance(line, dict) and {"log_group", "log_stream", "id", "error"} <= line.keys()

    def cause(self, letter: Letter) -> Cause:
        return Cause(error=str(letter.content["error"]))

    def send_back(self, letter: Letter) -> Outcome:
        line = letter.content
        if "message" not in line:
            return kept(f"line {line['id']} is too long: read it in {line['log_group']}")
        logged = {
            "messageType": "DATA_MESSAGE",
            "logGroup": line["log_group"],
            "logStream": line["log_stream"],
            "logEvents": [{name: line[name] for name in ("id", "timestamp", "message")}],
        }
        packed = base64.b64encode(gzip.compress(json.dumps(logged).encode())).decode()
        event = json.dumps({"awslogs": {"data": packed}})
        outcome, told = invoked(self.clients, self.function, self.failed, event)
        if outcome.leaves and told.get("unreadable"):
            why = f"line {line['id']} still cannot be read: see its new letter"
            return failed_again(why, is_kept_anew=True)
        return outcome


class RejectedRecords(StreamRecords):
    """Records of a stream that a function could not read, and has put into the bucket itself.

    They have the form of Lambda's own, without where in the stream they were. Each is marked as one
    of a redrive: the function reports it if it still cannot read it, and keeps it no second time.
    """

    kind = "rejected records of a stream"

    def takes(self, letter: Letter) -> bool | None:
        record = letter.content
        if not isinstance(record, dict) or {KINESIS, DYNAMODB, KAFKA} & record.keys():
            return False
        function = record["requestContext"].get("functionArn")
        return self.is_id_of(function, self.edge.target) if function else None

    def cause(self, letter: Letter) -> Cause:
        context = letter.content["requestContext"]
        return Cause(context["condition"], request=context.get("requestId", ""))

    def send_back(self, letter: Letter) -> Outcome:
        records = [{**record, "redrive": True} for record in self._event(letter)["Records"]]
        return self.checked(letter, self.retry(json.dumps({"Records": records})))


class MapItems(Kept):
    """Items of a distributed map, as its state machine has sent them: with the execution's input.

    One execution does all failed items that have the same input. What fails again, it has sent
    anew by its end.
    """

    kind = "items of a map"
    keeps_anew = True
    most_at_once = MOST_RECEIVED

    def __init__(self, edge: Edge, context: Context) -> None:
        super().__init__(edge, context)
        self._runs: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}

    def takes(self, letter: Letter) -> bool | None:
        return isinstance(letter.content, dict) and {"execution", "item"} <= letter.content.keys()

    def cause(self, letter: Letter) -> Cause:
        error = letter.content["error"]
        return Cause(str(error["Error"]), _message(error.get("Cause")))

    def payload(self, letter: Letter) -> Any:
        return letter.content["item"]

    def identity(self, letter: Letter) -> str:
        try:
            return json.dumps([letter.content["execution"], letter.content["item"]])
        except UNREADABLE:
            return super().identity(letter)

    def send_all(self, letters: Sequence[Letter]) -> Iterator[Sequence[Outcome]]:
        """Executions with different inputs run side by side."""
        begun = [(letter, self.attempt(letter)) for letter in letters]
        for letter, outcome in begun:
            yield [self._end(letter) if outcome.leaves else outcome]

    def send_back(self, letter: Letter) -> Outcome:
        given = json.dumps(letter.content["execution"])
        if given not in self._runs:
            machine = self.context.id(self.edge.target)
            begun = self.clients("stepfunctions").start_execution(
                stateMachineArn=machine, input=given
            )
            self._runs[given] = begun["executionArn"]
        return SENT

    def grants(self) -> Iterator[Grant]:
        yield "states:StartExecution", self.edge.target
        yield "states:DescribeExecution", f"{self.edge.target}/executions"

    def _end(self, letter: Letter) -> Outcome:
        given = json.dumps(letter.content["execution"])
        if given not in self._outcomes:
            run = self._runs[given]
            status = wait_for_end(self.clients, run)
            self._outcomes[given] = {
                "RUNNING": kept(f"{run} is still running: redrive again once it has ended"),
                "SUCCEEDED": SENT,
            }.get(status, failed_again(f"{run} ended: {status}"))
        return self._outcomes[given]


def _message(cause: Any) -> str:
    """Return what a cause says of the error: of a function it has its answer, as JSON."""
    try:
        told = json.loads(cause)
        return str(told["errorMessage"])
    except UNREADABLE:
        return str(cause or "")
