"""Conservation: what is sent to a service is done once, or in a dead-letter queue; by id.

A seeded schedule of good, duplicate, slow and poison messages is sent to a service on the local
stack. Meanwhile its functions are killed and its datastore is down for part of the time. Then each
message must be in the one place where it should end, and nowhere else.

`PYTHONPATH=tests python -m conservation` runs all at full size, and says what became of them.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursts import deployed

from conservation import (
    aurora,
    copy_of_table,
    dynamodb,
    lake,
    objects,
    orders,
    outbox,
    subscribers,
    third_party,
)
from conservation.datastore import Datastore
from conservation.disturbance import Strikes, disturbed
from conservation.patterns import Defect, Service
from conservation.schedule import IDS, Message, schedule
from conservation.stack import Stack
from conservation.traffic import End, Traffic

FULL_SIZE = 2000

PATIENCE_SECONDS, PATIENCE_WITH_A_DEFECT_SECONDS = 60, 5
"""How long nothing may go forward before it is taken for the end; a defect always leads there."""

DATASTORES = {
    "dynamodb": dynamodb.disturbable,
    "aurora-postgresql": aurora.disturbable,
    "iceberg": lake.disturbable,
}

# By topologies: what is done is not in the datastore alone.
BEYOND = {
    "streams": copy_of_table.disturbable,
    "outbox": outbox.disturbable,
    "s3-object": objects.disturbable,
    "s3-topic": subscribers.disturbable,
    "logs-topic": subscribers.disturbable,
    "third-party": third_party.disturbable,
    "durable": orders.disturbable,
}


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
    strikes: Strikes
    seconds: float
    is_stopped: bool
    """Whether the run has ended because a message was given up, with others still on their way."""
    is_endless: bool = False
    """Whether messages were tried again and again in an outage, without an end."""
    crowd: int = 0
    """How many more were processed at the same time than the service says."""

    @property
    def lost(self) -> set[str]:
        """The ids of those that are missing where they should be, and in no wrong place instead."""
        if self.is_stopped:
            return set()
        return _ids(self.due - self.found) - _ids(self.found - self.due)

    @property
    def given_up(self) -> set[str]:
        """The ids of those that are in a queue, and should not be."""
        return {message for place, message in self.found - self.due if _is_queue(place)}

    @property
    def is_conserved(self) -> bool:
        as_due = self.found == self.due and not self.repeated
        return as_due and not (self.disordered or self.crowd or self.is_endless)

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
            f"{self.messages} messages in {self.seconds:.1f} s: {self.strikes.kills} environments "
            f"killed, {self.strikes.outages} outages; {done} done, {len(self.found) - done} dead "
            f"letters, {len(self.lost)} lost, {len(self.given_up)} given up, {len(self.repeated)} "
            f"done twice, {len(self.disordered)} groups out of order"
            f"{f', {self.crowd} too many at a time' if self.crowd else ''}"
            f"{', tried without an end' if self.is_endless else ''}"
            f"{'; stopped, others are on their way' if self.is_stopped else ''}{wrong}"
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
        stack = Stack(made.emulator, made.outputs, made.project.root)
        with datastore_of(service, stack, service.source.slow_seconds) as datastore:
            patience_seconds = PATIENCE_WITH_A_DEFECT_SECONDS if defect else PATIENCE_SECONDS
            traffic = Traffic(stack, service, datastore, patience_seconds)
            with disturbed(stack.emulator, datastore, traffic, service.source.strikes) as strikes:
                traffic.send_all(schedule(count))
                traffic.wait()
            return outcome_of(service, stack, datastore, traffic, strikes)


def datastore_of(
    service: Service, stack: Stack, slow_seconds: float
) -> AbstractContextManager[Datastore]:
    disturbable = BEYOND.get(service.topology) or DATASTORES[service.datastore]
    return disturbable(stack, slow_seconds)


def outcome_of(
    service: Service, stack: Stack, datastore: Datastore, traffic: Traffic, strikes: Strikes
) -> Outcome:
    """Reckon what became of what was sent."""
    seconds = time.monotonic() - traffic.began_at
    groups: list[str] = []
    if service.in_order:
        (ledger,) = stack.tables
        groups = disordered(traffic.sent, stack.items(ledger))
    written = datastore.written().items()
    return Outcome(
        len(traffic.sent),
        traffic.due,
        datastore.stored() | traffic.letters,
        {message for (_, message), times in written if times > 1},
        groups,
        strikes,
        seconds,
        is_stopped=traffic.is_astray,
    )


def disordered(messages: list[Message], items: list[dict[str, Any]]) -> list[str]:
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
