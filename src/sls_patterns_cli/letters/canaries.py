"""One letter of each group of causes, sent before the rest: was it processed, or did it come back?

That nothing has come back shows nothing. A message was processed if the log of its consumer has a
line with its id, in an invocation that has succeeded; or if it has left its queue, which stays
empty for as long as SQS may count late, and is not in the dead-letter queue.
"""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from sls_patterns_cli.letters.letter import Letter
from sls_patterns_cli.letters.logs import ERRORS
from sls_patterns_cli.letters.stores import Queue, seconds
from sls_patterns_cli.letters.ways.queues import SentToQueue
from sls_patterns_cli.letters.ways.way import Way

COUNTS_LATE = 60
"""Seconds for which SQS may count what is not so any more:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html"""

MOST_LINES = 50
"""Lines of a log that are looked at about one id."""

LEAST_WAIT = 10.0
"""Seconds for which a canary is waited for at least, unless somebody says less."""

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

State = Literal["new", "undecided", "good", "bad"]


@dataclass
class Group:
    """The letters of a redrive that have one cause."""

    id: str
    state: State = "new"
    canary: Letter | None = None
    way: Way | None = None
    message_id: str = ""
    """The id that the canary has in the queue it was sent to."""
    reason: str = ""
    """Why it is bad."""
    waiting: int = 0
    """How many letters of it are held back in this pass."""
    sent_at: float = field(default_factory=time.monotonic)
    empty_since: float | None = None

    def begin(self, way: SentToQueue, letter: Letter, message_id: str) -> None:
        """Note that its canary is sent."""
        self.state, self.canary, self.way, self.message_id = "undecided", letter, way, message_id
        self.sent_at = time.monotonic()

    def fail(self, reason: str) -> None:
        self.state, self.reason = "bad", reason


def most_seconds(way: SentToQueue) -> int:
    """Return how long it takes on AWS until a message is back that fails each time; 0 for ever."""
    queue = Queue(way.goes_to, way.url, way.clients)
    return queue.visibility_seconds * queue.most_receives


def wait_for(ways: list[Way], wait: float | None) -> float:
    """Return for how many seconds canaries are waited for here."""
    if wait is not None:
        return wait
    longest = max((most_seconds(way) for way in ways if isinstance(way, SentToQueue)), default=0)
    return max(LEAST_WAIT, (longest + 2 * COUNTS_LATE) / seconds(1))


def is_logged(group: Group) -> bool:
    """Tell whether the log of the consumer has the canary, in an invocation that has succeeded."""
    from botocore.exceptions import ClientError

    way = group.way
    log = way.context.logs.of(way.failed) if way else None
    if way is None or log is None or not group.message_id:
        return False
    try:
        given = {
            "logGroupName": log.log_group(),
            "startTime": int((_now() - timedelta(seconds=_age(group))).timestamp() * 1000),
            "limit": MOST_LINES,
        }
        logs = way.clients("logs")

        def lines(*words: str) -> list[str]:
            pattern = " ".join(f'"{word}"' for word in words)
            found = logs.filter_log_events(**given, filterPattern=pattern)
            return [str(event["message"]) for event in found["events"]]

        mentioned = lines(group.message_id)
        if any(_is_error(line) for line in mentioned):
            return False
        requests = {each for line in mentioned for each in REQUEST_ID.findall(line)}
        reports = [lines(each, "report") or lines(each, "REPORT") for each in requests]
    except ClientError:
        return False  # there is none yet, or it may not be read: then only the queue tells
    return any(each and not any(map(_is_failure, each)) for each in reports)


def is_consumed(group: Group) -> bool:
    """Tell whether the queue that the canary went to has been empty for long enough."""
    way = group.way
    if not isinstance(way, SentToQueue):
        return False
    now = time.monotonic()
    if Queue(way.goes_to, way.url, way.clients).counts().total:
        group.empty_since = None
        return False
    if group.empty_since is None:
        group.empty_since = now
    return now - group.empty_since >= COUNTS_LATE / seconds(1)


def _is_error(line: str) -> bool:
    return '"ERROR"' in line or any(word in line for word in ERRORS)


def _is_failure(report: str) -> bool:
    return "Status: error" in report or "Status: timeout" in report or '"failure"' in report


def _now() -> datetime:
    return datetime.now(UTC)


def _age(group: Group) -> float:
    """Return how many seconds ago the canary was sent, and some more for clocks that differ."""
    return time.monotonic() - group.sent_at + 5
