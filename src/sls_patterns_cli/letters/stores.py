"""What keeps letters: a queue, a bucket, or a bucket with a queue that says what is in it.

A letter is deleted or held until the reading ends; what is held is shown again then. What is known
of each is on disk, so a hundred thousand letters take no more memory than ten.

What was sent to a queue twice is one letter: it is given once, and deleted with all of its copies.
"""

import gzip
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import unquote_plus

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import Clients, code_of
from sls_patterns_cli.letters.batches import Refusal, put, refusals
from sls_patterns_cli.letters.ledger import Ledger
from sls_patterns_cli.letters.letter import UNREADABLE, Letter, at, decoded
from sls_patterns_cli.letters.record import source_id
from sls_patterns_cli.system import interrupts

HELD_SECONDS = 300
"""For how long nobody else receives a letter after a run that was killed, at the longest.

A run that goes on holds what it has for longer, again and again.
"""

LONGEST_SECONDS = 43_200
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

MOST_RECEIVED = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""

AHEAD = 4
"""So many receives wait for messages at the same time."""

SHOWN_AT_A_TIME, SHOWN_AT_ONCE = 8, 1000
"""How many requests show messages again at the same time, and how many messages that is about."""

MOST_KNOWN = 10
"""After so many receives that have shown nothing new, nothing new is expected."""

TIME_FACTOR = "LOCAL_TIME_FACTOR"
"""`local up` sets it for its shells: the local stack divides what a client asks to wait by it."""


def seconds(wanted: float) -> float:
    """Return what to ask for so that it is this long on the local stack, too."""
    return wanted * int(os.environ.get(TIME_FACTOR, "1"))


@dataclass(frozen=True)
class Counts:
    """What is kept, as the service counts it: of SQS a minute late at most; None of a bucket."""

    visible: int
    in_flight: int = 0
    delayed: int = 0

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


class Store(ABC):
    """Keeps the letters of one end; `name` is its logical id."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def counts(self) -> Counts | None:
        """Return what the service counts; None where it counts nothing."""

    @abstractmethod
    def retention_seconds(self) -> int | None:
        """Return for how long a letter is kept; None for as long as nobody deletes it."""

    @abstractmethod
    def reading(self, held_seconds: float = HELD_SECONDS, most: int = MOST_RECEIVED) -> "Reading":
        """Return the letters, a few at a time, each once; use it in a `with`."""


class Reading(ABC):
    """Letters that are read: each is given once, then deleted or held."""

    seen = 0
    """How many messages or objects were read so far."""

    copies = 0
    """How many of them are copies of others, and no letters of their own."""

    @abstractmethod
    def __iter__(self) -> Iterator[list[Letter]]: ...

    @abstractmethod
    def delete_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        """Delete letters; return why some are not, by their ids."""

    def delete(self, letter: Letter) -> None:
        """Delete a letter, with its copies; raises UserError."""
        for reason in self.delete_all([letter]).values():
            raise UserError(f"{letter.end}: letter {letter.id} cannot be deleted: {reason}")

    @abstractmethod
    def hold(self, letter: Letter) -> None:
        """Leave a letter where it is, and give it no more in this reading."""

    def skip(self, letter: Letter) -> None:
        """Hold a letter that is not asked for; a copy of it may be, such as an older one."""
        self.hold(letter)

    @abstractmethod
    def close(self) -> None:
        """Show what is held to others again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Queue(Store):
    """A queue whose messages are letters."""

    def __init__(self, name: str, url: str, clients: Clients) -> None:
        super().__init__(name)
        self.url = url
        self.has_records = False
        """Whether a letter that says by its attributes which message it is about is one of ours."""
        self._clients = clients
        self._attributes: dict[str, str] = {}

    @property
    def sqs(self) -> Any:
        return self._clients("sqs")

    @property
    def arn(self) -> str:
        return self._attribute("QueueArn")

    def counts(self) -> Counts:
        found = self._read()
        numbers = ("", "NotVisible", "Delayed")
        return Counts(*(int(found[f"ApproximateNumberOfMessages{each}"]) for each in numbers))

    def retention_seconds(self) -> int:
        return int(self._attribute("MessageRetentionPeriod"))

    @property
    def is_fifo(self) -> bool:
        return self.url.endswith(".fifo")

    @property
    def redrive_policy(self) -> str:
        """The queue's own: a dead-letter queue may have one, too."""
        return self._attribute("RedrivePolicy")

    @property
    def most_receives(self) -> int:
        """After so many SQS moves a message away; 0 for never."""
        return int(json.loads(self.redrive_policy or "{}").get("maxReceiveCount", 0))

    @property
    def most_bytes(self) -> int:
        """The size of a message at most, with its attributes."""
        return int(self._attribute("MaximumMessageSize"))

    @property
    def visibility_seconds(self) -> int:
        """For how long nobody else receives what a consumer has received."""
        return int(self._attribute("VisibilityTimeout"))

    @property
    def key(self) -> str:
        """The key of KMS that encrypts it, "" for SQS's own."""
        return self._attribute("KmsMasterKeyId")

    def reading(
        self, held_seconds: float = HELD_SECONDS, most: int = MOST_RECEIVED
    ) -> "QueueReading":
        return QueueReading(self, held_seconds, most)

    def letter(self, received: Any) -> Letter:
        """Return a message as a letter."""
        system = received["Attributes"]
        letter = Letter(
            id=received["MessageId"],
            message_id=received["MessageId"],
            end=self.name,
            sent_at=at(int(system["SentTimestamp"])),
            body=received["Body"],
            received=int(system["ApproximateReceiveCount"]),
            handle=received["ReceiptHandle"],
            attributes=received.get("MessageAttributes", {}),
            system=system,
        )
        about = source_id(letter) if self.has_records else ""
        return replace(letter, id=about) if about else letter

    def _attribute(self, name: str) -> str:
        return (self._attributes or self._read()).get(name, "")

    def _read(self) -> dict[str, str]:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        self._attributes = found["Attributes"]
        return self._attributes


class QueueReading(Reading):
    """What is in a queue. What is received is held until it is deleted, or the reading ends."""

    def __init__(self, queue: Queue, held_seconds: float, most: int) -> None:
        self._queue, self._most = queue, most
        self._asked = min(int(seconds(held_seconds)), LONGEST_SECONDS)
        self._holds = self._asked / seconds(1)
        self._ledger = Ledger()
        # What is received ahead of a letter that takes minutes would be held for as long.
        self._ahead = AHEAD if most > 1 else 1
        self._receivers = ThreadPoolExecutor(max(self._ahead, SHOWN_AT_A_TIME))
        self._is_over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def __iter__(self) -> Iterator[list[Letter]]:
        ahead = deque(self._receivers.submit(self.receive) for _ in range(self._ahead))
        while ahead:
            with interrupts.allowed():
                received = ahead.popleft().result()
            if received:
                ahead.append(self._receivers.submit(self.receive))
            yield from self.given(received)

    def receive(self) -> list[Letter]:
        """Return messages that have not been received before, each held from now on; [] at the end.

        It may be called in several threads.
        """
        for _ in range(MOST_KNOWN):
            received = self._receive()
            # SQS may deliver a message once more, and what is held for too short a time as well.
            until = time.monotonic() + self._holds
            new = []
            for each in received:
                if self._ledger.receive(each.message_id, each.id, each.handle, until):
                    new.append(each)
                else:
                    self._follow(each)
            if new or not received:
                self.seen = self._ledger.messages
                self.copies = self.seen - self._ledger.letters
                return new
        return []

    def given(self, new: list[Letter]) -> Iterator[list[Letter]]:
        """Yield the letters of what was received, each once; copies do what they do."""
        while new:
            # What becomes of a copy depends on its letter, so it comes after it.
            firsts = {each.id: each.message_id for each in reversed(new)}
            letters = [each for each in new if firsts[each.id] == each.message_id]
            new = [each for each in new if firsts[each.id] != each.message_id]
            given = []
            for each in letters:
                if self._ledger.give(each.id):
                    given.append(each)
                else:
                    self._follow(each)
            if given:
                yield given

    def delete_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        left = {}
        for start in range(0, len(letters), MOST_RECEIVED):
            some = letters[start : start + MOST_RECEIVED]
            refused = self._delete([each.handle for each in some])
            for number, letter in enumerate(some):
                if number in refused:
                    left[letter.id] = refused[number]
                else:
                    self._ledger.delete(letter.message_id, letter.id)
        return left

    def hold(self, letter: Letter) -> None:
        """It is held since it was received."""

    def skip(self, letter: Letter) -> None:
        self._ledger.take_back(letter.id)

    def close(self) -> None:
        self._is_over.set()
        self._keeper.join()
        self._receivers.shutdown()
        with ThreadPoolExecutor(SHOWN_AT_A_TIME) as pool:
            for of_deleted, do in ((True, self._delete_copies), (False, self._show)):
                for handles in self._ledger.handles(SHOWN_AT_ONCE, of_deleted=of_deleted):
                    tens = range(0, len(handles), MOST_RECEIVED)
                    list(pool.map(do, [handles[start : start + MOST_RECEIVED] for start in tens]))
        self._ledger.close()

    def _follow(self, letter: Letter) -> None:
        """Do with a message what was done with its letter."""
        if self._ledger.is_deleted(letter.id):
            self.delete_all([letter])

    def _receive(self) -> list[Letter]:
        from botocore.exceptions import ClientError

        try:
            answer = self._queue.sqs.receive_message(
                QueueUrl=self._queue.url,
                MaxNumberOfMessages=self._most,
                VisibilityTimeout=self._asked,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        except ClientError as error:
            if "OverLimit" not in code_of(error):
                raise
            return []  # so many are in flight that the rest stays unseen, which is counted
        return [self._queue.letter(each) for each in answer.get("Messages", [])]

    def _delete(self, handles: Sequence[str]) -> dict[int, str]:
        """Delete messages; return why some are not, by their place."""

        def request(some: Sequence[str]) -> dict[int, Refusal]:
            entries = [{"Id": str(n), "ReceiptHandle": each} for n, each in enumerate(some)]
            answer = self._queue.sqs.delete_message_batch(QueueUrl=self._queue.url, Entries=entries)
            return {
                number: refusal
                for number, refusal in refusals(answer).items()
                # If its time is over, a FIFO queue shows it again, and the next redrive deletes it.
                if "expired" not in refusal.reason
            }

        return put(handles, request)

    def _delete_copies(self, handles: list[str]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        # The rest is to be shown again in any case.
        with suppress(BotoCoreError, ClientError):
            self._delete(handles)

    def _keep(self) -> None:
        """Hold longer what is held, from half of its time on, until the reading ends."""
        while not self._is_over.wait(self._holds / 8):
            due = time.monotonic() + self._holds / 2
            while not self._is_over.is_set() and (held := self._ledger.due(due, MOST_RECEIVED)):
                until = time.monotonic() + self._holds
                self._change([each.handle for each in held], self._asked)
                self._ledger.hold(held, until)

    def _show(self, handles: list[str]) -> None:
        self._change(handles, 0)

    def _change(self, handles: Sequence[str], visibility: int) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": visibility}
            for number, handle in enumerate(handles)
        ]
        # A message whose time is over is visible already.
        with suppress(BotoCoreError, ClientError):
            self._queue.sqs.change_message_visibility_batch(
                QueueUrl=self._queue.url, Entries=entries
            )


class Bucket(Store):
    """A bucket with an object for each letter, under any of some prefixes."""

    def __init__(self, name: str, bucket: str, prefixes: tuple[str, ...], clients: Clients) -> None:
        super().__init__(name)
        self.bucket, self.prefixes = bucket, prefixes
        self._clients = clients

    @property
    def s3(self) -> Any:
        return self._clients("s3")

    def counts(self) -> None:
        """S3 counts objects once a day only."""

    def retention_seconds(self) -> None:
        """A lifecycle rule may say so; whether it applies to an object is S3's to decide."""

    def reading(
        self,
        held_seconds: float = HELD_SECONDS,  # noqa: ARG002 (nobody else takes an object)
        most: int = MOST_RECEIVED,  # noqa: ARG002 (an object may be large)
    ) -> "BucketReading":
        return BucketReading(self)

    def content(self, key: str) -> str:
        """Return the text of an object, which may be compressed."""
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode(errors="replace")


class BucketReading(Reading):
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __iter__(self) -> Iterator[list[Letter]]:
        yield from ([letter] for letter in self._letters())

    def delete_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        for letter in letters:
            self._bucket.s3.delete_object(Bucket=self._bucket.bucket, Key=letter.id)
        return {}

    def hold(self, letter: Letter) -> None:
        """An object is listed once."""

    def close(self) -> None:
        """Nobody else takes an object."""

    def _letters(self) -> Iterator[Letter]:
        paginator = self._bucket.s3.get_paginator("list_objects_v2")
        for prefix in self._bucket.prefixes:
            for page in paginator.paginate(Bucket=self._bucket.bucket, Prefix=prefix):
                for each in page.get("Contents", []):
                    with interrupts.allowed():
                        body = self._bucket.content(each["Key"])
                    self.seen += 1
                    key = each["Key"]
                    yield Letter(key, self._bucket.name, each["LastModified"], body, object_key=key)


class NoticedBucket(Queue):
    """A bucket whose objects a queue tells of, one message each; the object stays."""

    def __init__(self, queue: Queue, bucket: Bucket, clients: Clients) -> None:
        super().__init__(queue.name, queue.url, clients)
        self.bucket_of_objects = bucket

    def letter(self, received: Any) -> Letter:
        letter = super().letter(received)
        try:
            key = _noticed(letter.content)
        except UNREADABLE:
            return letter  # such as the test message of S3
        try:
            content = self.bucket_of_objects.content(key)
            return replace(letter, body=content, attributes={}, object_key=key)
        except self.bucket_of_objects.s3.exceptions.NoSuchKey:
            return replace(letter, problem=f"the object {key} is gone")


def _noticed(told: Any) -> str:
    """Return the key that an event of EventBridge or S3's own notification names."""
    if "detail" in told:
        return str(told["detail"]["object"]["key"])
    return unquote_plus(told["Records"][0]["s3"]["object"]["key"])


def unwrapped(letter: Letter) -> Letter:
    """Return a letter that came by way of a topic without SNS's envelope."""
    told = envelope(letter)
    return replace(letter, body=str(told["Message"])) if told else letter


def envelope(letter: Letter) -> dict[str, Any]:
    """Return SNS's envelope of a letter; {} for what has none."""
    told = decoded(letter.body)
    return told if isinstance(told, dict) and "TopicArn" in told and "Message" in told else {}
