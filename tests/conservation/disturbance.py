"""What happens to the service meanwhile: its functions are killed and its datastore is down.

No message is struck more often than the service tries it again: else it would be right to give it
up, and a service that gives up too early would look like one that does not.
"""

import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from local.processes import environments

from conservation.datastore import HITS_OF_AN_OUTAGE, Datastore, Item
from conservation.schedule import SEED

PAUSE_SECONDS = 0.3, 0.8
"""How long nothing happens between two strikes, at random."""

KILLS_BEFORE_AN_OUTAGE = 3

LOOKS_EVERY_SECONDS = 0.02


class Traffic:
    """What the service has been sent and has not done yet; what it cannot do is none of it."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._sent: dict[Item, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def sending(self, items: set[Item]) -> None:
        """Take note that a message is sent which becomes these items."""
        with self._lock:
            for item in items:
                self._sent[item].append(time.monotonic())

    def waiting_since(self) -> list[float]:
        """Return when each of what is not done was sent, the copies of a message by themselves."""
        answered = self._datastore.answered()
        with self._lock:
            return [
                moment
                for item, moments in self._sent.items()
                for moment in moments[answered[item] :]
            ]


@dataclass
class Strikes:
    """How many processes were killed, how often the datastore was down, and what may be next."""

    at_most: int
    traffic: Traffic
    kills: int = 0
    outages: int = 0
    _so_far: list[tuple[float, int]] = field(default_factory=list)
    """When each ended, and how many attempts it may have failed."""

    def bearable(self, hits: int) -> bool:
        """Whether no message would be struck more often than it may be."""
        oldest = min(self.traffic.waiting_since(), default=float("inf"))
        suffered = sum(hit for ended, hit in self._so_far if ended >= oldest)
        return suffered + hits <= self.at_most

    def note(self, hits: int) -> None:
        self._so_far.append((time.monotonic(), hits))


@contextmanager
def disturbed(
    emulator: int, datastore: Datastore, traffic: Traffic, at_most: int
) -> Iterator[Strikes]:
    """Kill functions and take the datastore away, by turns, until the block ends."""
    strikes, over = Strikes(at_most, traffic), threading.Event()
    chance = random.Random(SEED)  # noqa: S311 - the same each time

    def strike() -> None:
        turns = 0
        while not over.wait(chance.uniform(*PAUSE_SECONDS)):
            turns = (turns + 1) % (KILLS_BEFORE_AN_OUTAGE + 1)
            hits = 1 if turns else HITS_OF_AN_OUTAGE
            while not (strikes.bearable(hits) or over.wait(LOOKS_EVERY_SECONDS)):
                pass
            if over.is_set():
                return
            if turns:
                strikes.kills += _kill_some(emulator, chance)
            else:
                datastore.fail_for_a_while()
                strikes.outages += 1
            strikes.note(hits)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield strikes
    finally:
        over.set()
        thread.join()


def _kill_some(emulator: int, chance: random.Random) -> int:
    """Kill half of the functions' environments at the same moment; return how many."""
    killed = 0
    for pid in sorted(environments(emulator)):
        if chance.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed
