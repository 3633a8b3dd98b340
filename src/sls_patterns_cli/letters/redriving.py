"""Letters sent back: each is sent, then deleted; and what came of it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import explained
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.letter import Letter, Outcome, Verdict, failed_again, kept
from sls_patterns_cli.letters.listing import group_in
from sls_patterns_cli.letters.selection import Selection
from sls_patterns_cli.letters.stores import Counts, Queue, QueueReading, Reading
from sls_patterns_cli.letters.ways.executions import Executions
from sls_patterns_cli.letters.ways.firehose import UndeliveredRecords
from sls_patterns_cli.letters.ways.messages import MOST_A_SECOND, Messages
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.way import Way
from sls_patterns_cli.system import interrupts

MOST_REASONS = 100
"""So many outcomes with a reason are kept for the report; the rest is counted."""

SLOWEST = 0.1
"""Letters a second: those that were received must not be shown again before they are sent."""

WORKERS = 8
"""So many sets of message groups of a FIFO queue are sent at the same time."""

LOOKS_EVERY = 1.0
"""Seconds between two looks at what has failed again, and at a task that moves messages."""


@dataclass
class Redriven:
    """What became of the letters of an end."""

    end: End
    counts: Counts | None
    seen: int = 0
    copies: int = 0
    """How many of what was seen are no letters of their own."""
    chosen: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    reasons: list[tuple[str, str, str]] = field(default_factory=list)
    """Id, verdict and reason of letters that stay, at most MOST_REASONS."""
    undeleted: int = 0
    """How many are sent and could not be deleted: the next redrive sends them again."""
    by_choice: int = 0
    """How many of those that are kept are sent only if somebody names them."""
    task: str = ""
    """What is said of a task of SQS that moves messages."""
    task_failed: str = ""
    """Why SQS ended its task before it was done."""

    @property
    def sent(self) -> int:
        return self.verdicts.get("sent", 0) + self.verdicts.get("processed", 0)

    @property
    def stay(self) -> int:
        return self.verdicts.get("kept", 0) + self.verdicts.get("failed-again", 0)

    @property
    def unseen(self) -> int:
        """How many SQS counted before that were not given to us."""
        return max(0, self.counts.total - self.seen) if self.counts else 0

    @property
    def is_done(self) -> bool:
        """Tell whether all was seen, and nothing stays that was to be sent."""
        is_left = self.stay > self.by_choice or self.undeleted
        return not (is_left or self.task_failed or self.unseen)

    def add(self, letter_id: str, outcome: Outcome) -> None:
        self.verdicts[outcome.verdict] = self.verdicts.get(outcome.verdict, 0) + 1
        self.by_choice += outcome.by_choice
        self.tell(letter_id, outcome)

    def tell(self, letter_id: str, outcome: Outcome) -> None:
        if outcome.reason and len(self.reasons) < MOST_REASONS:
            self.reasons.append((letter_id, outcome.verdict, outcome.reason))

    def add_undeleted(self, letter_id: str, reason: str) -> None:
        self.undeleted += 1
        why = f"{letter_id} is sent and could not be deleted, so that it comes twice: {reason}"
        if len(self.reasons) < MOST_REASONS:
            self.reasons.append((letter_id, "sent", why))

    def settle(self, before: Verdict, after: Verdict, count: int) -> None:
        """Say of so many letters what has become of them meanwhile."""
        self.verdicts[before] -= count
        self.verdicts[after] = self.verdicts.get(after, 0) + count


@dataclass
class Wish:
    """What a redrive is asked for; `rate` is letters a second, `wait` seconds for verdicts."""

    selection: Selection
    rate: float | None = None
    wait: float = 0
    dry_run: bool = False
    executions: frozenset[str] = frozenset()
    all_readers: bool = False
    """Whether records of a delivery may go into a stream that others read as well."""

    def __post_init__(self) -> None:
        self._next_at = time.monotonic()

        self._lock = threading.Lock()

    def fitting(self, most: int) -> int:
        """Return how many letters may be sent at once: of a low rate no more than in a second."""
        return max(1, min(most, int(self.rate))) if self.rate else most

    def pace(self, count: int) -> None:
        """Wait until the rate allows the last of so many letters."""
        if not self.rate:
            return
        with self._lock:
            last = max(self._next_at, time.monotonic()) + (count - 1) / self.rate
            self._next_at = last + 1 / self.rate
        with interrupts.allowed():
            time.sleep(max(0.0, last - time.monotonic()))


class Redrive:
    """One redrive of an end. `sending` is the letter that may be doubled if it ends now."""

    def __init__(self, end: End, wish: Wish) -> None:
        self._end, self._wish = end, wish
        self._sent = Counter[str]()
        self._back: set[str] = set()
        self._stays: dict[str, str] = {}
        """Of each group of a FIFO queue that is held back, the first letter."""
        self.sending: Letter | None = None
        self.watch: Callable[[Redriven], None] = lambda _: None
        """Told as often as something has become of letters."""
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        for way in end.ways:
            if isinstance(way, Executions):
                way.named = wish.executions
            if isinstance(way, UndeliveredRecords):
                way.to_all_readers = wish.all_readers

    def run(self, said: Callable[[str], None]) -> Redriven:
        """Send the letters back; raises UserError where nothing more can be done."""
        with explained(self._end.name):
            counts = self._end.store.counts()
            redriven = Redriven(self._end, counts)
            wish = self._wish
            if wish.selection.is_everything and not (wish.dry_run or wish.wait):
                movable = self._end.movable()
            else:
                movable = None
            if movable:
                _move(*movable, wish.rate, redriven, said)
                return redriven
            hold = max(way.held_seconds for way in self._end.ways)
            most = min(way.most_at_a_time for way in self._end.ways)
            with self._end.store.reading(hold, most) as reading:
                self._send_all(reading, redriven)
                redriven.seen, redriven.copies = reading.seen, reading.copies
            self._see_what_fails_again(redriven)
        return redriven

    def _send_all(self, reading: Reading, redriven: Redriven) -> None:
        if not (isinstance(reading, QueueReading) and self._is_parallel):
            for batch in reading:
                self._send(batch, reading, redriven)
            return

        def work() -> None:
            """Send what a receive shows, and delete it: of its groups nothing is shown before."""
            while not self._is_over.is_set() and (received := reading.receive()):
                for batch in reading.given(received):
                    self._send(batch, reading, redriven)

        with ThreadPoolExecutor(WORKERS) as pool:
            workers = [pool.submit(work) for _ in range(WORKERS)]
            try:
                for worker in as_completed(workers):
                    with interrupts.allowed():
                        worker.result()
            finally:  # what a worker has sent, it deletes before it ends
                self._is_over.set()

    def _send(self, batch: list[Letter], reading: Reading, redriven: Redriven) -> None:
        chosen: list[tuple[Way, Letter]] = []
        for letter in batch:
            way = self._end.way_of(letter)
            # Its group may cost a look at the log.
            group = group_in(way, letter) if self._wish.selection.groups else ""
            if self._wish.selection.takes(letter, group):
                chosen.append((way, letter))
            else:
                reading.skip(letter)
        with self._lock:
            redriven.chosen += len(chosen)
        if self._wish.dry_run:
            for _, letter in chosen:
                reading.hold(letter)
            return
        for way, letters in _runs(chosen):
            for outcomes in self._outcomes(way, letters):
                self._settle(way, outcomes, reading, redriven)

    def _settle(
        self,
        way: Way,
        outcomes: list[tuple[Letter, Outcome]],
        reading: Reading,
        redriven: Redriven,
    ) -> None:
        """Delete what has left, before anything else is sent; note what has become of the rest."""
        left = [letter for letter, outcome in outcomes if outcome.leaves]
        undeleted = reading.delete_all(left) if left else {}
        with self._lock:
            for letter, outcome in outcomes:
                redriven.add(letter.id, outcome)
                if reason := undeleted.get(letter.id):
                    redriven.add_undeleted(letter.id, reason)
                if outcome.leaves:
                    self._remember(way, letter, outcome)
                    continue
                if self._is_fifo:
                    self._stays.setdefault(letter.group, letter.id)
                reading.hold(letter)
            self.sending = None
            self.watch(redriven)

    def _outcomes(self, way: Way, letters: list[Letter]) -> Iterator[list[tuple[Letter, Outcome]]]:
        """Yield what becomes of letters; one that is behind a letter that stays is not sent.

        Of a batch some may be refused, so that no two of a message group are in one.
        """
        for round_ in _rounds(letters) if self._is_fifo else [letters]:
            going: list[Letter] = []
            for letter in round_:
                if first := self._stays.get(letter.group):
                    why = f"is behind {first} of its group {letter.group}, which stays"
                    yield [(letter, kept(f"{letter.id} {why}"))]
                else:
                    going.append(letter)
            size = self._wish.fitting(way.most_at_once)
            for start in range(0, len(going), size):
                some = going[start : start + size]
                self._wish.pace(len(some))
                self.sending, done = some[0], 0
                for outcomes in way.send_all(some):
                    yield list(zip(some[done:], outcomes, strict=False))
                    done += len(outcomes)

    @property
    def _is_parallel(self) -> bool:
        """Tell whether groups go side by side: SQS shows nothing of one that is received.

        What a kill has left in both queues a FIFO queue drops, however much that is.
        """
        is_slow = self._wish.fitting(WORKERS) < WORKERS
        ways = self._end.ways
        return self._is_fifo and not is_slow and all(isinstance(way, SentToQueue) for way in ways)

    @property
    def _is_fifo(self) -> bool:
        return isinstance(self._end.store, Queue) and self._end.store.is_fifo

    def _remember(self, way: Way, letter: Letter, outcome: Outcome) -> None:
        """Remember by its hash what may fail again, and not what was seen to be processed."""
        if outcome.verdict == "sent" and (self._wish.wait or way.keeps_anew):
            self._sent[way.identity(letter)] += 1

    def _see_what_fails_again(self, redriven: Redriven) -> None:
        """Wait for letters with the same body; what is not back from an empty queue is processed.

        SQS counts what is in a queue a minute late at most.
        """
        if self._sent.total() and all(way.keeps_anew for way in self._end.ways):
            self._take_what_is_back(redriven)
            redriven.settle("sent", "processed", self._sent.total())
            return
        deadline = time.monotonic() + self._wish.wait
        while self._sent.total() and time.monotonic() < deadline:
            with interrupts.allowed():
                time.sleep(min(LOOKS_EVERY, max(0.0, deadline - time.monotonic())))
            counts = self._end.store.counts()
            if counts is None or counts.total > redriven.stay or time.monotonic() >= deadline:
                self._take_what_is_back(redriven)
        if self._sent.total() and self._is_consumed():
            redriven.settle("sent", "processed", self._sent.total())

    def _take_what_is_back(self, redriven: Redriven) -> None:
        with self._end.store.reading() as reading:
            for batch in reading:
                for letter in batch:
                    reading.hold(letter)
                    came_after = letter.sent_at > self._wish.selection.started_at
                    identity = self._end.way_of(letter).identity(letter)
                    if came_after and self._sent[identity] and letter.id not in self._back:
                        self._sent[identity] -= 1
                        self._back.add(letter.id)
                        redriven.settle("sent", "failed-again", 1)
                        redriven.tell(letter.id, failed_again("it is back, with the same body"))

    def _is_consumed(self) -> bool:
        """Tell whether everything that was sent went to queues that are empty now."""
        return all(
            isinstance(way, Messages)
            and Queue(way.edge.source, way.url, way.clients).counts().total == 0
            for way in self._end.ways
        )


def _move(
    source: Queue,
    target: Queue,
    rate: float | None,
    redriven: Redriven,
    said: Callable[[str], None],
) -> None:
    """Let SQS move messages: 500 a second, or as many as are asked for."""
    given = {"MaxNumberOfMessagesPerSecond": max(1, int(rate))} if rate else {}
    handle = source.sqs.start_message_move_task(
        SourceArn=source.arn, DestinationArn=target.arn, **given
    )["TaskHandle"]
    redriven.task = (
        f"{source.name}: SQS moves its letters to {target.name}, also if this command ends; "
        f"to stop it: aws sqs cancel-message-move-task --task-handle {handle}"
    )
    said(redriven.task)
    while True:
        (task,) = source.sqs.list_message_move_tasks(SourceArn=source.arn, MaxResults=1)["Results"]
        if task["Status"] not in {"RUNNING", "CANCELLING"}:
            break
        with interrupts.allowed():
            time.sleep(LOOKS_EVERY)
    moved = int(task.get("ApproximateNumberOfMessagesMoved") or 0)
    redriven.seen = redriven.chosen = moved
    if moved:
        redriven.verdicts["sent"] = moved
    if task["Status"] != "COMPLETED":
        redriven.task_failed = str(task.get("FailureReason") or task["Status"])


def _runs(chosen: Iterable[tuple[Way, Letter]]) -> Iterator[tuple[Way, list[Letter]]]:
    """Yield letters that follow each other with one way back together."""
    run: list[Letter] = []
    current: Way | None = None
    for way, letter in chosen:
        if current is not None and way is not current:
            yield current, run
            run = []
        current = way
        run.append(letter)
    if current is not None:
        yield current, run


def _rounds(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Yield the first letter of each message group, then the second, and so on."""
    rounds: list[list[Letter]] = []
    numbers = Counter[str]()
    for letter in letters:
        if numbers[letter.group] == len(rounds):
            rounds.append([])
        rounds[numbers[letter.group]].append(letter)
        numbers[letter.group] += 1
    yield from rounds


def check_rate(rate: float | None) -> None:
    """Raise UserError for a rate that nothing can have."""
    if rate is not None and not SLOWEST <= rate <= MOST_A_SECOND:
        raise UserError(f"--rate {rate:g} is not from {SLOWEST:g} to {MOST_A_SECOND} a second")
