"""How adapters put messages into queues and wake their consumers; it changes nothing itself."""

import heapq
import json
import threading
import time
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.services import sqs


def send(queue_arn: str, body: Any, **attributes: str) -> bool:
    """Send `body` in the name of a service; return whether there is such a queue.

    As JSON unless it is text, with text attributes.
    """
    return _sent(
        queue_arn,
        {
            "MessageBody": body if isinstance(body, str) else json.dumps(body),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        },
    )


def put(queue_arn: str, body: str, request: dict[str, Any]) -> None:
    """Send a message with more of what SendMessage takes; raises ValueError if it is refused."""
    try:
        is_there = _sent(queue_arn, {"MessageBody": body, **request})
    except sqs._Err as error:
        raise ValueError(str(error)) from error
    if not is_there:
        raise ValueError(f"{queue_arn} does not exist")


def _sent(queue_arn: str, request: dict[str, Any]) -> bool:
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        return False
    sqs._HANDLERS["SendMessage"]({"QueueUrl": queue["url"], **request}, queue["url"])
    esm_wake.set()
    return True


def wake_consumers_after(seconds: float) -> None:
    """Let event source mappings look at their queues once more, when a message is visible."""
    if seconds <= 0:
        esm_wake.set()
        return
    with _alarm:
        due = time.monotonic() + seconds
        heapq.heappush(_due, due)
        if _due[0] == due:
            _alarm.notify()
        if not _sleeper:
            _sleeper.append(threading.Thread(target=_wake_when_due, daemon=True))
            _sleeper[0].start()


_alarm = threading.Condition()
_due: list[float] = []
_sleeper: list[threading.Thread] = []
"""One for all messages: there may be a hundred thousand."""


def _wake_when_due() -> None:
    while True:
        with _alarm:
            while not _due or (left := _due[0] - time.monotonic()) > 0:
                _alarm.wait(left if _due else None)
            while _due and _due[0] <= time.monotonic():
                heapq.heappop(_due)
        esm_wake.set()
