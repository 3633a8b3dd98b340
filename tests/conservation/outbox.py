"""A table whose events reach a subscriber: each that is written, and no other."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from conservation import dynamodb
from conservation.datastore import Datastore, Interruptible, Item
from conservation.stack import Stack

SUBSCRIBER = dynamodb.SUBSCRIBER
"""Where an order is of which the subscriber was told all, and nothing else."""

VARIABLE = "AWS_ENDPOINT_URL_SNS"

LOOKS_AT_MOST_EVERY_SECONDS = 0.2


class Outbox(Interruptible):
    def __init__(self, stack: Stack, table: Interruptible, queue_url: str) -> None:
        self._stack, self._table, self._queue_url = stack, table, queue_url
        self._told: dict[str, dict[str, Any]] = defaultdict(dict)
        """The events that the subscriber has, by their orders and ids."""
        self._looked_at = 0.0
        self._lock = threading.Lock()

    def stored(self) -> set[Item]:
        with self._lock:
            self._look()
        (node,) = self._stack.tables
        written: dict[str, set[str]] = defaultdict(set)
        orders: dict[str, datetime] = {}
        for item in self._stack.items(node):
            if "last_updated" in item:
                orders[item["id"]["S"]] = datetime.fromisoformat(item["last_updated"]["S"])
            elif event := json.loads(item["event"]["S"]):
                written[event["order"]].add(event["id"])
        return {
            (SUBSCRIBER, order)
            for order, told in self._told.items()
            if told.keys() == written[order]
            and orders.get(order) == max(datetime.fromisoformat(each) for each in told.values())
        }

    def written(self) -> Counter[Item]:
        """Return the orders that the subscriber knows: an event may come twice."""
        return Counter(self.answered().keys())

    def answered(self) -> Counter[Item]:
        with self._lock:
            if time.monotonic() - self._looked_at > LOOKS_AT_MOST_EVERY_SECONDS:
                self._look()
            return Counter({(SUBSCRIBER, order): len(told) for order, told in self._told.items()})

    def fail_for_a_while(self) -> None:
        self._table.fail_for_a_while()

    def fail_until_tried(self, tries: float) -> None:
        self._table.fail_until_tried(tries)

    def is_down(self) -> bool:
        return self._table.is_down()

    def recover(self) -> None:
        self._table.recover()

    def answer_late(self) -> None:
        self._table.answer_late()

    def most_at_a_time(self) -> int:
        return self._table.most_at_a_time()

    def _look(self) -> None:
        sqs = self._stack.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                event = json.loads(message["Body"])
                self._told[event["order"]][event["id"]] = event["happened_at"]
                sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        self._looked_at = time.monotonic()


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    """Subscribe a queue to the stack's topic, and disturb the table."""
    sqs, topic = stack.client("sqs"), stack.outputs["OrderEventsTopicArn"]
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    # A busy machine takes long to delete what it has received.
    attributes = {"Policy": policy, "VisibilityTimeout": "43200"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    stack.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    with dynamodb.disturbable(stack, slow_seconds) as table:
        functions, name = stack.client("lambda"), stack.outputs["PublishFunctionName"]
        environment = functions.get_function_configuration(FunctionName=name)["Environment"]
        functions.update_function_configuration(
            FunctionName=name,
            Environment={"Variables": {**environment["Variables"], VARIABLE: table.url}},
        )
        yield Outbox(stack, table, url)
