"""Queues: their policies, that they lose nothing, and the way back from a dead-letter queue."""

import base64
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator import tether

DEAD_LETTER_QUEUE = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 1
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 1}
  DeadLetters: {Type: "AWS::SQS::Queue"}
  Other: {Type: "AWS::SQS::Queue"}
Outputs:
  Queue: {Value: !Ref Queue}
  DeadLetters: {Value: !Ref DeadLetters}
  DeadLettersArn: {Value: !GetAtt DeadLetters.Arn}
  Other: {Value: !Ref Other}
  OtherArn: {Value: !GetAtt Other.Arn}
"""


SEND_DURING_POLL = """
import asyncio, json, threading
from sls_patterns_cli.local.emulator import adapters
adapters.apply_all()
from ministack.services import sqs

polling, go_on = threading.Event(), threading.Event()

class SlowQueue(dict):
    def __getitem__(self, key):
        if key == "messages" and threading.current_thread() is poll:
            polling.set()
            go_on.wait(5)
        return super().__getitem__(key)

dead = sqs._HANDLERS["CreateQueue"]({"QueueName": "dead"}, "")["QueueUrl"]
redrive = {"deadLetterTargetArn": sqs._get_q(dead)["attributes"]["QueueArn"], "maxReceiveCount": 5}
url = sqs._HANDLERS["CreateQueue"](
    {"QueueName": "queue", "Attributes": {"RedrivePolicy": json.dumps(redrive)}}, ""
)["QueueUrl"]
send = lambda body: sqs._HANDLERS["SendMessage"]({"QueueUrl": url, "MessageBody": body}, "")
send("first")
sqs._queues[url] = SlowQueue(sqs._get_q(url))

poll = threading.Thread(target=sqs._receive_messages_for_esm, args=(url, 10))
poll.start()
assert polling.wait(5)
sender = threading.Thread(target=send, args=("second",))
sender.start()
sender.join(0.3)
assert sender.is_alive()  # with the lock it waits for the poll; without it, it is done by now
go_on.set()
poll.join()
sender.join()
assert [m["body"] for m in sqs._get_q(url)["messages"]] == ["first", "second"]
"""


def receive(sqs: Any, queue: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=queue, MessageSystemAttributeNames=["All"], MaxNumberOfMessages=10
    )
    return list(answer.get("Messages", []))


def dead_letter(sqs: Any, stack: dict[str, str], body: str) -> None:
    """Send a message to the queue and fail it, so that it ends in the dead-letter queue."""
    sqs.send_message(QueueUrl=stack["Queue"], MessageBody=body)
    assert receive(sqs, stack["Queue"])

    def is_dead() -> bool:
        receive(sqs, stack["Queue"])
        counts = sqs.get_queue_attributes(QueueUrl=stack["DeadLetters"], AttributeNames=["All"])
        return bool(counts["Attributes"]["ApproximateNumberOfMessages"] == "1")

    wait_until(is_dead)


@pytest.fixture
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(DEAD_LETTER_QUEUE)


WAITING = """
Resources:
  Queue: {Type: "AWS::SQS::Queue", Properties: {VisibilityTimeout: 120}}
  Late: {Type: "AWS::SQS::Queue", Properties: {DelaySeconds: 240}}
Outputs:
  Queue: {Value: !Ref Queue}
  Late: {Value: !Ref Late}
"""


@pytest.fixture
def waiting(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(WAITING)


def seconds_until_received(sqs: Any, queue: str) -> float:
    started = time.monotonic()
    wait_until(lambda: receive(sqs, queue))
    return time.monotonic() - started


def test_a_received_message_is_visible_again_sooner_than_its_queue_says(
    waiting: dict[str, str], client: Client
) -> None:
    """A second after it was received at the earliest, as the receiver's work is not shortened."""
    sqs, queue = client("sqs"), waiting["Queue"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert receive(sqs, queue)

    assert 0.8 < seconds_until_received(sqs, queue) < 20
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "120"


def test_a_message_of_a_fifo_queue_is_not_deleted_when_it_is_visible_again(
    deploy_stack: DeployStack, client: Client
) -> None:
    queue = deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: expiring.fifo, FifoQueue: true, VisibilityTimeout: 1}
Outputs: {Queue: {Value: !Ref Queue}}
""")["Queue"]
    sqs = client("sqs")
    sqs.send_message(
        QueueUrl=queue, MessageBody="late", MessageGroupId="one", MessageDeduplicationId="one"
    )
    (first,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    late = {"QueueUrl": queue, "ReceiptHandle": first["ReceiptHandle"]}
    wait_until(lambda: visible_messages(client, queue) == 1)

    with pytest.raises(sqs.exceptions.ClientError, match="The receipt handle has expired"):
        sqs.delete_message(**late)
    batch = sqs.delete_message_batch(
        QueueUrl=queue, Entries=[{"Id": "one", "ReceiptHandle": first["ReceiptHandle"]}]
    )
    assert [failed["Code"] for failed in batch["Failed"]] == ["InvalidParameterValue"]

    (again,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    wait_until(lambda: visible_messages(client, queue) == 0)


def visible_messages(client: Client, queue: str) -> int:
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize("how", ["alone", "in a batch"])
def test_a_changed_visibility_is_divided_too(
    how: str, waiting: dict[str, str], client: Client
) -> None:
    sqs, queue = client("sqs"), waiting["Queue"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    (message,) = receive(sqs, queue)
    change = {"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 480}

    if how == "in a batch":
        sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[{"Id": "0", **change}])
    else:
        sqs.change_message_visibility(QueueUrl=queue, **change)

    assert 1.8 < seconds_until_received(sqs, queue) < 20


def test_a_delay_is_divided(waiting: dict[str, str], client: Client) -> None:
    sqs = client("sqs")
    sqs.send_message(QueueUrl=waiting["Late"], MessageBody="the queue's own delay")
    assert 0.8 < seconds_until_received(sqs, waiting["Late"]) < 20
    sqs.send_message(QueueUrl=waiting["Queue"], MessageBody="its own", DelaySeconds=480)
    assert 1.8 < seconds_until_received(sqs, waiting["Queue"]) < 20


def test_a_receive_that_waits_in_vain_is_short_and_gets_what_comes(
    waiting: dict[str, str], client: Client
) -> None:
    sqs, queue = client("sqs"), waiting["Queue"]
    started = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)
    assert 0.4 < time.monotonic() - started < 8

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=queue, MessageBody="at last")
        (message,) = coming.result()["Messages"]
    assert message["Body"] == "at last"


def test_a_policy_that_denies_insecure_transport_lets_requests_through(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack("""
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement:
          - {Effect: Deny, Principal: "*", Action: "sqs:*", Resource: !GetAtt Queue.Arn,
             Condition: {Bool: {"aws:SecureTransport": false}}}
  Closed: {Type: "AWS::SQS::Queue"}
  ClosedPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Closed]
      PolicyDocument:
        Statement:
          - {Effect: Deny, Principal: "*", Action: "sqs:*", Resource: !GetAtt Closed.Arn,
             Condition: {Bool: {"aws:SecureTransport": true}}}
Outputs: {Queue: {Value: !Ref Queue}, Closed: {Value: !Ref Closed}}
""")
    sqs = client("sqs")
    sqs.send_message(QueueUrl=outputs["Queue"], MessageBody="hello")
    with pytest.raises(sqs.exceptions.ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=outputs["Closed"], MessageBody="hello")


def test_the_permission_for_one_message_decides_on_a_batch(
    deploy_stack: DeployStack, client: Client
) -> None:
    queue = deploy_stack("""
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement:
          - {Effect: Deny, Principal: "*", Action: "sqs:SendMessage", Resource: !GetAtt Queue.Arn}
Outputs: {Queue: {Value: !Ref Queue}}
""")["Queue"]
    sqs = client("sqs")
    with pytest.raises(sqs.exceptions.ClientError, match="AccessDenied"):
        sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "hello"}])


def test_a_queue_loses_no_message_while_others_are_received(
    deploy_stack: DeployStack, client: Client
) -> None:
    """Sends from many threads while a consumer, which deletes what it gets, empties the queue."""
    queue = deploy_stack("""
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            for record in event["Records"]:
                print("got " + record["body"])
      LoggingConfig: {LogGroup: lossless}
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
Outputs: {Queue: {Value: !Ref Queue}}
""")["Queue"]
    sqs = client("sqs")
    sent = {f"message-{number}" for number in range(300)}
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda body: sqs.send_message(QueueUrl=queue, MessageBody=body), sent):
            pass

    def handled() -> set[str]:
        pages = (
            client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName="lossless", filterPattern='"got "')
        )
        return {event["message"].split()[1] for page in pages for event in page["events"]}

    wait_until(lambda: handled() == sent)


def test_a_message_sent_in_the_middle_of_a_poll_is_kept() -> None:
    """The race itself, with the poll held at the point where the plain emulator loses a message."""
    environment = {**os.environ, "PYTHONPATH": tether.package_path()}
    subprocess.run([sys.executable, "-c", SEND_DURING_POLL], env=environment, check=True)


def test_a_redrive_returns_messages_to_their_source_as_new_ones(
    stack: dict[str, str], client: Client
) -> None:
    sqs = client("sqs")
    dead_letter(sqs, stack, "again")

    handle = sqs.start_message_move_task(SourceArn=stack["DeadLettersArn"])["TaskHandle"]

    assert json.loads(base64.b64decode(handle))["sourceArn"] == stack["DeadLettersArn"]
    (message,) = wait_until(lambda: receive(sqs, stack["Queue"]))
    assert message["Body"] == "again"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert receive(sqs, stack["DeadLetters"]) == []
    (task,) = sqs.list_message_move_tasks(SourceArn=stack["DeadLettersArn"])["Results"]
    assert task["Status"] == "COMPLETED"
    assert task["ApproximateNumberOfMessagesMoved"] == 1


def test_a_redrive_can_name_another_destination(stack: dict[str, str], client: Client) -> None:
    sqs = client("sqs")
    dead_letter(sqs, stack, "elsewhere")

    sqs.start_message_move_task(SourceArn=stack["DeadLettersArn"], DestinationArn=stack["OtherArn"])

    (message,) = wait_until(lambda: receive(sqs, stack["Other"]))
    assert message["Body"] == "elsewhere"


def test_what_was_sent_to_a_dead_letter_queue_has_no_source_and_needs_a_destination(
    stack: dict[str, str], client: Client
) -> None:
    sqs, dead_letters = client("sqs"), stack["DeadLettersArn"]
    dead_letter(sqs, stack, "moved by SQS")
    sqs.send_message(QueueUrl=stack["DeadLetters"], MessageBody="sent")

    sqs.start_message_move_task(SourceArn=dead_letters)
    (failed,) = sqs.list_message_move_tasks(SourceArn=dead_letters)["Results"]
    sqs.start_message_move_task(SourceArn=dead_letters, DestinationArn=stack["OtherArn"])
    (done,) = sqs.list_message_move_tasks(SourceArn=dead_letters)["Results"]

    assert failed["Status"] == "FAILED"
    assert failed["FailureReason"] == "CouldNotDetermineMessageSource"
    assert failed["ApproximateNumberOfMessagesMoved"] == 1
    assert (done["Status"], done["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    (message,) = wait_until(lambda: receive(sqs, stack["Other"]))
    assert message["Body"] == "sent"


def test_a_task_fails_at_a_message_whose_source_is_deleted(
    deploy_stack: DeployStack, client: Client
) -> None:
    queues = deploy_stack("""
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 0
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 1}
  Other:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 1}
  DeadLetters: {Type: "AWS::SQS::Queue"}
Outputs:
  Queue: {Value: !Ref Queue}
  DeadLetters: {Value: !Ref DeadLetters}
  DeadLettersArn: {Value: !GetAtt DeadLetters.Arn}
""")
    sqs = client("sqs")
    dead_letter(sqs, queues, "of a deleted queue")
    sqs.delete_queue(QueueUrl=queues["Queue"])

    sqs.start_message_move_task(SourceArn=queues["DeadLettersArn"])

    (task,) = sqs.list_message_move_tasks(SourceArn=queues["DeadLettersArn"])["Results"]
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    (message,) = wait_until(lambda: receive(sqs, queues["DeadLetters"]))
    assert message["Body"] == "of a deleted queue"


def test_only_a_dead_letter_queue_can_be_redriven(stack: dict[str, str], client: Client) -> None:
    sqs = client("sqs")
    with pytest.raises(sqs.exceptions.ClientError, match="must be configured as a DLQ"):
        sqs.start_message_move_task(SourceArn=stack["OtherArn"])


FIFO = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {FifoQueue: true}
Outputs:
  Jobs: {Value: !Ref Jobs}
"""


@pytest.fixture
def many(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(FIFO)


def send_jobs(sqs: Any, queue: str, *bodies: str) -> None:
    """Send messages whose bodies begin with their group."""
    for body in bodies:
        given = {"MessageGroupId": body[0], "MessageDeduplicationId": body}
        sqs.send_message(QueueUrl=queue, MessageBody=body, **given)


def taken(sqs: Any, queue: str, most: int = 10, seconds: int = 43_200) -> dict[str, str]:
    """Receive messages; return the receipt handle of each by its body, in their order."""
    asked = {"MaxNumberOfMessages": most, "VisibilityTimeout": seconds}
    found = sqs.receive_message(QueueUrl=queue, **asked).get("Messages", [])
    return {each["Body"]: each["ReceiptHandle"] for each in found}


def test_a_message_group_goes_on_once_none_of_it_is_in_flight(
    many: dict[str, str], client: Client
) -> None:
    sqs, queue = client("sqs"), many["Jobs"]
    send_jobs(sqs, queue, "a1", "b1", "a2", "a3", "b2", "c1")

    first = taken(sqs, queue, 3)
    others = taken(sqs, queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["a1"])
    blocked = taken(sqs, queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["a2"])
    after_deleting = taken(sqs, queue)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=first["b1"], VisibilityTimeout=0)
    after_showing = taken(sqs, queue)

    assert [*first] == ["a1", "b1", "a2"]
    assert [*others] == ["c1"]
    assert blocked == {}
    assert [*after_deleting] == ["a3"]
    assert [*after_showing] == ["b1", "b2"]


def test_a_message_group_goes_on_with_what_is_visible_again_first(
    many: dict[str, str], client: Client
) -> None:
    sqs, queue = client("sqs"), many["Jobs"]
    send_jobs(sqs, queue, "d1", "d2", "d3")

    first = taken(sqs, queue, 2, seconds=1)
    again = wait_until(lambda: taken(sqs, queue))
    deleted = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": each[1], "ReceiptHandle": first[each]} for each in first],
    )

    assert [*first] == ["d1", "d2"]
    assert [*again] == ["d1", "d2", "d3"]
    assert [each["Id"] for each in deleted["Failed"]] == ["1", "2"]


WORK_OF_MANY = """
import time
from sls_patterns_cli.local.emulator import adapters
adapters.apply_all()
from ministack.services import sqs

def work(count, fifo):
    \"\"\"Return the processor's seconds of some messages' lives in a queue of so many others.\"\"\"
    name = f"queue-{count}.fifo" if fifo else f"queue-{count}"
    attributes = {"FifoQueue": "true"} if fifo else {}
    request = {"QueueName": name, "Attributes": attributes}
    url = sqs._HANDLERS["CreateQueue"](request, "")["QueueUrl"]
    queue = sqs._get_q(url)
    def send(number):
        group = {"MessageGroupId": f"{number}", "MessageDeduplicationId": f"{number}"}
        request = {"QueueUrl": url, "MessageBody": "x", **(group if fifo else {})}
        sqs._HANDLERS["SendMessage"](request, "")
    for number in range(count):
        send(number)
    sqs._collect_msgs(queue, 1, 43200)
    started = time.process_time()
    for number in range(100):
        send(count + number)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        (message,) = sqs._collect_msgs(queue, 1, 43200)
        handle = {"QueueUrl": url, "ReceiptHandle": message["receipt_handle"]}
        sqs._HANDLERS["ChangeMessageVisibility"]({**handle, "VisibilityTimeout": 43200}, "")
        sqs._HANDLERS["DeleteMessage"](handle, "")
    return time.process_time() - started

for fifo in (False, True):
    assert work(20_000, fifo) < 5 * work(100, fifo)
"""


def test_a_queue_with_many_messages_is_as_fast_as_one_with_few() -> None:
    subprocess.run([sys.executable, "-c", WORK_OF_MANY], check=True)
