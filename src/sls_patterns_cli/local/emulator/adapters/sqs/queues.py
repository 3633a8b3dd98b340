"""How adapters put messages into queues and wake their consumers; it changes nothing itself."""

import json
import threading
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.services import sqs


def send(queue_arn: str, body: Any, **attributes: str) -> bool:
    """Send `body` in the name of a service; return whether there is such a queue.

    As JSON unless it is text, with text attributes.
    """
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        return False
    request = {
        "QueueUrl": queue["url"],
        "MessageBody": body if isinstance(body, str) else json.dumps(body),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    sqs._HANDLERS["SendMessage"](request, queue["url"])
    esm_wake.set()
    return True


def wake_consumers_after(seconds: float) -> None:
    """Let event source mappings look at their queues once more, when a message is visible."""
    timer = threading.Timer(seconds, esm_wake.set)
    timer.daemon = True
    timer.start()
