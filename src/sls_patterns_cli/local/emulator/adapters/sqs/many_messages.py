"""A queue with 100,000 messages is as fast as one with ten.

AWS: the number of messages in a queue is unlimited, and so is what is sent and received in a
second; of a FIFO queue it depends on its throughput.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

Emulator: looks at each message of the queue at each call, several times.
"""

import json
import time
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.adapters.sqs.messages import Message, messages_of

Answer = dict[str, Any]
Queue = dict[str, Any]
Request = dict[str, Any]

UNKNOWN = "The input receipt handle is invalid."


def apply() -> None:
    rely_on(sqs._collect_fifo, "dc84c5a1db0b")
    replace(sqs, "_expire_retained", "c0da3361632b", lambda _: _expire)
    replace(sqs, "_dlq_sweep", "6a77691e1671", lambda _: _sweep)
    replace(sqs, "_collect_msgs", "308a6eb1b3d4", lambda _: _collect)
    replace(sqs, "_refresh_counts", "5d0fb7b342d2", lambda _: _count)
    replace(sqs, "_prune_dedup", "798b8a9933ba", lambda _: _forget)
    replace(sqs, "_delete_messages_for_esm", "c1686f29b48b", lambda _: _delete_all)
    replace(sqs._HANDLERS, "DeleteMessage", "8d700665e3d6", lambda _: _delete)
    replace(sqs._HANDLERS, "DeleteMessageBatch", "877517c32f0f", lambda _: _delete_batch)
    replace(sqs._HANDLERS, "ChangeMessageVisibility", "387eac7e8e12", lambda _: _change)
    replace(sqs._HANDLERS, "ChangeMessageVisibilityBatch", "bd08e3c7b0ab", lambda _: _change_batch)


def _expire(queue: Queue) -> None:
    retention = int(queue["attributes"].get("MessageRetentionPeriod", "345600"))
    messages = messages_of(queue)
    for message in messages.older_than(time.time() - retention):
        messages.remove(message)


def _sweep(queue: Queue) -> None:
    """Move what was received often enough to the dead-letter queue."""
    policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
    most, arn = int(policy.get("maxReceiveCount", 0)), policy.get("deadLetterTargetArn", "")
    dead_letters = sqs._queue_by_arn(arn) if most and arn else None
    if dead_letters is None:
        return
    now, messages = time.time(), messages_of(queue)
    for message in messages.returned():
        if message["receive_count"] < most:
            continue
        messages.remove(message)
        # The time of sending stays; in a FIFO queue retention begins anew.
        begins = {"enqueued_at": now} if dead_letters.get("is_fifo") else {}
        source = {"DeadLetterQueueSourceArn": queue["attributes"].get("QueueArn", "")}
        moved = {
            **message,
            **begins,
            "receipt_handle": None,
            "visible_at": now,
            "sys": {**source, **message.get("sys", {})},
        }
        messages_of(dead_letters).append(moved)
        esm_wake.set()


def _collect(queue: Queue, most: int, seconds: float) -> list[Message]:
    now = time.time()
    taken = messages_of(queue).take(most, now)
    for message in taken:
        sqs._ensure_msg_fields(message)
        message["receipt_handle"] = new_uuid()
        message["receive_count"] += 1
        if message.get("first_receive_at") is None:
            message["first_receive_at"] = now
    for message in taken:
        message["visible_at"] = now + seconds
    return taken


def _count(queue: Queue) -> None:
    sqs._expire_retained(queue)
    now = time.time()
    visible = delayed = 0
    messages = messages_of(queue)
    for message in messages:
        if message.get("visible_at", now) <= now:
            visible += 1
        elif not message.get("receive_count"):
            delayed += 1
    counts = {"": visible, "NotVisible": len(messages) - visible - delayed, "Delayed": delayed}
    for kind, count in counts.items():
        queue["attributes"][f"ApproximateNumberOfMessages{kind}"] = str(count)


def _forget(queue: Queue) -> None:
    """Forget deduplication ids, which expire in the order in which they came."""
    known, now = queue["dedup_cache"], time.time()
    while known:
        first = next(iter(known))
        if known[first]["expire"] > now:
            return
        del known[first]


def _delete(request: Request, url: str) -> Answer:
    queue = sqs._get_q(request.get("QueueUrl", url), "sqs:DeleteMessage")
    handle = request.get("ReceiptHandle")
    if not handle:
        raise sqs._Err("MissingParameter", "The request must contain the parameter ReceiptHandle.")
    if not _is_deleted(queue, handle):
        raise sqs._Err("ReceiptHandleIsInvalid", UNKNOWN)
    return {}


def _delete_batch(request: Request, url: str) -> Answer:
    queue = sqs._get_q(request.get("QueueUrl", url), "sqs:DeleteMessage")
    entries = request.get("Entries", [])
    sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
    return _answer(entries, [_is_deleted(queue, each.get("ReceiptHandle")) for each in entries])


def _delete_all(url: str, handles: set[str]) -> None:
    with sqs._queues_lock:
        queue = sqs._get_q(url) if handles else {}
        for handle in handles:
            _is_deleted(queue, handle)


def _change(request: Request, url: str) -> Answer:
    queue = sqs._get_q(request.get("QueueUrl", url), "sqs:ChangeMessageVisibility")
    if not _is_changed(queue, request):
        raise sqs._Err("ReceiptHandleIsInvalid", UNKNOWN)
    return {}


def _change_batch(request: Request, url: str) -> Answer:
    queue = sqs._get_q(request.get("QueueUrl", url), "sqs:ChangeMessageVisibility")
    entries = request.get("Entries", [])
    sqs._validate_batch_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")
    return _answer(entries, [_is_changed(queue, each) for each in entries])


def _is_deleted(queue: Queue, handle: str | None) -> bool:
    messages = messages_of(queue)
    message = messages.with_handle(handle)
    if message is None:
        return False
    messages.remove(message)
    return True


def _is_changed(queue: Queue, change: Request) -> bool:
    message = messages_of(queue).with_handle(change.get("ReceiptHandle"))
    if message is None:
        return False
    seconds = int(change.get("VisibilityTimeout", 30))
    message["visible_at"] = time.time() + seconds
    if not seconds:
        esm_wake.set()
    return True


def _answer(entries: list[Request], done: list[bool]) -> Answer:
    failed = {"Code": "ReceiptHandleIsInvalid", "Message": UNKNOWN, "SenderFault": True}
    ids = [each.get("Id", "") for each in entries]
    return {
        "Successful": [{"Id": id_} for id_, is_done in zip(ids, done, strict=True) if is_done],
        "Failed": [
            {"Id": id_, **failed} for id_, is_done in zip(ids, done, strict=True) if not is_done
        ],
    }
