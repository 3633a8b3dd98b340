"""What AWS does not take the local stack does not take either: B18."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack

KIB = 1024
STACK = """
Resources:
  Queue: {Type: "AWS::SQS::Queue"}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
Outputs:
  Queue: {Value: !Ref Queue}
  Table: {Value: !Ref Table}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def test_a_message_has_one_mebibyte_at_most(stack: dict[str, str], client: Client) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
    sqs = client("sqs")

    sqs.send_message(QueueUrl=stack["Queue"], MessageBody="x" * 1024 * KIB)

    with pytest.raises(ClientError, match="must be shorter than 1048576 bytes"):
        sqs.send_message(QueueUrl=stack["Queue"], MessageBody="x" * (1024 * KIB + 1))


def test_a_batch_of_messages_has_one_mebibyte_at_most(
    stack: dict[str, str], client: Client
) -> None:
    sqs = client("sqs")
    entries = [{"Id": str(number), "MessageBody": "x" * 512 * KIB} for number in range(2)]

    sqs.send_message_batch(QueueUrl=stack["Queue"], Entries=entries)

    with pytest.raises(sqs.exceptions.BatchRequestTooLong):
        sqs.send_message_batch(
            QueueUrl=stack["Queue"], Entries=[*entries, {"Id": "2", "MessageBody": "x"}]
        )


def test_an_item_has_400_kibibytes_at_most(stack: dict[str, str], client: Client) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html

    The names of the attributes count.
    """
    dynamodb = client("dynamodb")

    def item(size: int) -> dict[str, Any]:
        text = "x" * (size - len("id") - len("1") - len("text"))
        return {"id": {"S": "1"}, "text": {"S": text}}

    dynamodb.put_item(TableName=stack["Table"], Item=item(400 * KIB))

    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        dynamodb.put_item(TableName=stack["Table"], Item=item(400 * KIB + 1))
