"""A message of a FIFO queue is deleted only as long as it is invisible.

AWS: the receipt handle of a FIFO queue's message expires with its visibility timeout; DeleteMessage
is refused then, and the message is delivered again. In a standard queue it is deleted.
https://repost.aws/knowledge-center/sqs-receipt-handle-error
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html

Emulator: deletes what has the receipt handle, at any time.
"""

import time
from collections.abc import Callable
from typing import Any

from ministack.services import sqs

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.adapters.sqs.messages import messages_of

Request = dict[str, Any]


def apply() -> None:
    replace(sqs._HANDLERS, "DeleteMessage", "8d700665e3d6", _refused)
    replace(sqs._HANDLERS, "DeleteMessageBatch", "877517c32f0f", _refused_in_batch)
    replace(sqs, "_delete_messages_for_esm", "c1686f29b48b", _left)


def _refused(delete: Callable[[Request, str], Request]) -> Callable[[Request, str], Request]:
    def delete_message(request: Request, url: str) -> Request:
        handle = request.get("ReceiptHandle", "")
        if _is_expired(request.get("QueueUrl", url), handle):
            raise sqs._Err("InvalidParameterValue", _reason(handle))
        return delete(request, url)

    return delete_message


def _refused_in_batch(
    delete: Callable[[Request, str], Request],
) -> Callable[[Request, str], Request]:
    def delete_message_batch(request: Request, url: str) -> Request:
        queue = request.get("QueueUrl", url)
        refused = [each for each in request["Entries"] if _is_expired(queue, each["ReceiptHandle"])]
        others = [each for each in request["Entries"] if each not in refused]
        answer = delete({**request, "Entries": others}, url) if others else {"Successful": []}
        failed = [
            {
                "Id": each["Id"],
                "Code": "InvalidParameterValue",
                "Message": _reason(each["ReceiptHandle"]),
                "SenderFault": True,
            }
            for each in refused
        ]
        return {**answer, "Failed": [*answer.get("Failed", []), *failed]}

    return delete_message_batch


def _left(delete: Callable[[str, set[str]], None]) -> Callable[[str, set[str]], None]:
    def delete_messages(url: str, handles: set[str]) -> None:
        with sqs._queues_lock:
            delete(url, {handle for handle in handles if not _is_expired(url, handle)})

    return delete_messages


def _is_expired(url: str, handle: str) -> bool:
    """Tell whether a receipt handle is that of a FIFO queue's message that is visible again."""
    queue = sqs._get_q(url)
    message = messages_of(queue).with_handle(handle) if queue["is_fifo"] else None
    return message is not None and message["visible_at"] <= time.time()


def _reason(handle: str) -> str:
    return (
        f"Value {handle} for parameter ReceiptHandle is invalid. "
        "Reason: The receipt handle has expired."
    )
