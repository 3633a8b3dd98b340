"""What happens to the messages of a queue, and what CloudWatch gets of it and of its consumer.

SQS reports each minute how many messages wait and are hidden, how many were deleted, and how old
the oldest is; on a standard queue a message that was received three times is no longer the oldest.
Of a queue that nobody has used for six hours it reports nothing:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Lambda counts invocations, and as errors those that raise or end their process; a batch that names
all its messages as failed is none:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from heapq import heapify, heappop, heappush

from sls_patterns_cli.alarms.series import Series, Values

BEFORE = 30
"""For so many minutes all is well before something happens."""
AFTER = 60
"""For so many it goes on: an outage of an hour makes no dead letter."""

SAMPLE = 30
"""The second of a minute at which SQS looks at the queue."""

COUNTED_RECEIVES = 3

LETTERS = "letters"
"""How many messages wait in the dead-letter queue, which takes no name of a metric of the queue."""

OF_LAMBDA = ("Invocations", "Errors")
OF_SQS = (
    "NumberOfMessagesDeleted",
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateAgeOfOldestMessage",
)

Fails = Callable[[int, float], bool]
"""Whether the message of this number fails that is received at this second."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """Messages, what becomes of them, and the minutes after `BEFORE` in which somebody is told.

    `sent` has the second of each message. A message takes `takes` seconds, of which `consumers` at
    a time are processed. Those that fail end their process if `crash`: for Lambda that is an error.
    """

    name: str
    sent: Sequence[float]
    fails: Fails = lambda _number, _second: False
    takes: float = 1
    consumers: int = 10
    crash: bool = False
    tells: Mapping[str, range] = field(default_factory=dict)
    """By tier; exactly one of each that is here, and none of the other."""
    holds_up: bool = False
    """Whether a message holds up those of its group, if they have an order: that is a page."""
    goes_on: int = AFTER
    """For so many minutes after `BEFORE`."""

    @property
    def minutes(self) -> int:
        return BEFORE + self.goes_on

    def told(self, *, ordered: bool) -> Mapping[str, range]:
        held_up = {"page": HELD_UP} if ordered and self.holds_up else {}
        return {**held_up, **self.tells}


@dataclass
class Message:
    sent: float
    number: int
    received: list[float] = field(default_factory=list)
    """When each receive began."""
    ended: float = float("inf")
    """When it was deleted, or moved."""
    moved: float = float("inf")
    """When SQS moved it to the dead-letter queue, which is no deletion."""


@cache
def emitted(
    scenario: Scenario, visibility: int, receives: int, *, ordered: bool
) -> dict[str, Series]:
    """Return what SQS and Lambda report, by the names of the metrics; and `LETTERS`."""
    messages = [Message(at, number) for number, at in enumerate(sorted(scenario.sent))]
    counted: dict[str, list[Values]] = {name: [] for name in (*OF_LAMBDA, *OF_SQS, LETTERS)}
    for at, failed in _consume(scenario, messages, visibility, receives):
        counted["Invocations"].append(Values(at, 1))
        counted["Errors"].append(Values(at, float(failed and scenario.crash)))
    left = messages
    for minute in range(scenario.minutes) if messages else ():
        now = 60 * minute + SAMPLE
        if letters := sum(each.moved <= now for each in messages):
            counted[LETTERS].append(Values(now, letters))
        left = [each for each in left if each.ended >= 60 * minute]
        there = [each for each in left if each.sent <= now < each.ended]
        hidden = [each for each in there if _is_hidden(each, now, visibility)]
        ages = [now - each.sent for each in there if ordered or _is_counted(each, now)]
        deleted = sum(each.ended < min(each.moved, 60 * (minute + 1)) for each in left)
        values = (deleted, len(there) - len(hidden), len(hidden), max(ages, default=0))
        for name, value in zip(OF_SQS, values, strict=True):
            counted[name].append(Values(now, value))
    return {name: Series(values) for name, values in counted.items()}


def _consume(
    scenario: Scenario, messages: list[Message], visibility: int, receives: int
) -> Iterator[tuple[float, bool]]:
    """Let each message be received until it is processed; yield when, and whether it failed.

    SQS moves a message that has been received so often instead of handing it out once more.
    """
    waiting = [(each.sent, each.number) for each in messages]
    free = [0.0] * scenario.consumers
    heapify(waiting)
    while waiting:
        visible, number = heappop(waiting)
        message = messages[number]
        if len(message.received) == receives:
            message.ended = message.moved = visible
            continue
        start = max(visible, heappop(free))
        if start >= 60 * scenario.minutes:
            return
        message.received.append(start)
        heappush(free, start + scenario.takes)
        failed = scenario.fails(number, start)
        if failed:
            heappush(waiting, (start + visibility, number))
        else:
            message.ended = start + scenario.takes
        yield start, failed


def _is_hidden(message: Message, now: float, visibility: int) -> bool:
    return any(each <= now < each + visibility for each in message.received)


def _is_counted(message: Message, now: float) -> bool:
    return sum(each <= now for each in message.received) < COUNTED_RECEIVES


def steady(a_minute: float, minutes: int = BEFORE + AFTER) -> list[float]:
    """Return so many messages a minute, evenly."""
    gap = 60 / a_minute
    return [gap * (number + 0.5) for number in range(int(minutes * a_minute))]


def after(second: float, until: float = float("inf")) -> Fails:
    """All messages fail that are received then, in seconds since `BEFORE`."""
    since = 60 * BEFORE
    return lambda _, at: since + second <= at < since + until


MANY = 20
IN_FIVE, LATER, IN_AN_HOUR = range(6), range(4, 9), range(AFTER + 1)
HELD_UP = range(25, 35)
"""When the oldest message of a queue waits too long."""


def _scenarios() -> list[Scenario]:
    found = []
    for rate in (1, 9, MANY):
        page = {"page": LATER if rate < 3 else IN_FIVE}
        named = f"at {rate} a minute"
        found += [
            Scenario(f"all is well {named}", steady(rate)),
            Scenario(f"an outage {named}", steady(rate), after(0), tells=page),
            Scenario(f"a crash {named}", steady(rate), after(0), crash=True, tells=page),
            Scenario(f"three minutes of an outage {named}", steady(rate), after(0, 180)),
            Scenario(f"three minutes of a crash {named}", steady(rate), after(0, 180), crash=True),
            Scenario(
                f"each second message fails once {named}",
                steady(rate),
                _first_receives(steady(rate)),
            ),
            Scenario(
                f"a message that kills its process {named}",
                steady(rate),
                _only(rate * BEFORE),
                takes=10 if rate == MANY else 1,  # so that others are there as well
                crash=True,
                tells={"ticket": IN_AN_HOUR},
                holds_up=True,
            ),
        ]
    for rate in (9, MANY):
        found.append(
            Scenario(
                f"five minutes of an outage at {rate} a minute",
                steady(rate),
                after(0, 300),
                tells={"page": IN_FIVE},
            )
        )
    burst = 60.0 * BEFORE + 50
    found += [
        Scenario("nobody sends", []),
        Scenario(
            "a message that kills its process, and no other",
            [burst],
            after(0),
            crash=True,
            tells={"ticket": IN_AN_HOUR},
            holds_up=True,
        ),
        Scenario("a message that fails, and no other", [burst], after(0), holds_up=True),
        Scenario("two messages that fail, and no other", [burst, burst], after(0), holds_up=True),
        Scenario("a burst of messages that take a minute", [burst] * 10, takes=59, consumers=2),
        Scenario("a burst of 23 minutes", [burst] * 46, takes=60, consumers=2),
        Scenario(
            "a burst of 50 minutes",
            [burst] * 100,
            takes=60,
            consumers=2,
            tells={"page": HELD_UP},
        ),
    ]
    return found


def _only(killer: int) -> Fails:
    return lambda number, _: number == killer


def _first_receives(sent: Sequence[float]) -> Fails:
    """Each second message fails at its first receive, which is soon after it was sent."""
    return lambda number, at: number % 2 == 0 and at < sent[number] + 2


SCENARIOS = _scenarios()
