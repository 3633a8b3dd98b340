"""What happens to the service meanwhile: its functions are killed and its datastore is down.

No message is struck more often than the service tries it again: else it would be right to give it
up, and a service that gives up too early would look like one that does not. So after some strikes
nothing is sent until all that was sent has been done.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from local.processes import environments

from conservation.datastore import HITS_OF_AN_OUTAGE, Datastore
from conservation.schedule import SEED
from conservation.traffic import Traffic

PAUSE_SECONDS = 0.3, 0.8
"""How long nothing happens between two strikes, at random."""

KILLS_BEFORE_AN_OUTAGE = 2

LOOKS_EVERY_SECONDS = 0.05


@dataclass
class Strikes:
    kills: int = 0
    """How many processes were killed."""
    outages: int = 0


@contextmanager
def disturbed(
    emulator: int, datastore: Datastore, traffic: Traffic, at_most: int
) -> Iterator[Strikes]:
    """Kill functions and take the datastore away, by turns, until the block ends.

    A message is struck `at_most` times.
    """
    strikes, over = Strikes(), threading.Event()
    chance = random.Random(SEED)  # noqa: S311 - the same each time

    def strike() -> None:
        turn = hits_since_quiet = 0
        while not over.wait(chance.uniform(*PAUSE_SECONDS)):
            is_outage = turn == KILLS_BEFORE_AN_OUTAGE
            hits = HITS_OF_AN_OUTAGE if is_outage else 1
            if hits_since_quiet + hits > at_most:
                with traffic.held():
                    while not (traffic.is_quiet() or over.wait(LOOKS_EVERY_SECONDS)):
                        pass
                hits_since_quiet = 0
                continue  # when there is something to strike again
            if is_outage:
                datastore.fail_for_a_while()
                strikes.outages += 1
            elif killed := _kill_some(emulator, chance):
                strikes.kills += killed
            else:
                continue  # when a function has started
            hits_since_quiet += hits
            turn = 0 if is_outage else turn + 1

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield strikes
    finally:
        over.set()
        thread.join()


def _kill_some(emulator: int, chance: random.Random) -> int:
    """Kill half of the functions' environments at the same moment; return how many."""
    running = sorted(environments(emulator))
    killed = 0
    for pid in chance.sample(running, (len(running) + 1) // 2):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed
