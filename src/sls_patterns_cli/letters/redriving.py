"""Letters sent back: each is sent, then deleted; and what came of it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Literal

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters import canaries
from sls_patterns_cli.letters.aws import explained
from sls_patterns_cli.letters.canaries import Group
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.exclusion import alone
from sls_patterns_cli.letters.letter import Letter, Outcome, Verdict, failed_again, kept
from sls_patterns_cli.letters.listing import cause_of, group_in
from sls_patterns_cli.letters.selection import Selection
from sls_patterns_cli.letters.stores import Counts, Queue, QueueReading, Reading, seconds
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
    came_back: int = 0
    """How many have failed again after they were sent, and are letters again."""
    back_reasons: set[str] = field(default_factory=set)
    """How the reasons of canaries that came back compare with those that they had."""
    groups: list[tuple[str, int, str]] = field(default_factory=list)
    """Of each group of which nothing more is sent the id, how many letters, and why."""
    canaries: list[tuple[str, str, str]] = field(default_factory=list)
    """Of each canary that was waited for the group, the letter and what became of it."""
    task: str = ""
    """What is said of a task of SQS that moves messages."""
    task_failed: str = ""
    """Why SQS ended its task before it was done."""

    @property
    def sent(self) -> int:
        return self.verdicts.get("sent", 0) + self.verdicts.get("processed", 0)

    @property
    def left(self) -> int:
        """How many have left the end, although some may be back."""
        return self.sent + self.came_back

    @property
    def stay(self) -> int:
        return self.verdicts.get("kept", 0) + self.verdicts.get("failed-again", 0)

    @property
    def unseen(self) -> int:
        """How many SQS counted before that were not given to us."""
        return max(0, self.counts.total - self.seen) if self.counts else 0

    @property
    def is_done(self) -> bool:
        """Tell whether all was sent that was to be sent, and nothing of it has come back."""
        return self.is_sent and not self.came_back

    @property
    def is_sent(self) -> bool:
        """Tell whether all was seen and sent that was to be sent, although some may be back."""
        is_left = self.stay - self.came_back > self.by_choice or self.undeleted
        return not (is_left or self.task_failed or self.unseen)

    def add(self, letter_id: str, outcome: Outcome) -> None:
        self.verdicts[outcome.verdict] = self.verdicts.get(outcome.verdict, 0) + 1
        self.by_choice += outcome.by_choice
        self.came_back += outcome.is_kept_anew
        self.tell(letter_id, outcome)

    def tell(self, letter_id: str, outcome: Outcome) -> None:
        if outcome.reason and len(self.reasons) < MOST_REASONS:
            self.reasons.append((letter_id, outcome.verdict, outcome.reason))

    def keep(self, group: str, count: int, why: str) -> None:
        """Note letters of a group that are not sent."""
        self.chosen += count
        self.verdicts["kept"] = self.verdicts.get("kept", 0) + count
        self.groups.append((group, count, why))

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
    """What a redrive is asked for; `rate` is letters a second, `wait` seconds for verdicts.

    Without `wait` a canary is waited for as long as it may take, and what follows it is not.
    """

    selection: Selection
    rate: float | None = None
    wait: float | None = None
    dry_run: bool = False
    executions: frozenset[str] = frozenset()
    all_readers: bool = False
    """Whether records of a delivery may go into a stream that others read as well."""
    canary: bool = True
    """Whether one letter of each cause goes first, and the others only if it is processed."""

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
        self._groups: dict[str, Group] = {}
        self._waits: set[str] = set()
        """The message groups of a FIFO queue of which a letter waits for a canary."""
        self._behind = 0
        """How many of these groups wait behind such letters."""
        self._deadline: float | None = None
        """Until when canaries are waited for."""
        self._left = 0
        """How many letters were in the end when it was last looked at."""
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
            if wish.dry_run or (counts and not counts.total):
                self._pass(redriven)
                return redriven
            with alone(self._end.store, said):
                self._redrive(redriven, said)
        return redriven

    def _redrive(self, redriven: Redriven, said: Callable[[str], None]) -> None:
        counts, wish = redriven.counts, self._wish
        is_moved = wish.selection.is_everything and not wish.wait
        if is_moved and (movable := self._end.movable()):
            is_one_of_more = bool(counts and counts.total > 1)
            if not (wish.canary and is_one_of_more) or self._may_move(redriven, said):
                _move(*movable, wish.rate, redriven, said)
            return
        self._pass(redriven)
        while self._is_anything_decided(redriven, said):
            self._pass(redriven)
        self._keep_the_rest(redriven)
        self._see_what_fails_again(redriven)

    def _pass(self, redriven: Redriven, *, only_first: bool = False) -> None:
        """Send what may be sent by now; with `only_first` no more than one canary."""
        before, owed = redriven.left, self._held_back() + redriven.chosen
        for group in self._groups.values():
            group.waiting = 0
        self._waits.clear()
        self._behind = 0
        hold = max(way.held_seconds for way in self._end.ways)
        most = 1 if only_first else min(way.most_at_a_time for way in self._end.ways)
        with self._end.store.reading(hold, most) as reading:
            if only_first:
                for batch in reading:
                    self._send(batch, reading, redriven)
                    if self._groups:
                        break
            else:
                self._send_all(reading, redriven)
            # Of a message group SQS shows the next only after the first are gone.
            redriven.seen = max(redriven.seen, before + reading.seen)
            redriven.copies = max(redriven.copies, reading.copies)
        # What was seen before and is not now, somebody else holds or has taken.
        redriven.seen -= max(0, owed - self._held_back() - redriven.chosen)
        counts = self._end.store.counts() if self._undecided() else None
        self._left = counts.total if counts else 0

    def _may_move(self, redriven: Redriven, said: Callable[[str], None]) -> bool:
        """Send one letter, and tell whether SQS may move the others: it is processed."""
        self._pass(redriven, only_first=True)
        (group,) = [*self._groups.values()] or [Group("")]
        group.waiting = redriven.counts.total - redriven.chosen if redriven.counts else 0
        if group.state == "undecided" and self._is_anything_decided(redriven, said):
            self._tell_canaries(redriven)
            return True
        self._keep_the_rest(redriven)
        redriven.seen = redriven.counts.total if redriven.counts else redriven.seen
        return False

    def _is_anything_decided(self, redriven: Redriven, said: Callable[[str], None]) -> bool:
        """Wait for canaries; tell whether there is anything to be sent that waits for one."""
        undecided = self._undecided()
        held_back = sum(group.waiting for group in undecided)
        if held_back:
            if self._deadline is None:
                wait = canaries.wait_for(self._end.ways, self._wish.wait)
                self._deadline = time.monotonic() + wait
            deadline = self._deadline
            for group in undecided:
                said(f"{self._end.name}: {_not_decided(group)}")
            while (undecided := self._undecided()) and time.monotonic() < deadline:
                with interrupts.allowed():
                    pause = LOOKS_EVERY / min(10, seconds(1))
                    time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                self._look_at(undecided, redriven)
            if undecided:
                self._take_what_is_back(redriven)
        return any(group.state == "good" and group.waiting for group in self._groups.values())

    def _held_back(self) -> int:
        return self._behind + sum(group.waiting for group in self._groups.values())

    def _undecided(self) -> list[Group]:
        return [group for group in self._groups.values() if group.state == "undecided"]

    def _look_at(self, undecided: list[Group], redriven: Redriven) -> None:
        """Decide of canaries: what is back is bad, what was seen to be processed is good."""
        counts = self._end.store.counts()
        came = counts is not None and counts.total > self._left
        consumed = [group for group in undecided if canaries.is_consumed(group)]
        if came or consumed:
            self._take_what_is_back(redriven)
            self._left = counts.total if counts else 0
        for group in undecided:
            if group.state == "undecided" and (group in consumed or canaries.is_logged(group)):
                group.state = "good"
                redriven.settle("sent", "processed", 1)

    def _keep_the_rest(self, redriven: Redriven) -> None:
        """Note what stays: letters whose canary is not good, and what is behind them."""
        self._tell_canaries(redriven)
        for group in self._groups.values():
            if not group.waiting:
                continue
            if group.state == "bad":
                redriven.keep(group.id, group.waiting, f"the first of them {group.reason}")
            elif group.canary:
                wait = canaries.wait_for(self._end.ways, self._wish.wait)
                longer = "a longer --wait decides, --no-canary sends them without"
                why = f"{group.canary.id} was sent first and is not decided after {wait:g} s"
                redriven.keep(group.id, group.waiting, f"{why}; {longer}")
            else:
                redriven.keep(group.id, group.waiting, "the first of them could not be sent")
        if self._behind:
            why = "they are behind letters of their message groups that stay"
            redriven.keep("", self._behind, why)

    def _tell_canaries(self, redriven: Redriven) -> None:
        verdicts = {"good": "processed", "bad": "failed-again", "undecided": "undecided"}
        redriven.canaries = [
            (group.id, group.canary.id, verdicts[group.state])
            for group in self._groups.values()
            if group.canary
        ]

    def _send_all(self, reading: Reading, redriven: Redriven) -> None:
        if not (isinstance(reading, QueueReading) and self._is_parallel):
            for batch in reading:
                self._send(batch, reading, redriven)
            return

        is_over = threading.Event()

        def work() -> None:
            """Send what a receive shows, and delete it: of its groups nothing is shown before."""
            while not is_over.is_set() and (received := reading.receive()):
                for batch in reading.given(received):
                    self._send(batch, reading, redriven)

        with ThreadPoolExecutor(WORKERS) as pool:
            workers = [pool.submit(work) for _ in range(WORKERS)]
            try:
                for worker in as_completed(workers):
                    with interrupts.allowed():
                        worker.result()
            finally:  # what a worker has sent, it deletes before it ends
                is_over.set()

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
        if self._wish.dry_run:
            redriven.chosen += len(chosen)
            for _, letter in chosen:
                reading.hold(letter)
            return
        for way, letters in _runs(chosen):
            for outcomes in self._outcomes(way, letters, reading):
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
            redriven.chosen += len(outcomes)
            for letter, outcome in outcomes:
                redriven.add(letter.id, outcome)
                is_canary = self._decide(way, letter, outcome)
                if reason := undeleted.get(letter.id):
                    redriven.add_undeleted(letter.id, reason)
                if outcome.leaves:
                    if not is_canary:
                        self._remember(way, letter, outcome)
                    continue
                if self._is_fifo:
                    self._stays.setdefault(letter.group, letter.id)
                reading.hold(letter)
            self.sending = None
            self.watch(redriven)

    def _outcomes(
        self, way: Way, letters: list[Letter], reading: Reading
    ) -> Iterator[list[tuple[Letter, Outcome]]]:
        """Yield what becomes of letters; one that is behind a letter that stays is not sent.

        Of a batch some may be refused, so that no two of a message group are in one.
        """
        most = self._wish.fitting(way.most_at_once)
        for round_ in _rounds(letters) if self._is_fifo else [letters]:
            some: list[Letter] = []
            for letter in round_:
                if first := self._stays.get(letter.group):
                    why = f"is behind {first} of its group {letter.group}, which stays"
                    yield [(letter, kept(f"{letter.id} {why}"))]
                    continue
                turn = self._turn(way, letter)
                if turn == "waits":
                    reading.skip(letter)
                    continue
                if turn == "first":
                    yield from self._sent_of(way, some)
                    some = []
                    yield from self._sent_of(way, [letter], alone=True)
                    continue
                some.append(letter)
                if len(some) == most:
                    yield from self._sent_of(way, some)
                    some = []
            yield from self._sent_of(way, some)

    def _sent_of(
        self, way: Way, letters: list[Letter], *, alone: bool = False
    ) -> Iterator[list[tuple[Letter, Outcome]]]:
        """Yield what becomes of letters; one that is sent alone is known by its id in a queue."""
        if not letters:
            return
        self._wish.pace(len(letters))
        self.sending, done = letters[0], 0
        if alone and isinstance(way, SentToQueue):
            yield [(letters[0], way.attempt(letters[0]))]
            return
        for outcomes in way.send_all(letters):
            yield list(zip(letters[done:], outcomes, strict=False))
            done += len(outcomes)

    def _turn(self, way: Way, letter: Letter) -> Literal["goes", "first", "waits"]:
        """Tell whether a letter is sent now: the first of its cause is, others wait for it."""
        if not self._wish.canary:
            return "goes"
        id_ = group_in(way, letter)
        with self._lock:
            if self._is_fifo and letter.group in self._waits:
                self._behind += 1
                return "waits"
            group = self._groups.setdefault(id_, Group(id_))
            if group.state == "good":
                return "goes"
            if group.state == "new":
                group.state = "undecided"
                return "first"
            group.waiting += 1
            if self._is_fifo:
                self._waits.add(letter.group)
            return "waits"

    def _decide(self, way: Way, letter: Letter, outcome: Outcome) -> bool:
        """Note what a canary tells by its outcome; tell whether it is one that is looked for."""
        group = self._groups.get(group_in(way, letter)) if self._wish.canary else None
        if group is None or group.state != "undecided" or group.canary:
            return False
        if outcome.verdict == "failed-again":
            group.fail("has failed again")
        elif outcome.verdict == "sent" and isinstance(way, SentToQueue) and way.comes_back:
            group.begin(way, letter, way.sent_ids.get(letter.id, ""))
            return True
        elif outcome.verdict == "kept":
            group.state = "new"  # it tells nothing of the others
        else:
            group.state = "good"
        return False

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
        deadline = time.monotonic() + (self._wish.wait or 0)
        while +self._sent and time.monotonic() < deadline:
            with interrupts.allowed():
                time.sleep(min(LOOKS_EVERY, max(0.0, deadline - time.monotonic())))
            counts = self._end.store.counts()
            if counts is None or counts.total > redriven.stay or time.monotonic() >= deadline:
                self._take_what_is_back(redriven)
        if +self._sent and self._is_consumed():
            redriven.settle("sent", "processed", (+self._sent).total())

    def _take_what_is_back(self, redriven: Redriven) -> None:
        canaries_of = {
            group.way.identity(group.canary): group
            for group in self._undecided()
            if group.way and group.canary
        }
        with self._end.store.reading() as reading:
            for batch in reading:
                for letter in batch:
                    reading.hold(letter)
                    if letter.sent_at <= self._wish.selection.started_at:
                        continue
                    way = self._end.way_of(letter)
                    identity = way.identity(letter)
                    is_canary = identity in canaries_of
                    if letter.id in self._back or not (is_canary or self._sent[identity]):
                        continue
                    self._sent[identity] -= not is_canary
                    self._back.add(letter.id)
                    redriven.settle("sent", "failed-again", 1)
                    redriven.came_back += 1
                    if group := canaries_of.pop(identity, None):
                        reason = _compared(group, way, letter)
                        redriven.back_reasons.add(reason)
                        group.fail(f"is back{reason}")
                    redriven.tell(letter.id, failed_again("it is back, with the same body"))

    def _is_consumed(self) -> bool:
        """Tell whether everything that was sent went to queues that are empty now."""
        return all(
            isinstance(way, Messages)
            and Queue(way.edge.source, way.url, way.clients).counts().total == 0
            for way in self._end.ways
        )


def _not_decided(group: Group) -> str:
    way, canary = group.way, group.canary
    if not (isinstance(way, SentToQueue) and canary):
        return ""
    queue = Queue(way.goes_to, way.url, way.clients)
    visibility, receives = queue.visibility_seconds, queue.most_receives
    long = f"that can take {visibility * receives} s, {receives} receives of {visibility} s each"
    if not receives:
        long = f"that can take for ever, as {queue.name} has no limit of receives"
    return f"{canary.id} is sent first of group {group.id}: not decided yet; {long}"


def _compared(group: Group, way: Way, letter: Letter) -> str:
    """Say whether a letter that is back has the reason that it had; "" where none is known yet."""
    if group.id == group_in(way, letter):
        return " with the same reason"
    return " with another reason" if cause_of(way, letter).error else ""


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
    redriven.seen = redriven.chosen = redriven.chosen + moved
    if moved:
        redriven.verdicts["sent"] = redriven.verdicts.get("sent", 0) + moved
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
