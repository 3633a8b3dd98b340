"""What a service outlasts: an outage of its datastore for as long as it promises, and slow answers.

Nothing is killed here, so a message is tried as often as its datastore is down, and no more. While
that is not longer than promised, no good message is a letter. In a longer outage all are letters,
and are done once when they have been sent back.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from math import ceil, inf
from pathlib import Path

from bursts import deployed
from command import Cli, environment

from conservation import Outcome, aurora, datastore_of, outcome_of
from conservation.datastore import LATE, Interruptible
from conservation.disturbance import Strikes
from conservation.patterns import DEFECTS, OUTBOX, STREAM, Defect, Service
from conservation.schedule import Message
from conservation.stack import Stack
from conservation.traffic import LOOKS_EVERY_SECONDS, Traffic
from sls_patterns_cli.local.emulator import timescale


class Trial(Enum):
    """What happens to the datastore."""

    OUTAGE = "outage"
    """It is down for an hour, which is nine tenths of the receives; in order for longer."""
    LONGER = "longer-outage"
    """It is down until all is in a dead-letter queue, and that is sent back."""
    LATE = "late"
    """It takes nine tenths of what the service waits for."""

    def __str__(self) -> str:
        return self.value


PROMISED_SECONDS = 3600
"""How long an outage may last of what a standard queue's consumer needs."""

TRIES_IN_ORDER = 50
"""Ten times what was allowed when any failure led to a letter; a FIFO queue's day has many more."""

TRIES_OF_A_STREAM = 12
"""Lambda tries a record for as long as the stream keeps it."""

GROUPS, OF_A_GROUP, LATE_OF_A_GROUP = 3, 4, 2

PATIENCE_SECONDS, PATIENCE_WITH_A_DEFECT_SECONDS = 180, 10

FACTORS = {
    # A cluster takes a second to start, and must have done so before the last receive.
    (Trial.OUTAGE, "aurora-postgresql"): 24,
    # What a function receives by itself must not be visible again while it works.
    (Trial.LATE, "scheduled"): 10,
}


@dataclass(frozen=True)
class Seeded:
    """A defect, and the trial that notices it."""

    trial: Trial
    defect: Defect
    runtime: str = "python"


SEEDED = {
    "five-receives": Seeded(
        Trial.OUTAGE, Defect(r"maxReceiveCount: \d+", "maxReceiveCount: 5", shows_as="given_up")
    ),
    "tried-for-ever": Seeded(
        Trial.LONGER, replace(DEFECTS["no-dead-letter-queue"], shows_as="is_endless")
    ),
    # AWS refuses it for a new event source mapping, not when a queue is changed later.
    "visibility-too-short": Seeded(
        Trial.LATE,
        Defect(r"VisibilityTimeout: \d+", "VisibilityTimeout: 1", shows_as="given_up"),
    ),
    "less-time-than-a-call": Seeded(
        Trial.LATE, Defect(r"(?<=\s)Timeout: \d+", "Timeout: 2", shows_as="given_up")
    ),
    "batches": Seeded(
        Trial.LATE,
        Defect(r"BatchSize: 1\n", "BatchSize: 10\n", shows_as="crowd"),
        "typescript",
    ),
}


def trials(service: Service) -> list[Trial]:
    """Return what a service is to outlast: a day or a stream's retention is not waited for here."""
    if not service.waits:
        return []
    is_longer = service.in_order or service.source in (STREAM, OUTBOX)
    return [each for each in Trial if not (each is Trial.LONGER and is_longer)]


def messages(good: str, of_a_group: int) -> list[Message]:
    """Return so many messages of each group; the second one can never be processed."""
    kinds = [good] * (of_a_group - 1)
    kinds.insert(1, "poison")
    return [
        Message(f"{kind}-{row * GROUPS + group:05}", f"group-{group}")
        for row, kind in enumerate(kinds)
        for group in range(GROUPS)
    ]


def outlast(
    folder: Path, service: Service, trial: Trial, *, runtime: str, defect: Defect | None = None
) -> Outcome:
    """Send some messages to a service while that happens to its datastore, and reckon."""
    answers = {name: getattr(service, name) for name in ("pattern", "topology", "datastore")}
    change = defect.apply if defect else None
    by_triggers = trial is Trial.LATE and service.datastore == "aurora-postgresql"
    all_at_once = replace(service, source=replace(service.source, at_a_time=1000))
    patience_seconds = PATIENCE_WITH_A_DEFECT_SECONDS if defect else PATIENCE_SECONDS
    with (
        _time_divided_for(service, trial),
        deployed(folder, change=change, runtime=runtime, **answers) as made,
    ):
        stack = Stack(made.emulator, made.outputs, made.project.root)
        stack.waits = service.waits
        slow_seconds = LATE * aurora.WAITS_SECONDS if by_triggers else 0.0
        with datastore_of(service, stack, slow_seconds) as datastore:
            assert isinstance(datastore, Interruptible), service
            sent = messages(
                "slow" if by_triggers else "good",
                LATE_OF_A_GROUP if trial is Trial.LATE else OF_A_GROUP,
            )
            traffic = Traffic(stack, all_at_once, datastore, patience_seconds)
            has_ended = True
            if trial is Trial.LATE:
                stack.receive_once()
                datastore.answer_late()
                with stack.not_consumed():
                    traffic.send_all(sent)
            else:
                tries = inf if trial is Trial.LONGER else promised_tries(stack)
                datastore.fail_until_tried(tries)
                traffic.send_all(sent)
                if trial is Trial.LONGER:
                    letters = _letters(service, sent)
                    has_ended = _has_come(lambda: stack.letters() >= letters, patience_seconds)
                    datastore.recover()
                    _send_back(stack, folder)
                else:
                    has_ended = _has_come(
                        lambda: not datastore.is_down() or traffic.is_over(), patience_seconds
                    )
            traffic.wait()
            outcome = outcome_of(service, stack, datastore, traffic, Strikes())
            outcome = replace(outcome, is_endless=not has_ended)
            allowed = stack.consumers_at_a_time()
            if trial is not Trial.LATE or not allowed:
                return outcome
            return replace(outcome, crowd=max(0, datastore.most_at_a_time() - allowed))


@contextmanager
def _time_divided_for(service: Service, trial: Trial) -> Iterator[None]:
    factor = FACTORS.get((trial, service.datastore)) or FACTORS.get((trial, service.topology))
    before = os.environ.get(timescale.VARIABLE)
    if factor:
        os.environ[timescale.VARIABLE] = str(factor)
    try:
        yield
    finally:
        os.environ.pop(timescale.VARIABLE, None)
        if before is not None:
            os.environ[timescale.VARIABLE] = before


def promised_tries(stack: Stack) -> int:
    """Return how often a message is tried in the outage that a service promises to outlast.

    The deployed number of receives has no part in it, as it may be wrong.
    """
    queues = [stack.attributes(url) for url in stack.sources()]
    if not queues:
        return TRIES_OF_A_STREAM
    if any("FifoQueue" in each for each in queues):
        return TRIES_IN_ORDER
    return min(ceil(PROMISED_SECONDS / int(each["VisibilityTimeout"])) for each in queues)


def _letters(service: Service, sent: list[Message]) -> int:
    """Return how many letters there are of messages whose datastore never answers."""
    ends = [place for each in sent for place in service.ends(each)]
    return sum("DeadLetter" in place or place in service.waits for place in ends)


def _send_back(stack: Stack, project: Path) -> None:
    """Let the command send back all letters of the stack, as a user does.

    Its exit code says that poison has failed again, where it invokes a function itself.
    """
    variables = environment(project.parent) | stack.client_environment
    of_stacks = [["--stack", each, "stacks/subscriber.yaml"] for each in stack.subscribers]
    for arguments in ([], *of_stacks):
        Cli(project, variables)("letters", "redrive", "--all", "--yes", *arguments)


def _has_come(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait so long until it holds."""
    until = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < until:
        time.sleep(LOOKS_EVERY_SECONDS)
    return holds
