"""The head of a blocked message group, moved to the dead-letter queue by somebody's decision."""

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Self

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import Clients, explained, reason
from sls_patterns_cli.letters.deployed import Deployed, resource_of
from sls_patterns_cli.letters.letter import Letter
from sls_patterns_cli.letters.record import recorded
from sls_patterns_cli.letters.stores import Queue, seconds
from sls_patterns_cli.letters.targets import name_of, queue_url, send_to_queue
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring.model import QUEUE

TAKEN_SECONDS = 60
"""For how long nobody else receives what this takes, also if it is killed."""

LONGEST_VISIBILITY_SECONDS = 43_200
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html"""

LONGEST_RECEIVE_SECONDS = 10
"""As often somebody who waits is told of it."""

MORE_THAN_VISIBILITY_SECONDS = 60
"""By default the wait is as long as what a consumer has received stays invisible, and this."""


@dataclass(frozen=True)
class Wish:
    """Which message is meant; `wait` is in seconds, None for the usual time."""

    group: str
    id: str = ""
    """Only if it is this one."""
    wait: float | None = None


@dataclass
class SetAside:
    """What became of it; `problem` says why the message is still in its queue."""

    queue: Queue
    dead_letters: Queue
    wish: Wish
    who: str
    message: Letter | None = None
    problem: str = ""
    unrecorded: list[str] = field(default_factory=list)
    """The names of attributes for which the letter has no place."""
    others: int = 0
    """How many messages of other groups were received, each twice at most."""
    spent: int = 0
    """How many of them have no receive left."""

    @property
    def name(self) -> str:
        return f"{self.queue.name}, group {self.wish.group}"


def fifo_queue(deployed: Deployed, clients: Clients, given: str) -> tuple[Queue, Queue]:
    """Return the FIFO queue that somebody names, and its end; raises UserError."""
    name = resource_of(deployed, "queue", QUEUE, given)
    queue = Queue(name, deployed.ids[name], clients)
    if not queue.is_fifo:
        raise UserError(f"{queue.name} is a standard queue: it has no groups that can be blocked.")
    with explained(queue.name):
        end = end_of(queue, deployed, clients)
    if end is None:
        raise UserError(f"{queue.name} has no dead-letter queue.")
    return queue, end


def end_of(queue: Queue, deployed: Deployed, clients: Clients) -> Queue | None:
    """Return the dead-letter queue that a queue has now."""
    arn = json.loads(queue.redrive_policy or "{}").get("deadLetterTargetArn")
    if not arn:
        return None
    names = (name for name, id_ in deployed.ids.items() if name_of(id_) == name_of(arn))
    return Queue(next(names, name_of(arn)), queue_url(clients, arn), clients)


def wait_of(wish: Wish, queue: Queue) -> float:
    """Return for how many seconds the head of a group is waited for."""
    if wish.wait is not None:
        return wish.wait
    return queue.visibility_seconds + MORE_THAN_VISIBILITY_SECONDS


class Setting:
    """One attempt; use it in a `with`, at whose end all that is not set aside is shown again."""

    def __init__(self, done: SetAside, clients: Clients, said: Callable[[str], None]) -> None:
        self._done, self._clients, self._said = done, clients, said
        self._queue, self._wish = done.queue, done.wish
        self._held: dict[str, str] = {}
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self._held.values():
            self._show(handle)

    def run(self) -> None:
        """Wait for the head of the group, and set it aside; raises UserError."""
        with explained(self._queue.name):
            wait = wait_of(self._wish, self._queue)
            head = self._head(wait)
        if head is None:
            self._done.problem = f"nothing was visible within {wait:g} s, and nothing is set aside"
            return
        self._held[head.id] = head.handle
        self._done.problem = self._objection(head)
        if not self._done.problem:
            self._move(head)

    def _head(self, wait: float) -> Letter | None:
        """Receive one message after the other: the first of the group is its head."""
        deadline = time.monotonic() + wait
        left = wait
        while True:
            found = self._receive(left)
            left = max(0.0, deadline - time.monotonic())
            if found and found.group == self._wish.group:
                return found
            if found:
                self._give_back(found, left)
            else:
                self._said(f"{self._done.name}: nothing is visible yet; {left:.0f} s are left")
            if not left:
                return None

    def _receive(self, left: float) -> Letter | None:
        with interrupts.allowed():
            answer = self._queue.sqs.receive_message(
                QueueUrl=self._queue.url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=_visibility(TAKEN_SECONDS),
                WaitTimeSeconds=min(math.ceil(left), LONGEST_RECEIVE_SECONDS),
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        found = answer.get("Messages", [])
        return self._queue.letter(found[0]) if found else None

    def _give_back(self, letter: Letter, left: float) -> None:
        """Show a message of another group again: at once, but at the end if it comes once more.

        SQS would show it again and again, and nothing of what is behind it.
        """
        if letter.id not in self._seen:
            self._seen.add(letter.id)
            self._done.others += 1
            self._show(letter.handle)
        else:
            self._held[letter.id] = letter.handle
            self._hide(letter.handle, left + TAKEN_SECONDS)
        self._done.spent += letter.received == self._queue.most_receives

    def _objection(self, head: Letter) -> str:
        """Say why the head may not be what is meant, "" if it is."""
        if self._wish.id:
            is_meant = head.id == self._wish.id
            return "" if is_meant else f"its head is {head.id}, and nothing is set aside"
        if head.received > 1:
            return ""
        return f"nobody has tried its head, and nothing is set aside; --id {head.id} does it"

    def _move(self, head: Letter) -> None:
        """Send first, then delete: the deduplication id lets a second attempt send nothing."""
        from botocore.exceptions import BotoCoreError, ClientError

        done, end = self._done, self._done.dead_letters
        with explained(end.name):
            attributes, done.unrecorded = recorded(head, done.who, end.most_bytes)
            letter = replace(head, attributes=attributes)
            send_to_queue(self._clients, end.url, letter, with_attributes=True)
        try:
            self._queue.sqs.delete_message(QueueUrl=self._queue.url, ReceiptHandle=head.handle)
        except (BotoCoreError, ClientError) as error:
            done.problem = (
                f"{head.id} is in {end.name}, and still in {self._queue.name} ({reason(error)}); "
                "set it aside again within 5 minutes, and SQS keeps one letter"
            )
            return
        del self._held[head.id]
        done.message = head

    def _show(self, handle: str) -> None:
        self._hide(handle, 0)

    def _hide(self, handle: str, wanted: float) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        # A message whose time is over is visible already.
        with suppress(BotoCoreError, ClientError):
            self._queue.sqs.change_message_visibility(
                QueueUrl=self._queue.url,
                ReceiptHandle=handle,
                VisibilityTimeout=_visibility(wanted),
            )


def _visibility(wanted: float) -> int:
    return min(int(seconds(wanted)), LONGEST_VISIBILITY_SECONDS)
