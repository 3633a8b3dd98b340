"""The messages on their way: they are sent, and followed to where they end."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from conservation.datastore import Datastore, Item
from conservation.patterns import Service
from conservation.schedule import IDS, Message
from conservation.stack import Stack

LOOKS_EVERY_SECONDS, LOOKS_FOR_LETTERS_EVERY_SECONDS = 0.02, 0.5

End = tuple[str, str]
"""A datastore's node or a queue, and the id of a message that is there."""


class Traffic:
    def __init__(
        self, stack: Stack, service: Service, datastore: Datastore, patience_seconds: float
    ) -> None:
        """`patience_seconds` is for how long nothing may go forward before it counts as ended."""
        self._stack, self._service, self._datastore = stack, service, datastore
        self._patience_seconds = patience_seconds
        self.sent: list[Message] = []
        self.due: set[End] = set()
        """Where the messages that were sent should end."""
        self.letters: set[End] = set()
        """Those that have been taken from dead-letter queues and others that nobody consumes."""
        self._kept = {
            queue for queue in stack.queues if "DeadLetter" in queue or queue in service.keeps
        }
        self._sources = stack.queues.keys() - self._kept
        self._expected = Counter[Item]()
        self._lock, self._held = threading.Lock(), threading.Event()
        self.began_at = self._looked_at = self._moved_at = time.monotonic()
        self._progress: tuple[int, int] = 0, 0

    def send_all(self, messages: list[Message]) -> None:
        """Send one message after the other, as fast as the service does them."""
        with ThreadPoolExecutor(self._service.senders) as senders:
            sending = []
            for message in messages:
                while self._held.is_set() or self._waiting() >= self._service.source.at_a_time:
                    if self.is_over():
                        return
                    time.sleep(LOOKS_EVERY_SECONDS)
                self._note(message)
                sending.append(senders.submit(self._service.send, self._stack, message))
        for each in sending:
            each.result()

    def wait(self) -> None:
        """Return when all have ended, or nothing goes forward any more."""
        while not (self._is_complete() or self.is_over()):
            time.sleep(LOOKS_EVERY_SECONDS)
        self._take_letters()

    @property
    def is_astray(self) -> bool:
        """Whether a queue keeps a message that should not be there."""
        return not self.letters <= self.due

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing be sent in the block."""
        self._held.set()
        try:
            yield
        finally:
            self._held.clear()

    def is_quiet(self) -> bool:
        """Whether nothing is on its way but poison, which may be tried as often as you like."""
        poison = sum(end not in self.letters for end in self.due.copy() if _is_poison(end))
        return not self._waiting() and self._queued() <= poison

    def _note(self, message: Message) -> None:
        """Take note of a message that is sent now."""
        ends = {(place, message.id) for place in self._service.ends(message)}
        with self._lock:
            self.sent.append(message)
            self.due |= ends
            self._expected.update(end for end in ends if end[0] not in self._stack.queues)

    def _waiting(self) -> int:
        """Count what is not stored yet, the copies of a message by themselves."""
        answered = self._datastore.answered()
        with self._lock:
            return (self._expected - answered).total()

    def _queued(self) -> int:
        return sum(map(self._stack.message_count, self._sources))

    def _is_complete(self) -> bool:
        """Whether each message is where it should be, and none is on its way any more."""
        return (
            not self._waiting()
            and self.due <= self._datastore.written().keys() | self._look_for_letters()
            and not self._queued()
        )

    def is_over(self) -> bool:
        """Whether a message is where it should not be, or nothing goes forward any more."""
        now = time.monotonic()
        progress = len(self._datastore.answered()), len(self._look_for_letters())
        if progress != self._progress:
            self._progress, self._moved_at = progress, now
        return self.is_astray or now - self._moved_at > self._patience_seconds

    def _look_for_letters(self) -> set[End]:
        if time.monotonic() - self._looked_at >= LOOKS_FOR_LETTERS_EVERY_SECONDS:
            self._take_letters()
        return self.letters

    def _take_letters(self) -> None:
        for place in self._kept:
            bodies = self._stack.take(place)
            self.letters |= {(place, each) for body in bodies for each in IDS.findall(body)}
        self._looked_at = time.monotonic()


def _is_poison(end: End) -> bool:
    return end[1].startswith("poison")
