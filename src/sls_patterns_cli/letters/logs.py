"""What the log of a function says of what it could not process.

Errors are read once for all letters of a function, and no letter costs a call: a look begins where
the first letter without an error is, and the next one where that ended. Both are bounded.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sls_patterns_cli.letters.aws import Clients, is_denied
from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.letter import at, decoded
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.wiring.model import FUNCTION

ERROR_FIELDS = "errorMessage", "error", "exception", "message"
ERRORS = "ERROR", "Error", "Exception", "Traceback", "Task timed out", "Runtime exited"
PATTERNS = '"ERROR"', '"Task timed out"', '"Runtime exited"'
"""What Lambda and loggers write where something fails; one call each, since a pattern of several
words asks for all of them."""

IDS = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|1-[0-9a-f]{8}-[0-9a-f]{24})\b"
)
"""Of messages, requests and traces."""

REQUEST_FIELDS = "function_request_id", "requestId", "request_id", "AWSRequestId"

BEFORE = AFTER = timedelta(hours=1)
"""A letter failed within this of when SQS says that it was sent: before, if that is when the letter
came; after, if that is when its message was first sent (fact X20)."""

SLACK = timedelta(hours=1)
"""So much earlier a look begins, as letters that are somewhat older follow."""

MOST_LOOKS = 5
MOST_EVENTS = 1_000
MOST_PAGES = 20
MOST_SECONDS = 20.0
"""Bounds for a function: looks, events of each pattern in a look, and pages, as most may be empty:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

MOST_LINES = 20
LONGEST_ERROR = 500


@dataclass(frozen=True)
class Line:
    """A line of a log."""

    at: datetime
    text: str

    @property
    def error(self) -> str:
        """The error that it tells of, "" for a line that tells of none."""
        return _error(self.text)


class Logs:
    """The logs of a stack's functions, each read when it is first asked for."""

    def __init__(self, deployed: Deployed, clients: Clients) -> None:
        self._deployed, self._clients = deployed, clients
        self._by_function: dict[str, Log] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> "Log | None":
        """Return the log of a function by its logical id; None for what is no function here."""
        resource = self._deployed.stack.resources.get(name)
        if resource is None or resource.type != FUNCTION or name not in self._deployed.ids:
            return None
        with self._lock:
            if name not in self._by_function:
                self._by_function[name] = Log(self._clients, self._deployed.ids[name])
            return self._by_function[name]


class Log:
    """The log of one function. `problem` says that it may not be read; a log that is not there is
    empty."""

    def __init__(self, clients: Clients, function: str) -> None:
        self._clients, self._function = clients, function
        self._now = datetime.now(UTC)
        self._ends_at = time.monotonic() + MOST_SECONDS
        self._looks = 0
        self._covered: list[tuple[datetime, datetime]] = []
        self._by_id: dict[str, str] = {}
        self._errors: list[tuple[datetime, str]] = []
        self._texts: dict[str, str] = {}
        """Each error once, as many lines have the same."""
        self._group = ""
        self._lock = threading.Lock()
        """A redrive has several threads, and one look is for all of them."""
        self._is_there = True
        self.problem = ""

    def error_of(self, ids: Iterable[str], when: datetime) -> str:
        """Return the last error about one of the ids, the first id first; "" for none."""
        with self._lock:
            self._cover(when)
        return next((self._by_id[id_] for id_ in ids if id_ in self._by_id), "")

    def most_likely(self, oldest: datetime, newest: datetime) -> str:
        """Return the most frequent error of the time in which letters failed, "" for none."""
        with self._lock:
            self._cover(oldest)
            self._cover(newest)
        within = [
            error for when, error in self._errors if oldest - BEFORE <= when <= newest + AFTER
        ]
        return Counter(within).most_common(1)[0][0] if within else ""

    def lines_about(self, ids: Iterable[str], when: datetime) -> list[Line]:
        """Return lines about a letter, and about the requests that had it; MOST_LINES at most."""
        found: dict[str, Line] = {}
        asked = [id_ for id_ in dict.fromkeys(ids) if id_]
        for id_ in asked:
            found |= self._lines_with(id_, when)
        requests = dict.fromkeys(id_ for line in found.values() for id_ in _requests(line.text))
        for id_ in [each for each in requests if each not in asked][:3]:
            found |= self._lines_with(id_, when)
        return sorted(found.values(), key=lambda line: line.at)[-MOST_LINES:]

    def _lines_with(self, id_: str, when: datetime) -> dict[str, Line]:
        events, _ = self._read(f'"{id_}"', when - BEFORE, pages=1)
        return {
            event["eventId"]: Line(at(event["timestamp"]), event["message"]) for event in events
        }

    def _cover(self, when: datetime) -> None:
        """Read the errors from before until after a time, as far as the bounds allow."""
        since, until = when - BEFORE, min(when + AFTER, self._now)
        while (gap := self._gap(since, until)) is not None and self._may_look:
            # SQS gives letters in no strict order: the next one may be a little older.
            self._look(gap - SLACK if gap == since else gap)

    @property
    def _may_look(self) -> bool:
        is_in_time = time.monotonic() < self._ends_at
        return self._looks < MOST_LOOKS and is_in_time and self._is_there

    def _gap(self, since: datetime, until: datetime) -> datetime | None:
        for start, end in sorted(self._covered):
            if start <= since < end:
                since = end
        return since if since < until else None

    def _look(self, since: datetime) -> None:
        """Read the errors from a time on, and note how far they go."""
        self._looks += 1
        covered = self._now
        for pattern in PATTERNS:
            events, is_all = self._read(pattern, since, pages=MOST_PAGES)
            if not is_all and events:
                covered = min(covered, at(events[-1]["timestamp"]))
            for event in events:
                self._note(Line(at(event["timestamp"]), event["message"]))
        # Of one time there may be more lines than a look returns: the next one begins after it.
        self._covered.append((since, max(covered, since + timedelta(milliseconds=1))))

    def _note(self, line: Line) -> None:
        if error := line.error:
            error = self._texts.setdefault(error, error)
            self._errors.append((line.at, error))
            self._by_id |= dict.fromkeys(IDS.findall(line.text), error)

    def _read(
        self, pattern: str, since: datetime, *, pages: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return events with a pattern since a time, and whether these are all of them."""
        from botocore.exceptions import ClientError

        events: list[dict[str, Any]] = []
        asked: dict[str, Any] = {
            "startTime": max(0, int(since.timestamp() * 1000)),
            "filterPattern": pattern,
            "limit": MOST_EVENTS,
        }
        for _ in range(pages):
            try:
                with interrupts.allowed():
                    answer = self._clients("logs").filter_log_events(
                        logGroupName=self.log_group(), **asked
                    )
            except ClientError as error:
                self._is_there = False
                self.problem = "its log may not be read" if is_denied(error) else ""
                return events, True
            events += answer["events"]
            if not answer.get("nextToken"):
                return events, len(answer["events"]) < MOST_EVENTS
            asked["nextToken"] = answer["nextToken"]
            if len(events) >= MOST_EVENTS or time.monotonic() > self._ends_at:
                break
        return events, False

    def log_group(self) -> str:
        """Return its log group, which Lambda names."""
        if not self._group:
            found = self._clients("lambda").get_function_configuration(FunctionName=self._function)
            named = (found.get("LoggingConfig") or {}).get("LogGroup")
            self._group = str(named or f"/aws/lambda/{self._function}")
        return self._group


def _error(line: str) -> str:
    """Return the error that a line tells of, "" for a line that tells of none."""
    told = decoded(line)
    if isinstance(told, dict):
        level = str(told.get("level") or told.get("log_level") or "").upper()
        if level not in {"ERROR", "CRITICAL", "FATAL"} and "errorMessage" not in told:
            return ""
        return _of_fields(told)[:LONGEST_ERROR]
    return _of_text(line)[:LONGEST_ERROR] if any(word in line for word in ERRORS) else ""


def _of_fields(told: dict[str, Any]) -> str:
    """Return the error of a line of JSON: its type with its message, if it has one."""
    values = [told[name] for name in ERROR_FIELDS if told.get(name)]
    text = _text(values[0]) if values else ""
    kind = told.get("errorType") or told.get("exception_name")
    # A traceback ends with the error; the frames before it differ from release to release.
    text = text.strip().splitlines()[-1] if text.startswith("Traceback") else text
    return text if not kind or str(kind) in text else f"{kind}: {text}"


def _of_text(line: str) -> str:
    """Return the error of a line of text, as Lambda writes one: without times, ids and frames."""
    first = line.strip().splitlines()[0]
    _, is_marked, said = first.rpartition("[ERROR]")
    words = (said if is_marked else first).split("\t")
    return words[-1].strip() or first


def _requests(line: str) -> Iterator[str]:
    """Yield the ids of the requests that a line is of."""
    told = decoded(line)
    if isinstance(told, dict):
        yield from (str(told[name]) for name in REQUEST_FIELDS if told.get(name))


def _text(value: Any) -> str:
    if isinstance(value, dict) and value.get("message"):
        return ": ".join(str(value[name]) for name in ("name", "message") if value.get(name))
    return value if isinstance(value, str) else json.dumps(value)
