"""A message is invisible while its batch runs, and delivered again as soon as it is visible.

AWS: a queue's visibility timeout may not be shorter than its function's timeout, so no message
becomes visible while it is being handled; Lambda polls all the time.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

Emulator: counts from the receive, and looks for messages that are visible again once a second.
With waits that are divided and cold starts that are not, a message would be delivered again, and
its attempts be used up, while the function starts. Here the timeout, divided, counts from the end
of a failed invocation, and its end is acted upon at once.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from sls_patterns_cli.local.adapters import replace
from sls_patterns_cli.local.adapters.sqs.queues import wake_consumers_after
from sls_patterns_cli.local.timescale import FACTOR

PAUSE_AFTER_FAILURE_SECONDS = 0.05
"""The emulator leaves a queue alone for a second after a batch failed; AWS only slows down."""


def apply() -> None:
    lambda_svc._ESM_BACKOFF_SECONDS = PAUSE_AFTER_FAILURE_SECONDS
    replace(lambda_svc, "_run_sqs_batch", "f9bf630aabf3", _held)


def _held(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_batch(*arguments: Any) -> None:
        _mapping, _function, _event, batch, url, _name = arguments
        with sqs._queues_lock:
            visibility = int(sqs._get_q(url)["attributes"]["VisibilityTimeout"]) / FACTOR
            for message in batch:
                message["visible_at"] = math.inf
        try:
            run(*arguments)
        finally:
            _release(batch, visibility)

    return run_batch


def _release(batch: list[dict[str, Any]], visibility_seconds: float) -> None:
    with sqs._queues_lock:
        for message in batch:
            if message["visible_at"] == math.inf:  # not if the handler has set it itself
                message["visible_at"] = time.time() + visibility_seconds
    wake_consumers_after(visibility_seconds)
