"""A deployed stack with every kind of letter, and the command as a user runs it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Cli
from local.conftest import client, deploy_stack, emulator, interpreter
from local.support import Client, DeployStack

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["client", "deploy_stack", "emulator", "interpreter"]

Letters = Callable[..., subprocess.CompletedProcess[str]]
Put = Callable[..., str]


def noticed_bucket(bucket: str, rule: str, queue: str, policy: str, prefix: str = "") -> str:
    """Return resources of a template: a bucket, and a queue that a rule tells of its objects."""
    named = f", object: {{key: [prefix: {prefix}]}}" if prefix else ""
    return f"""  {bucket}:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration: {{EventBridgeConfiguration: {{EventBridgeEnabled: true}}}}
  {rule}:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {{source: [aws.s3], detail: {{bucket: {{name: [!Ref {bucket}]}}{named}}}}}
      Targets: [{{Id: queue, Arn: !GetAtt {queue}.Arn}}]
  {queue}: {{Type: "AWS::SQS::Queue"}}
  {policy}:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref {queue}]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: events.amazonaws.com}}
            Action: sqs:SendMessage
            Resource: !GetAtt {queue}.Arn
"""


@pytest.fixture
def user(cli: Cli, emulator: Emulator) -> Cli:
    """The command line of somebody whose AWS is the local stack."""
    environment = cli.environment | emulator.client_environment({})
    return Cli(cli.folder, environment)


@pytest.fixture
def letters(user: Cli) -> Letters:
    """Runs `sls-patterns letters` against the local stack."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return user("letters", *arguments, **environment)

    return run


@pytest.fixture(scope="session")
def shop(deploy_stack: DeployStack) -> dict[str, str]:
    """The outputs of the stack `shop`, each named as its resource."""
    return deploy_stack(Path(__file__).with_name("stack.yaml").read_text(), "shop")


@pytest.fixture
def put(client: Client, shop: dict[str, str]) -> Put:
    """Puts a letter into a queue of the shop as a service does; returns its id."""

    def put_letter(queue: str, body: Any, **attributes: str) -> str:
        sent = client("sqs").send_message(
            QueueUrl=shop[queue],
            MessageBody=body if isinstance(body, str) else json.dumps(body),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )
        return str(sent["MessageId"])

    return put_letter


def bodies(client: Client, url: str) -> list[str]:
    """Take what is in a queue."""
    taken = []
    while (
        found := client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages")
    ):
        for message in found:
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken.append(message["Body"])
    return taken


def objects_read(letters: Letters, stack: str, bucket: str) -> list[str]:
    """Return the keys of a bucket's objects that the policy of a redrive may read."""
    objects = f"arn:aws:s3:::{bucket}/"
    policy = json.loads(letters("policy", "redrive", "--stack", stack).stdout)
    return [
        resource.removeprefix(objects)
        for statement in policy["Statement"]
        if "s3:GetObject" in statement["Action"]
        for resource in statement["Resource"]
        if resource.startswith(objects)
    ]
