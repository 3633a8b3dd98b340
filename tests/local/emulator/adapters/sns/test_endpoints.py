"""Subscriptions of HTTP endpoints and of Firehose: what they get, and where the rest ends."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from local.support import Client, DeployStack, objects, wait_until


class Endpoint(ThreadingHTTPServer):
    """Confirms its subscription, and answers by what a message asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[str] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/notified"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["Type"] == "SubscriptionConfirmation":
            urllib.request.urlopen(body["SubscribeURL"]).close()  # noqa: S310 (of the emulator)
            status = 200
        else:
            self.server.got.append(body["Message"])
            status = json.loads(body["Message"])["answer"]
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


STACK = """
Resources:
  Topic: {{Type: "AWS::SNS::Topic"}}
  DeadLetters: {{Type: "AWS::SQS::Queue"}}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref DeadLetters]
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Principal: {{Service: sns.amazonaws.com}},
             Action: "sqs:SendMessage", Resource: "*"}}
  ToEndpoint:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Topic
      Protocol: https
      Endpoint: {url}
      FilterPolicy: {{to: [endpoint]}}
      DeliveryPolicy:
        healthyRetryPolicy: {{numRetries: 2, minDelayTarget: 1, maxDelayTarget: 1}}
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt DeadLetters.Arn}}
  ToLake:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Topic
      Protocol: firehose
      Endpoint: !GetAtt Delivery.Arn
      SubscriptionRoleArn: !GetAtt Role.Arn
      FilterPolicy: {{to: [lake]}}
      RawMessageDelivery: true
  Forbidden:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Topic
      Protocol: firehose
      Endpoint: !GetAtt Closed.Arn
      SubscriptionRoleArn: !GetAtt Role.Arn
      FilterPolicy: {{to: [closed]}}
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt DeadLetters.Arn}}
  Lake: {{Type: "AWS::S3::Bucket"}}
  Delivery: &delivery
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      ExtendedS3DestinationConfiguration: {{BucketARN: !GetAtt Lake.Arn, RoleARN: !GetAtt Role.Arn}}
  Closed: *delivery
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: [sns.amazonaws.com, firehose.amazonaws.com]}}
            Action: sts:AssumeRole
  MayDeliver:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: deliver
      Roles: [!Ref Role]
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Action: "firehose:PutRecord", Resource: !GetAtt Delivery.Arn}}
          - {{Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${{Lake.Arn}}/*"}}
Outputs:
  Topic: {{Value: !Ref Topic}}
  DeadLetters: {{Value: !Ref DeadLetters}}
  Lake: {{Value: !Ref Lake}}
  ToEndpoint: {{Value: !Ref ToEndpoint}}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack, endpoint: Endpoint, client: Client) -> dict[str, str]:
    outputs = deploy_stack(STACK.format(url=endpoint.url))

    def confirmed() -> bool:
        found = client("sns").get_subscription_attributes(SubscriptionArn=outputs["ToEndpoint"])
        return bool(found["Attributes"]["PendingConfirmation"] == "false")

    wait_until(confirmed)
    return outputs


def publish(client: Client, topic: str, to: str, answer: int = 200) -> str:
    message = json.dumps({"answer": answer})
    client("sns").publish(
        TopicArn=topic,
        Message=message,
        MessageAttributes={"to": {"DataType": "String", "StringValue": to}},
    )
    return message


def dead(client: Client, queue: str) -> list[str]:
    """Take the messages of the dead-letter queue."""
    sqs = client("sqs")
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["Message"] for message in found]


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        pytest.param(503, 3, id="tries-again"),
        pytest.param(429, 3, id="is-throttled"),
        pytest.param(404, 1, id="is-refused"),
    ],
)
def test_an_endpoint_that_does_not_take_a_message_is_tried_as_its_policy_says(
    stack: dict[str, str], client: Client, endpoint: Endpoint, answer: int, attempts: int
) -> None:
    message = publish(client, stack["Topic"], "endpoint", answer)

    assert wait_until(lambda: dead(client, stack["DeadLetters"])) == [message]
    assert endpoint.got.count(message) == attempts


def test_an_endpoint_gets_a_message_once(
    stack: dict[str, str], client: Client, endpoint: Endpoint
) -> None:
    message = publish(client, stack["Topic"], "endpoint")
    wait_until(lambda: endpoint.got.count(message))
    refused = publish(client, stack["Topic"], "endpoint", 400)

    assert wait_until(lambda: dead(client, stack["DeadLetters"])) == [refused]
    assert endpoint.got.count(message) == 1


def test_firehose_delivers_a_line_a_message(stack: dict[str, str], client: Client) -> None:
    message = publish(client, stack["Topic"], "lake")

    ((_, content),) = wait_until(lambda: objects(client, stack["Lake"])).items()
    assert content == f"{message}\n".encode()


def test_what_the_role_may_not_put_into_firehose_is_kept(
    stack: dict[str, str], client: Client
) -> None:
    message = publish(client, stack["Topic"], "closed")

    assert wait_until(lambda: dead(client, stack["DeadLetters"])) == [message]
