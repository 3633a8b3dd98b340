"""The messages of a queue, each found at once by its receipt handle, age or turn.

It stands where the emulator has a list, and does what the emulator does with one. A message tells
when it is hidden or shown, by whichever code that happens.
"""

import heapq
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

Plain = dict[str, Any]


class Message(dict[str, Any]):
    """A message of a queue, in the emulator's form."""

    __slots__ = ("in_flight", "is_hidden", "number", "queue")

    def __init__(self, message: Plain, number: int, queue: "Messages") -> None:
        super().__init__(message)
        self.number, self.queue = number, queue
        self.is_hidden = self.in_flight = False

    def __setitem__(self, key: str, value: Any) -> None:
        before = self.get(key)
        super().__setitem__(key, value)
        if key == "visible_at":
            self.queue.hide(self)
        elif key == "receipt_handle":
            self.queue.name(self, before)


class Messages:
    """The messages of one queue, in the order in which they came."""

    def __init__(self, messages: Iterable[Plain], *, is_fifo: bool) -> None:
        self._is_fifo = is_fifo
        self._number = 0
        self._messages: dict[int, Message] = {}
        self._by_handle: dict[str, Message] = {}
        self._ages: list[tuple[float, int]] = []
        self._hidden: list[tuple[float, int]] = []
        self._turns: dict[str, list[int]] = {}
        """Of each message group the visible messages; a standard queue is one group."""
        self._heads: list[tuple[int, str]] = []
        """The first of each group of which none is in flight; and some that it was before."""
        self._head: dict[str, int] = {}
        self._flying = Counter[str]()
        self._returned: dict[int, Message] = {}
        """What has been received and is visible again."""
        for message in messages:
            self.append(message)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter([*self._messages.values()])

    def __getitem__(self, index: int) -> Message:
        if index == -1:
            return next(reversed(self._messages.values()))
        return [*self._messages.values()][index]

    def __contains__(self, message: object) -> bool:
        return isinstance(message, Message) and message.number in self._messages

    def append(self, plain: Plain) -> None:
        self._number += 1
        message = self._messages[self._number] = Message(plain, self._number, self)
        sent = message.get("enqueued_at", message.get("sent_at", time.time()))
        heapq.heappush(self._ages, (sent, message.number))
        if handle := message.get("receipt_handle"):
            self._by_handle[handle] = message
        self.hide(message)

    def remove(self, message: Message) -> None:
        del self._messages[message.number]
        self._by_handle.pop(message.get("receipt_handle") or "", None)
        self._returned.pop(message.number, None)
        if message.in_flight:
            self._land(message)

    def clear(self) -> None:
        for message in self:
            self.remove(message)

    def with_handle(self, handle: str | None) -> Message | None:
        """Return the message whose newest receipt handle this is."""
        return self._by_handle.get(handle or "")

    def older_than(self, moment: float) -> Iterator[Message]:
        """Yield what came before, or at, a moment; each is to be removed."""
        while self._ages and self._ages[0][0] <= moment:
            _, number = heapq.heappop(self._ages)
            if message := self._messages.get(number):
                yield message

    def returned(self) -> list[Message]:
        """Return what has been received and is visible again, in its order."""
        self._settle(time.time())
        return [self._returned[number] for number in sorted(self._returned)]

    def take(self, most: int, now: float) -> list[Message]:
        """Return the next messages, which the caller hides before anybody takes more.

        Of a FIFO queue none of a group of which some are in flight, and each group in its order.
        """
        self._settle(now)
        taken: list[Message] = []
        while self._heads and len(taken) < most:
            number, group = heapq.heappop(self._heads)
            if self._head.get(group) != number:
                continue
            del self._head[group]
            if self._is_fifo and self._flying[group]:
                continue  # it is a head again as soon as they are visible or deleted
            first = self._first(group)
            if first is not None and first.number == number:
                heapq.heappop(self._turns[group])
                first.is_hidden = True
                taken.append(first)
            self._lead(group)
        return taken

    def hide(self, message: Message) -> None:
        """Note until when a message is hidden, as it says itself."""
        if message.number not in self._messages:
            return  # it was deleted meanwhile
        now = time.time()
        until = message.get("visible_at", now)
        if until <= now:
            self._show(message)
            return
        self._returned.pop(message.number, None)
        heapq.heappush(self._hidden, (until, message.number))
        message.is_hidden = True
        if message.get("receive_count") and not message.in_flight:
            message.in_flight = True
            self._flying[self._group(message)] += 1

    def name(self, message: Message, before: str | None) -> None:
        """Note a message's receipt handle, which takes the place of another."""
        self._by_handle.pop(before or "", None)
        if message["receipt_handle"] and message.number in self._messages:
            self._by_handle[message["receipt_handle"]] = message

    def _group(self, message: Message) -> str:
        return str(message.get("group_id") or "") if self._is_fifo else ""

    def _show(self, message: Message) -> None:
        message.is_hidden = False
        group = self._group(message)
        heapq.heappush(self._turns.setdefault(group, []), message.number)
        if message.get("receive_count"):
            self._returned[message.number] = message
        if message.in_flight:
            self._land(message)
        self._lead(group)

    def _land(self, message: Message) -> None:
        """Note that a message is not in flight any more: its group goes on with its first."""
        message.in_flight = False
        group = self._group(message)
        self._flying[group] -= 1
        if not self._flying[group]:
            del self._flying[group]
            self._lead(group)

    def _lead(self, group: str) -> None:
        """Make the first visible message of a group its head."""
        first = self._first(group)
        if first is not None and self._head.get(group, math.inf) > first.number:
            self._head[group] = first.number
            heapq.heappush(self._heads, (first.number, group))

    def _first(self, group: str) -> Message | None:
        """Return the first visible message of a group."""
        turns = self._turns.get(group, [])
        while turns:
            message = self._messages.get(turns[0])
            if message is not None and not message.is_hidden:
                return message
            heapq.heappop(turns)
        self._turns.pop(group, None)
        return None

    def _settle(self, now: float) -> None:
        """Show what was hidden until now."""
        while self._hidden and self._hidden[0][0] <= now:
            until, number = heapq.heappop(self._hidden)
            message = self._messages.get(number)
            if message is not None and message.is_hidden and message["visible_at"] == until:
                self._show(message)


def messages_of(queue: Plain) -> Messages:
    """Return the messages of a queue of the emulator, which may have them in a list so far."""
    found = queue["messages"]
    if not isinstance(found, Messages):
        found = queue["messages"] = Messages(found, is_fifo=queue["is_fifo"])
    return found
