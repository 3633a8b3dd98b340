"""Buses keep their events, subscribers read them from where they begin; it changes nothing itself.

AWS: a bus keeps every event for 1 to 365 days, for 1 unless it says so. A subscriber reads what is
published from then on, or from a point in what is kept: after that it goes on with what is new,
unless it has an end. A stopped one goes on where it was. Deliveries are tried again as RetryPolicy
says, whatever failed: by default 5 times within 300 seconds; AWS does not say how long it waits in
between. Then the queue in OnFailureConfiguration gets a record, with ids and without the events, in
the name of the role; if there is none, or the role may not send there, they are dropped.

FIFO: events of a group are delivered in their order. A call that fails holds up the later ones: of
its group, as eb-custom-bus-ordering says, or of all groups, as eb-custom-bus-retry says. Here all
are held up, since a batch may have events of several groups.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-retry.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-replay.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-ordering.html
"""

import contextvars
import json
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import retries
from sls_patterns_cli.local.emulator.adapters.eventsv2.delivery import (
    Delivery,
    Failure,
    assumes,
    deliver,
    most_in_a_batch,
)
from sls_patterns_cli.local.emulator.adapters.eventsv2.events import Event, matches, timestamp
from sls_patterns_cli.local.emulator.adapters.iam.permissions import SENDING, role_may
from sls_patterns_cli.local.emulator.adapters.sqs import queues
from sls_patterns_cli.local.emulator.timescale import here

DAY_SECONDS = 86_400
DEDUPLICATED_SECONDS = 300

LONGEST_MESSAGE = 1_024
"""Of the error in a record."""

UNGROUPED = "ungrouped"
"""The group in a FIFO queue of records about events that have none; AWS does not say it."""

RUNNING, STOPPED = "RUNNING", "STOPPED"


@dataclass
class Bus:
    """A bus with its events and subscribers; `changed` is held to read or change them."""

    arn: str
    name: str
    configuration: dict[str, Any]
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    events: list[Event] = field(default_factory=list)
    subscribers: dict[str, "Subscriber"] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    _accepted: dict[tuple[str | None, str], Event] = field(default_factory=dict)

    @property
    def retention_days(self) -> int:
        storage = self.configuration.get("StorageConfiguration") or {}
        return int(storage.get("RetentionPeriodInDays", 1))

    @property
    def window_start(self) -> float:
        """The earliest point that a subscriber may start at."""
        return max(time.time() - self.retention_days * DAY_SECONDS, self.created)

    def publish(self, event: Event, key: str | None) -> tuple[Event, bool]:
        """Keep an event; return it, or the one with the same key that came within five minutes."""
        with self.changed:
            if key is not None:
                before = self._accepted.get((event.group, key))
                if before and event.at - before.at < DEDUPLICATED_SECONDS:
                    return before, False
                self._accepted[event.group, key] = event
            self.events.append(event)
            self.changed.notify_all()
        return event, True


class Subscriber:
    """Reads a bus in a thread of its own."""

    def __init__(self, bus: Bus, arn: str, configuration: dict[str, Any]) -> None:
        self.bus, self.arn, self.configuration = bus, arn, configuration
        self.created = self.modified = time.time()
        self.state = configuration.get("State", RUNNING)
        self.is_deleted = False
        self._position = self._start()
        context = contextvars.copy_context()
        self._context = context
        threading.Thread(target=context.run, args=(self._read,), daemon=True).start()

    def update(self, given: dict[str, Any]) -> None:
        """Change what is given; what is left out stays."""
        with self.bus.changed:
            invoke = {**self.configuration["InvokeConfiguration"]}
            if "InvokeConfiguration" in given:
                invoke = {"TargetArn": invoke["TargetArn"], **given["InvokeConfiguration"]}
            resumes = self.state == STOPPED and given.get("State") == RUNNING
            if resumes and given.get("ResumePosition") == "LATEST":
                self._position = len(self.bus.events)
            self.configuration = {**self.configuration, **given, "InvokeConfiguration": invoke}
            self.state = self.configuration.get("State", RUNNING)
            self.modified = time.time()
            self.bus.changed.notify_all()

    def delete(self) -> None:
        """Deliver nothing more."""
        with self.bus.changed:
            self.is_deleted = True
            self.bus.subscribers.pop(self.arn, None)
            self.bus.changed.notify_all()

    def _start(self) -> int:
        events = self.bus.events
        if self.configuration.get("StartingPosition", "LATEST") == "LATEST":
            return len(events)
        start = self._point("StartingPoint")
        return sum(event.at < start for event in events) if start else 0

    def _point(self, name: str) -> float | None:
        """A point in time of the configuration, in seconds since the epoch."""
        point = (self.configuration.get("PointInTimeConfiguration") or {}).get(name)
        return seconds(point) if point is not None else None

    def _read(self) -> None:
        while (batch := self._next()) is not None:
            if self.configuration.get("Type") == "FIFO":
                self._deliver(batch)
                continue
            context = self._context.copy()
            threading.Thread(target=context.run, args=(self._deliver, batch), daemon=True).start()

    def _next(self) -> list[Event] | None:
        """Wait for a batch of events that match, and return it; None once this is deleted."""
        most = most_in_a_batch(self.configuration)
        batching = self.configuration.get("BatchConfiguration") or {}
        window = here().divided(batching.get("MaxBatchWindowInSeconds", 0))
        batch, until = list[Event](), None
        with self.bus.changed:
            while not self.is_deleted:
                self._take(batch, most)
                if batch and until is None:
                    until = time.monotonic() + window
                left = until - time.monotonic() if until else None
                if len(batch) == most or (left is not None and left <= 0):
                    return batch
                self.bus.changed.wait(left)
        return None

    def _take(self, batch: list[Event], most: int) -> None:
        events = self.bus.events
        while self.state == RUNNING and self._position < len(events) and len(batch) < most:
            event = events[self._position]
            self._position += 1
            if self._is_for_it(event):
                batch.append(event)

    def _is_for_it(self, event: Event) -> bool:
        end = self._point("EndPoint")
        if end is not None and event.at >= end:
            return False
        filters = (self.configuration.get("FilterConfiguration") or {}).get("Filters") or []
        return matches(self._seen(event), filters)

    def _seen(self, event: Event) -> dict[str, Any]:
        return event.seen(replayed=event.at < self.created)

    def _deliver(self, batch: list[Event]) -> None:
        configuration = self.configuration
        left, failures = list(batch), list[Failure]()

        def is_delivered() -> bool:
            nonlocal left, failures
            seen = [(event, self._seen(event)) for event in left]
            failures = deliver(Delivery(configuration, self.arn, seen))
            left = [failure.event for failure in failures]
            return not left or self.is_deleted

        policy = retries.of_subscriber(configuration.get("RetryPolicy") or {})
        tried = policy.until(is_delivered)
        if not tried.delivered:
            self._give_up(failures, tried)

    def _give_up(self, failures: Sequence[Failure], tried: retries.Tried) -> None:
        invoke = self.configuration["InvokeConfiguration"]
        queue = str((self.configuration.get("OnFailureConfiguration") or {}).get("Arn", ""))
        role = invoke["RoleArn"]
        may = assumes(self.arn, role) and role_may(role, SENDING["sqs"], queue)
        is_kept = bool(queue) and may and self._keep(queue, failures, tried)
        journal.note(
            journal.GivenUp(
                "eventbridge-v2",
                self.arn,
                invoke["TargetArn"],
                queue if is_kept else "",
                attempts=tried.attempts,
                seconds=tried.seconds,
                bodies=tuple(json.dumps(failure.event.data) for failure in failures),
            )
        )

    def _keep(self, queue: str, failures: Sequence[Failure], tried: retries.Tried) -> bool:
        """Put a record into the queue, a FIFO queue one for each group; tell whether it is kept."""
        if not queue.endswith(".fifo"):
            return _kept(queue, self._record(failures, tried), {})
        groups = defaultdict[str, list[Failure]](list)
        for failure in failures:
            groups[failure.event.group or UNGROUPED].append(failure)
        return all(
            _kept(queue, self._record(of_group, tried), _in_group(group, of_group))
            for group, of_group in groups.items()
        )

    def _record(self, failures: Sequence[Failure], tried: retries.Tried) -> str:
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-retry.html."""
        record = {
            "version": "1.0",
            "busArn": self.bus.arn,
            "subscriberArn": self.arn,
            "targetArn": self.configuration["InvokeConfiguration"]["TargetArn"],
            "errorCode": failures[0].code,
            "errorMessage": failures[0].message[:LONGEST_MESSAGE],
            "exhaustedRetryCondition": tried.condition,
            "retryAttempts": tried.attempts - 1,
            "failedMessages": [
                {
                    "eventId": event.id,
                    "eventGroupId": event.group,
                    "deduplicationId": event.system.get("DeduplicationId"),
                    "timestamp": timestamp(event.at),
                    "targetRequestId": "",
                }
                for event in (failure.event for failure in failures)
            ],
        }
        return json.dumps(record)


def seconds(point: Any) -> float:
    """Return a point in time of the API or of a template in seconds since the epoch."""
    return float(point.timestamp() if hasattr(point, "timestamp") else point)


def _in_group(group: str, failures: Sequence[Failure]) -> dict[str, Any]:
    first = failures[0].event.id
    return {"MessageGroupId": group, "MessageDeduplicationId": first}


def _kept(queue: str, record: str, request: dict[str, Any]) -> bool:
    try:
        queues.put(queue, record, request)
    except ValueError:
        return False
    return True
