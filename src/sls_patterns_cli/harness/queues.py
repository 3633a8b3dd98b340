"""What proofs read from queues and send to them."""

from collections.abc import Sequence
from typing import Any

from sls_patterns_cli.harness.aws import client

SEND_BATCH_LIMIT = 10
"""SQS takes at most so many messages in one SendMessageBatch:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""


def take(url: str) -> list[dict[str, Any]]:
    """Remove all messages of a queue that no function consumes; return them.

    Each has its `id`, its `body`, and its `attributes` by their names, as texts.
    """
    sqs = client("sqs")
    taken: list[dict[str, Any]] = []
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=1,
        MessageAttributeNames=["All"],
    ).get("Messages"):
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            taken.append(
                {
                    "id": message["MessageId"],
                    "body": message["Body"],
                    "attributes": {
                        name: each["StringValue"]
                        for name, each in attributes.items()
                        if "StringValue" in each
                    },
                }
            )
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken


def send(url: str, bodies: Sequence[str], group_id: str) -> list[str]:
    """Send messages to a FIFO queue, in this order; return their ids."""
    sqs = client("sqs")
    ids: list[str] = []
    for start in range(0, len(bodies), SEND_BATCH_LIMIT):
        batch = bodies[start : start + SEND_BATCH_LIMIT]
        answer = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "MessageBody": body, "MessageGroupId": group_id}
                for number, body in enumerate(batch)
            ],
        )
        if answer.get("Failed"):
            raise ValueError(f"SQS does not take {answer['Failed'][0]}")
        sent = {each["Id"]: each["MessageId"] for each in answer["Successful"]}
        ids += [sent[str(number)] for number in range(len(batch))]
    return ids


def counts(url: str) -> dict[str, int]:
    """How many messages of a queue are `visible`, and how many `in_flight`."""
    names = {
        "visible": "ApproximateNumberOfMessages",
        "in_flight": "ApproximateNumberOfMessagesNotVisible",
    }
    found: Any = client("sqs").get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[*names.values()],
    )
    return {name: int(found["Attributes"][of]) for name, of in names.items()}


def consumer(url: str) -> str:
    """The id of the event source mapping that brings the messages of a queue to its function."""
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    mappings = client("lambda").list_event_source_mappings(
        EventSourceArn=found["Attributes"]["QueueArn"]
    )["EventSourceMappings"]
    if len(mappings) != 1:
        raise ValueError(f"{len(mappings)} functions consume the queue {url}, not one")
    uuid: str = mappings[0]["UUID"]
    return uuid
