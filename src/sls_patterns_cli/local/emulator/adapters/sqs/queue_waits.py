"""The waits of a queue are divided, and its attributes still say what AWS waits.

AWS: knows whole seconds. A message that was received, or sent with a delay, is invisible for that
long; ReceiveMessage waits for a message for up to WaitTimeSeconds.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html

Emulator: waits as long as AWS does; only where it reads a number does it know no fractions.

The work of a client that calls ReceiveMessage is not divided, and so a message that it got is
invisible for a second at least; an event source mapping knows when the work ends
(event_source_visibility).
The work that brings the message for which a receive waits is not divided either.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import sqs

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.sqs.messages import messages_of
from sls_patterns_cli.local.emulator.adapters.sqs.queues import wake_consumers_after
from sls_patterns_cli.local.emulator.timescale import here

RECEIVE_FACTOR = 20
"""The longest receive, of 20 seconds, waits for one."""

LOOKS_EVERY_SECONDS = 0.02

Answer = dict[str, Any]
Request = dict[str, Any]


def apply() -> None:
    replace(sqs, "queue_delay", "75e9c1373045", _divided)
    replace(sqs, "_collect_msgs", "308a6eb1b3d4", _invisible)
    replace(sqs, "_act_send_message", "3abd766508c8", _delayed)
    sqs._HANDLERS["SendMessage"] = sqs._act_send_message
    replace(sqs._HANDLERS, "ReceiveMessage", "abc94f693de1", _waiting)
    replace(sqs._HANDLERS, "ChangeMessageVisibility", "387eac7e8e12", _changed)
    replace(sqs._HANDLERS, "ChangeMessageVisibilityBatch", "bd08e3c7b0ab", _changed_in_batch)


def _divided(delay: Callable[[Any], int]) -> Callable[[Any], float]:
    """The delay of what the services themselves send."""

    def queue_delay(queue: Any) -> float:
        seconds = here().divided(delay(queue))
        if seconds:
            wake_consumers_after(seconds)
        return seconds

    return queue_delay


def _invisible(collect: Callable[..., Any]) -> Callable[..., Any]:
    def collect_messages(queue: Any, most: int, seconds: float) -> Any:
        return collect(queue, most, here().visibility(seconds))

    return collect_messages


def _delayed(send: Callable[[Request, str], Answer]) -> Callable[[Request, str], Answer]:
    def send_message(request: Request, url: str) -> Answer:
        with sqs._queues_lock:
            before = time.time()
            answer = send(request, url)
            messages = messages_of(sqs._get_q(request.get("QueueUrl", url)))
            # A duplicate in a FIFO queue is answered and not kept.
            if messages and (message := messages[-1])["sent_at"] >= before:
                delay = here().divided(message["visible_at"] - message["sent_at"])
                if delay > 0:
                    message["visible_at"] = message["sent_at"] + delay
                    wake_consumers_after(delay)
        return answer

    return send_message


def _waiting(
    receive: Callable[[Request, str], Awaitable[Answer]],
) -> Callable[[Request, str], Awaitable[Answer]]:
    async def receive_message(request: Request, url: str) -> Answer:
        wait = request.get("WaitTimeSeconds")
        if wait is None:
            attributes = sqs._get_q(request.get("QueueUrl", url))["attributes"]
            wait = attributes.get("ReceiveMessageWaitTimeSeconds", "0")
        deadline = time.monotonic() + int(wait) / RECEIVE_FACTOR
        at_once = {**request, "WaitTimeSeconds": 0}
        while True:  # whatever makes a message visible, be it time
            answer = await receive(at_once, url)
            if answer or time.monotonic() >= deadline:
                return answer
            await asyncio.sleep(LOOKS_EVERY_SECONDS)

    return receive_message


def _changed(change: Callable[[Request, str], Answer]) -> Callable[[Request, str], Answer]:
    def change_visibility(request: Request, url: str) -> Answer:
        with sqs._queues_lock:
            answer = change(request, url)
            _hide(request.get("QueueUrl", url), request)
        return answer

    return change_visibility


def _changed_in_batch(change: Callable[[Request, str], Answer]) -> Callable[[Request, str], Answer]:
    def change_visibility_batch(request: Request, url: str) -> Answer:
        with sqs._queues_lock:
            answer = change(request, url)
            for entry in request["Entries"]:
                _hide(request.get("QueueUrl", url), entry)
        return answer

    return change_visibility_batch


def _hide(url: str, change: Request) -> None:
    seconds = here().visibility(int(change["VisibilityTimeout"]))
    message = messages_of(sqs._get_q(url)).with_handle(change["ReceiptHandle"])
    if message is not None:
        message["visible_at"] = time.time() + seconds
        wake_consumers_after(seconds)
