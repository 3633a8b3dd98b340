"""A message is invisible while its batch runs, and delivered again as soon as it is visible.

AWS: a message that was received is invisible for the queue's visibility timeout. That may not be
shorter than the function's timeout when the mapping is created, so no message becomes visible while
it is being handled; if it is made shorter later, messages are delivered again meanwhile, and the
first delivery no longer deletes them. Lambda polls all the time.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html

Emulator: counts from the receive, and looks for messages that are visible again once a second; a
batch deletes its messages also where they have been delivered again.
With waits that are divided and cold starts that are not, a message would be delivered again, and
its attempts be used up, while the function starts. Here the timeout, divided, counts from the end
of a failed invocation, and its end is acted upon at once. A timeout that is shorter than the
function's counts from the receive and is not divided, as the work is not.
A busy machine takes longer for an attempt, and for whatever ends the attempts. So all of them take
at least as long as the work of ATTEMPTS_WORK, if their undivided timeouts are that long.
"""

import json
import math
import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.sqs.queues import wake_consumers_after
from sls_patterns_cli.local.emulator.timescale import here

WORK_TAKES_TIME = True
"""Where functions answer at once, no message is visible again before."""

ATTEMPTS_WORK = 20
"""Four times that of an attempt between two of five."""

PAUSE_AFTER_FAILURE_SECONDS = 0.05
"""The emulator leaves a queue alone for a second after a batch failed; AWS only slows down."""


def apply() -> None:
    lambda_svc._ESM_BACKOFF_SECONDS = PAUSE_AFTER_FAILURE_SECONDS
    replace(lambda_svc, "_run_sqs_batch", "f9bf630aabf3", _held)


def _held(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_batch(*arguments: Any) -> None:
        mapping, function, event, batch, url, name = arguments
        with sqs._queues_lock:
            attributes = sqs._get_q(url)["attributes"]
            visibility = int(attributes["VisibilityTimeout"])
            hidden_until = math.inf
            if WORK_TAKES_TIME and visibility < function["config"]["Timeout"]:
                hidden_until = time.time() + visibility
                wake_consumers_after(visibility)
            for message in batch:
                message["visible_at"] = hidden_until
            # With the receipt handles of this delivery, which do not delete what has had another.
            delivered = [dict(message) for message in batch]
        started = time.monotonic()
        try:
            run(mapping, function, event, delivered, url, name)
        finally:
            took = time.monotonic() - started
            _release(batch, hidden_until, _visibility_here(visibility, _receives(attributes), took))

    return run_batch


def _visibility_here(seconds: int, receives: int, work_seconds: float) -> float:
    if not receives:
        return here().divided(seconds)
    for_work = min(here().divided(seconds), ATTEMPTS_WORK / receives * work_seconds)
    return max(here().mapped_visibility(seconds, receives * seconds), for_work)


def _receives(attributes: dict[str, str]) -> int:
    """After how many receives a message goes to the dead-letter queue; 0 if there is none."""
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    return int(policy.get("maxReceiveCount", 0))


def _release(batch: list[dict[str, Any]], hidden_until: float, visibility_seconds: float) -> None:
    with sqs._queues_lock:
        for message in batch:
            # Not if the handler has set it itself, or another delivery.
            if message["visible_at"] == hidden_until:
                message["visible_at"] = min(hidden_until, time.time() + visibility_seconds)
    wake_consumers_after(visibility_seconds)
