"""A queue keeps every message that it accepted, also while its consumer polls.

AWS: a message that SendMessage acknowledged is stored redundantly before the answer.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-architecture.html

Emulator: API calls and the event source poller change a queue's list of messages from two
threads, and only the poller locks it. A message sent while the poller rebuilds the list is lost.
"""

import threading
from collections.abc import Callable
from typing import Any

from ministack.services import sqs

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

STEPS = {
    "_expire_retained": "c0da3361632b",
    "_dlq_sweep": "6a77691e1671",
    "_collect_msgs": "308a6eb1b3d4",
    "_refresh_counts": "5d0fb7b342d2",
}
"""The steps of a receive, which waits between them and so cannot be locked as a whole."""


def apply() -> None:
    rely_on(sqs._receive_messages_for_esm, "f230dbcd4974")
    # Sends call each other, and the poller calls the steps, with the lock already held.
    sqs._queues_lock = threading.RLock()
    for name, fingerprint in STEPS.items():
        replace(sqs, name, fingerprint, _locked)
    for action, handler in sqs._HANDLERS.items():
        if action != "ReceiveMessage":
            sqs._HANDLERS[action] = _locked(handler)


def _locked(function: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*arguments: Any) -> Any:
        with sqs._queues_lock:
            return function(*arguments)

    return locked
