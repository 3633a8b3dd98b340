"""Messages of a dead-letter queue can be moved back to where they came from.

AWS: StartMessageMoveTask moves all messages of a dead-letter queue to the given queue, or each to
its own source queue; a moved message is a new one to the queue, with no receives counted. Without a
given queue the task fails at a message that was sent to the dead-letter queue, which has no source,
and at one whose source is deleted. What was moved before stays moved.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-dlq-redrive.html

Emulator: has no such action. Here a task moves everything at once and is over when it answers.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError, replace
from sls_patterns_cli.local.emulator.adapters.sqs.messages import Message, messages_of

TASKS_LISTED_AT_MOST = 10

_tasks: list[dict[str, Any]] = []
"""Newest first."""


def apply() -> None:
    for action in ("StartMessageMoveTask", "ListMessageMoveTasks"):
        if action in sqs._HANDLERS:
            raise EmulatorChangedError(f"The emulator has {action} itself now.")
    replace(sqs, "_dlq_sweep", "6a77691e1671", _noted)
    sqs._HANDLERS["StartMessageMoveTask"] = _start
    sqs._HANDLERS["ListMessageMoveTasks"] = _list


def _noted(sweep: Callable[[Any], None]) -> Callable[[Any], None]:
    def sweep_to_dead_letter_queue(queue: Any) -> None:
        attributes, messages = queue["attributes"], messages_of(queue)
        before = messages.returned() if attributes.get("RedrivePolicy") else []
        sweep(queue)
        for message in before:
            if message not in messages:
                policy = json.loads(attributes["RedrivePolicy"])
                received = message["receive_count"]
                journal.note(
                    journal.GivenUp(
                        "sqs",
                        attributes["QueueArn"],
                        attributes["QueueArn"],
                        policy["deadLetterTargetArn"],
                        attempts=received,
                        seconds=received * int(attributes["VisibilityTimeout"]),
                        bodies=(message["body"],),
                    )
                )

    return sweep_to_dead_letter_queue


def _start(request: dict[str, Any], _url: str) -> dict[str, Any]:
    source_arn = request.get("SourceArn", "")
    with sqs._queues_lock:
        source = _queue(source_arn)
        if not _is_dead_letter_queue(source_arn):
            raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a DLQ.")
        sqs._expire_retained(source)
        destination_arn = request.get("DestinationArn")
        destination = _queue(destination_arn) if destination_arn else None
        moving = [m for m in messages_of(source) if m["visible_at"] <= time.time()]
        moved, failure = _move(moving, source, destination)
    task = {
        "TaskHandle": base64.b64encode(
            json.dumps({"taskId": new_uuid(), "sourceArn": source_arn}).encode()
        ).decode(),
        "Status": "FAILED" if failure else "COMPLETED",
        "SourceArn": source_arn,
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": len(moving),
        "StartedTimestamp": int(time.time() * 1000),
    }
    if destination_arn:
        task["DestinationArn"] = destination_arn
    if failure:
        task["FailureReason"] = failure
    _tasks.insert(0, task)
    esm_wake.set()
    return {"TaskHandle": task["TaskHandle"]}


def _move(
    messages: list[Message], source: dict[str, Any], destination: dict[str, Any] | None
) -> tuple[int, str]:
    """Move messages to a queue, or each to its source; return how many, and why no more."""
    for moved, message in enumerate(messages):
        target = destination
        if target is None:
            origin = message["sys"].get("DeadLetterQueueSourceArn")
            if not origin:
                return moved, "CouldNotDetermineMessageSource"
            target = sqs._queue_by_arn(origin)
        if target is None:
            return moved, "AWS.SimpleQueueService.NonExistentQueue"
        messages_of(source).remove(message)
        messages_of(target).append(_as_new(message))
    return len(messages), ""


def _list(request: dict[str, Any], _url: str) -> dict[str, Any]:
    """Only a running task has a handle, and these are all over."""
    source_arn = request.get("SourceArn", "")
    _queue(source_arn)
    limit = min(int(request.get("MaxResults", 1)), TASKS_LISTED_AT_MOST)
    tasks = [
        {key: value for key, value in task.items() if key != "TaskHandle"}
        for task in _tasks
        if task["SourceArn"] == source_arn
    ]
    return {"Results": tasks[:limit]}


def _queue(arn: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err(
            "ResourceNotFoundException", "The resource that you specified does not exist.", 404
        )
    return queue


def _is_dead_letter_queue(arn: str) -> bool:
    return any(
        json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        == arn
        for queue in sqs._queues.values()
    )


def _as_new(message: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    system = {k: v for k, v in message["sys"].items() if k != "DeadLetterQueueSourceArn"}
    return {
        **message,
        "id": new_uuid(),
        "sys": {**system, "SentTimestamp": str(int(now * 1000))},
        "receipt_handle": None,
        "sent_at": now,
        "enqueued_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
    }
