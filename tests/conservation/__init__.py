"""Conservation: what is sent to a service is done once, or in a dead-letter queue; by id.

A seeded schedule of good, duplicate, slow and poison messages is sent to a service on the local
stack. Meanwhile its functions are killed and its datastore is down for part of the time. Then each
message must be in the one place where it should end, and nowhere else.

`PYTHONPATH=tests python -m conservation` runs all at full size, and says what became of them.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursts import deployed

from conservation import aurora, dynamodb
from conservation.datastore import Datastore
from conservation.disturbance import Strikes, Traffic, disturbed
from conservation.patterns import Defect, Service
from conservation.schedule import IDS, Message, schedule
from conservation.stack import Stack

FULL_SIZE = 2000

WAITING_AT_MOST = 60
"""So many messages the service is given at a time; it gets the next one when one is done."""

LOOKS_EVERY_SECONDS, LOOKS_FOR_LETTERS_EVERY_SECONDS = 0.02, 0.5

PATIENCE_SECONDS, PATIENCE_WITH_A_DEFECT_SECONDS = 60, 10
"""How long nothing may go forward before it is taken for the end; a defect always leads there."""

DATASTORES = {"dynamodb": dynamodb.disturbable, "aurora-postgresql": aurora.disturbable}

End = tuple[str, str]
"""A datastore's node or a queue, and the id of a message that is there."""


@dataclass(frozen=True)
class Outcome:
    """What became of the messages."""

    messages: int
    due: set[End]
    found: set[End]
    repeated: set[str]
    """The ids of those that were done more than once."""
    disordered: list[str]
    """The groups whose messages were not done in the order in which they were sent."""
    kills: int
    outages: int
    seconds: float

    @property
    def lost(self) -> set[str]:
        """The ids of those that are missing where they should be, and in every other place."""
        return _ids(self.due - self.found) - _ids(self.found)

    @property
    def given_up(self) -> set[str]:
        """The ids of those that are in a queue, and should not be."""
        return {message for place, message in self.found - self.due if _is_queue(place)}

    @property
    def is_conserved(self) -> bool:
        return self.found == self.due and not self.repeated and not self.disordered

    def __str__(self) -> str:
        done = sum(not _is_queue(place) for place, _ in self.found)
        places: dict[str, set[str]] = defaultdict(set)
        for place, message in self.found ^ self.due:
            places[place].add(message)
        wrong = "".join(
            f"\n  {place}: "
            f"{_few({each for each in ids if (place, each) in self.due}, 'missing')}"
            f"{_few({each for each in ids if (place, each) in self.found}, 'in the wrong place')}"
            for place, ids in sorted(places.items())
        )
        return (
            f"{self.messages} messages in {self.seconds:.1f} s: {self.kills} environments "
            f"killed, {self.outages} outages; {done} done, {len(self.found) - done} dead letters, "
            f"{len(self.lost)} lost, {len(self.given_up)} given up, {len(self.repeated)} done "
            f"twice, {len(self.disordered)} groups out of order{wrong}"
        )


def _is_queue(place: str) -> bool:
    return place.endswith("Queue")


def _ids(ends: Iterable[End]) -> set[str]:
    return {message for _, message in ends}


def _few(ids: set[str], what: str) -> str:
    return f"{len(ids)} {what}: {', '.join(sorted(ids)[:5])} " if ids else ""


def conserve(
    folder: Path,
    service: Service,
    count: int,
    *,
    runtime: str,
    defect: Defect | None = None,
) -> Outcome:
    """Send so many messages to a service, disturb it until they have ended, and reckon."""
    answers = {name: getattr(service, name) for name in ("pattern", "topology", "datastore")}
    change = defect.apply if defect else None
    with deployed(folder, change=change, runtime=runtime, **answers) as made:
        stack = Stack(made.emulator, made.outputs)
        with DATASTORES[service.datastore](stack, service.source.slow_seconds) as datastore:
            run = _Run(stack, service, datastore)
            run.patience_seconds = PATIENCE_WITH_A_DEFECT_SECONDS if defect else PATIENCE_SECONDS
            at_most, since = service.source.strikes, time.monotonic()
            with disturbed(stack.emulator, datastore, run.traffic, at_most) as strikes:
                run.send_all(schedule(count))
                run.wait()
            return run.reckon(strikes, time.monotonic() - since)


class _Run:
    """Messages on their way: sends them, and follows them to where they end."""

    patience_seconds: float = PATIENCE_SECONDS

    def __init__(self, stack: Stack, service: Service, datastore: Datastore) -> None:
        self.traffic = Traffic(datastore)
        self._stack, self._service, self._datastore = stack, service, datastore
        self._sent: list[Message] = []
        self._due: set[End] = set()
        self._dead = {
            queue for queue in stack.queues if "DeadLetter" in queue or queue in service.keeps
        }
        self._sources = stack.queues.keys() - self._dead
        self._letters: set[End] = set()
        self._looked_at = self._moved_at = time.monotonic()
        self._progress: tuple[int, ...] = ()

    def send_all(self, messages: list[Message]) -> None:
        """Send one message after the other, as fast as the service does them."""
        with ThreadPoolExecutor(self._service.senders) as senders:
            sending = []
            for message in messages:
                while len(self.traffic.waiting_since()) >= WAITING_AT_MOST:
                    if self._is_over():
                        return
                    time.sleep(LOOKS_EVERY_SECONDS)
                self._sent.append(message)
                ends = {(place, message.id) for place in self._service.ends(message)}
                self._due |= ends
                self.traffic.sending({end for end in ends if not _is_queue(end[0])})
                sending.append(senders.submit(self._service.send, self._stack, message))
        for each in sending:
            each.result()

    def wait(self) -> None:
        while not (self._is_complete() or self._is_over()):
            time.sleep(LOOKS_EVERY_SECONDS)

    def reckon(self, strikes: Strikes, seconds: float) -> Outcome:
        self._take_letters()
        twice = {message for (_, message), times in self._datastore.written().items() if times > 1}
        disordered = []
        if self._service.in_order:
            (ledger,) = self._stack.tables
            disordered = _disordered(self._sent, self._stack.items(ledger))
        return Outcome(
            len(self._sent),
            self._due,
            self._datastore.stored() | self._letters,
            twice,
            disordered,
            strikes.kills,
            strikes.outages,
            seconds,
        )

    def _is_complete(self) -> bool:
        """Whether each message is where it should be, and none is on its way any more."""
        return (
            not self.traffic.waiting_since()
            and self._due <= self._datastore.written().keys() | self._look_for_letters()
            and all(map(self._stack.is_empty, self._sources))
        )

    def _is_over(self) -> bool:
        """Whether a message is where it should not be, or nothing goes forward any more."""
        now, letters = time.monotonic(), self._look_for_letters()
        progress = (len(self._datastore.answered()), len(letters))
        if progress != self._progress:
            self._progress, self._moved_at = progress, now
        return not letters <= self._due or now - self._moved_at > self.patience_seconds

    def _look_for_letters(self) -> set[End]:
        if time.monotonic() - self._looked_at >= LOOKS_FOR_LETTERS_EVERY_SECONDS:
            self._take_letters()
        return self._letters

    def _take_letters(self) -> None:
        for place in self._dead:
            bodies = self._stack.take(place)
            self._letters |= {(place, each) for body in bodies for each in IDS.findall(body)}
        self._looked_at = time.monotonic()


def _disordered(messages: list[Message], items: list[dict[str, Any]]) -> list[str]:
    """Return the accounts whose entries are not numbered in the order in which they were sent."""
    sent: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        if message.copy == 1 and not message.is_poison:
            sent[message.group].append(message.id)
    posted: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for item in items:
        if "position" in item:
            (message_id,) = IDS.findall(item["id"]["S"])
            posted[item["account"]["S"]].append((int(item["position"]["N"]), message_id))
    return [
        account
        for account, ids in sent.items()
        if sorted(posted[account]) != list(enumerate(ids, start=1))
    ]
