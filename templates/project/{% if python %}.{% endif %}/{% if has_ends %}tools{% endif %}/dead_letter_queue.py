"""A dead-letter queue: lists its messages, and sends them back to where they failed.

A message is deleted after it was sent. So an interruption loses none, and the next redrive sends
again what was on its way.
"""

import argparse
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# What reading a message raises if no AWS service has sent it.
UNREADABLE = (KeyError, TypeError, ValueError)


@dataclass
class DeadLetter:
    queue: str
    failed: str
    """Where it failed."""
    when: str
    received: int
    """How often it was received, also to list it."""
    what: Any
    why: str | None = None
    logs: str | None = None
    """The command that shows why, where nothing else records it."""


@dataclass
class Report:
    """What SQS counted in a queue, a minute late at most, and what became of the messages."""

    queue: str
    visible: int
    in_flight: int
    delayed: int
    held_until: str
    seen: int = 0
    sent: int = 0
    stays: list[str] = field(default_factory=list)
    """Why messages were not sent back or failed again, one reason for each."""
    left: list[str] = field(default_factory=list)
    """Why messages are left that a redrive does not send, one reason for each."""

    @property
    def unseen(self) -> int:
        return max(0, self.visible + self.in_flight + self.delayed - self.seen)

    @property
    def held(self) -> int:
        """How many another listing or redrive holds."""
        return min(self.unseen, self.in_flight)

    def __str__(self) -> str:
        total = self.visible + self.in_flight + self.delayed
        counted = f"{self.visible} visible, {self.in_flight} in flight, {self.delayed} delayed"
        text = f"{self.queue}: {self.seen} of {total} seen ({counted})"
        if self.unseen:
            text += "; not all seen"
        if self.held:
            text += f", {self.held} held by another run until {self.held_until} UTC at most"
        return text


class Message:
    def __init__(self, received: Any) -> None:
        self.id: str = received["MessageId"]
        self.receipt_handle: str = received["ReceiptHandle"]
        self.sent_at = int(received["Attributes"]["SentTimestamp"])  # milliseconds, as logs have it
        self.received = int(received["Attributes"]["ApproximateReceiveCount"])
        self.group: str | None = received["Attributes"].get("MessageGroupId")
        self.text: str = received["Body"]
        self.attributes: dict[str, Any] = received.get("MessageAttributes", {})

    @property
    def content(self) -> Any:
        return decoded(self.text)


class FailedAgainError(Exception):
    """What was sent back has failed once more."""


class SkippedError(Exception):
    """A redrive does not send this message, or only if it is asked to."""


class DeadLetterQueue(ABC):
    # Seconds for which nobody else receives its messages, even after a run that was killed.
    visibility_timeout = 120

    def __init__(self, outputs: dict[str, str], name: str, failed: str, target: str = "") -> None:
        self._name = name
        self._failed = failed
        self._target = outputs[target] if target else ""
        self._outputs = outputs
        self._url = outputs[f"{name}Url"]
        self._sqs = boto3.client("sqs")

    @abstractmethod
    def _describe(self, letter: DeadLetter, message: Message) -> None:
        """Add why it failed, and what, unless that is the content of the message."""

    @abstractmethod
    def _send_back(self, message: Message) -> None: ...

    def letters(self) -> tuple[list[DeadLetter], Report]:
        """Return what is in the queue, and leave it there."""
        report = self._report()
        messages = self._receive_all()
        try:
            letters = [self._letter(message) for message in messages]
        finally:
            self._release(messages)
        report.seen = len(messages)
        return letters, report

    def redrive(self) -> Report:
        """Send back what was in the queue before, and delete it."""
        started, report = time.time() * 1000, self._report()
        held: dict[str, Message] = {}
        sent: set[str] = set()
        try:
            while received := self._receive():
                # What came later may be what failed again.
                before = [message for message in received if message.sent_at <= started]
                new = [message for message in before if message.id not in held.keys() | sent]
                for message in received:
                    held[message.id] = message
                    # SQS may deliver it once more if it was hidden for too short a time.
                    if message.id in sent:
                        self._delete(held.pop(message.id))
                for message, problem in zip(new, self._send_all(new), strict=True):
                    if not problem:
                        sent.add(message.id)
                        self._delete(held.pop(message.id))
                    elif isinstance(problem, SkippedError):
                        report.left.append(str(problem))
                    else:
                        report.stays.append(str(problem))
        finally:
            self._release(held.values())
        report.sent = len(sent)
        report.seen = len(sent) + len(report.stays) + len(report.left)
        return report

    def _send_all(self, messages: list[Message]) -> Iterator[Exception | None]:
        """Send messages back, one after another; return for each why that cannot be done."""
        return map(self._try_to_send, messages)

    def _try_to_send(self, message: Message) -> Exception | None:
        try:
            self._send_back(message)
        except (BotoCoreError, ClientError, FailedAgainError, SkippedError) as error:
            return error
        except UNREADABLE as error:
            return ValueError(f"message {message.id} cannot be read: {error!r}")
        return None

    def _letter(self, message: Message) -> DeadLetter:
        when = datetime.fromtimestamp(message.sent_at / 1000, UTC).isoformat(timespec="seconds")
        letter = DeadLetter(self._name, self._failed, when, message.received, message.content)
        try:
            self._describe(letter, message)
        except (BotoCoreError, ClientError, *UNREADABLE) as error:
            letter.why = f"cannot be read: {error!r}"
        return letter

    def _report(self) -> Report:
        count = "ApproximateNumberOfMessages"
        names: list[Any] = [count, f"{count}NotVisible", f"{count}Delayed"]
        counts = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        visible, in_flight, delayed = (int(counts["Attributes"][name]) for name in names)
        until = datetime.now(UTC) + timedelta(seconds=self.visibility_timeout)
        return Report(self._name, visible, in_flight, delayed, f"{until:%H:%M:%S}")

    def _receive_all(self) -> list[Message]:
        found: dict[str, Message] = {}
        while batch := [each for each in self._receive() if each.id not in found]:
            found.update({each.id: each for each in batch})
        return list(found.values())

    def _receive(self) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=self.visibility_timeout,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [Message(each) for each in answer.get("Messages", [])]

    def _release(self, messages: Iterable[Message]) -> None:
        for each in messages:
            # A message whose time is over is visible already, and SQS refuses the call.
            with suppress(ClientError):
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=each.receipt_handle, VisibilityTimeout=0
                )

    def _delete(self, message: Message) -> None:
        try:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt_handle)
        except ClientError as error:
            # If its time is over, it is received again, and deleted then.
            if "expired" not in str(error):
                raise


def decoded(text: str) -> Any:
    """Return the value of a text that is JSON, or else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def stack_outputs(stack: str) -> dict[str, str]:
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def main(stack: str, queues: Callable[[dict[str, str]], list[DeadLetterQueue]]) -> None:
    """Do what the command line says, and exit."""
    parser = argparse.ArgumentParser(description=f"The dead letters of the stack {stack}.")
    parser.add_argument("action", choices=["list", "redrive"])
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    run = show_letters if arguments.action == "list" else show_redriven
    try:
        sys.exit(run(queues(stack_outputs(stack)), as_json=arguments.json))
    except (BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    except KeyError as error:
        sys.exit(f"the stack {stack} has no output {error}: deploy it again")
    except KeyboardInterrupt:
        sys.exit(130)


def show_letters(queues: list[DeadLetterQueue], *, as_json: bool) -> bool:
    """Print the dead letters; return whether another run holds some."""
    found = [queue.letters() for queue in queues]
    letters = [letter for of_queue, _ in found for letter in of_queue]
    reports = [report for _, report in found]
    if as_json:
        print(json.dumps([asdict(letter) for letter in letters], indent=2, ensure_ascii=False))
        for report in reports:
            if report.unseen:
                print(report, file=sys.stderr)
    else:
        for letter in letters:
            print(f"{letter.queue}: {letter.when}, failed at {letter.failed}")
            print(f"  received: {letter.received} times")
            print(f"  what:     {json.dumps(letter.what, ensure_ascii=False)}")
            for why in filter(None, (letter.why, letter.logs)):
                print(f"  why:      {why}")
        totals = [str(report) for report in reports if report.seen or report.unseen]
        print("\n".join(totals or ["no dead letters"]))
    return any(report.held for report in reports)


def show_redriven(queues: list[DeadLetterQueue], *, as_json: bool) -> bool:
    """Send the dead letters back; return whether some stay that were to be sent."""
    reports = [queue.redrive() for queue in queues]
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            reasons = [*report.stays, *report.left]
            stay = f", {len(reasons)} stay" if reasons else ""
            print(f"{report.queue}: {report.sent} sent back{stay}")
            for reason in reasons:
                print(f"  stays: {reason}")
            if report.unseen:
                print(f"  {report}")
    return any(report.stays or report.unseen for report in reports)
