"""Events whose durable executions failed for good."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from letters.conftest import Letters
from local.support import Client, DeployStack, wait_until

STACK = """
Resources:
  Failed: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
  Order:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Timeout: 10
      DurableConfig: {ExecutionTimeout: 3600}
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Failed.Arn}
      InlineCode: |
        import json, pathlib
        def handler(event, context):
            operations = event["InitialExecutionState"]["Operations"]
            given = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])
            mended = pathlib.Path(given["mended"])
            if mended.exists():
                mended.write_text(event["DurableExecutionArn"])
                return {"Status": "SUCCEEDED", "Result": "{}"}
            return {"Status": "FAILED", "Error": {"ErrorType": "Sold", "ErrorMessage": "sold out"}}
  Place:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Policies:
        - Statement:
            - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: !Ref Order.Alias}
Outputs:
  Alias: {Value: !Ref Order.Alias}
  Failed: {Value: !Ref Failed}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "durable")


def test_an_event_starts_another_execution_that_has_the_name_of_its_message(
    letters: Letters, client: Client, stack: dict[str, str], tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    functions, sqs = client("lambda"), client("sqs")
    functions.invoke(
        FunctionName=stack["Alias"],
        InvocationType="Event",
        DurableExecutionName="order-1",
        Payload=json.dumps({"mended": str(mended)}),
    )
    counting = {"QueueUrl": stack["Failed"], "AttributeNames": ["ApproximateNumberOfMessages"]}
    wait_until(lambda: sqs.get_queue_attributes(**counting)["Attributes"].popitem()[1] == "1")
    (end,) = json.loads(letters("list", "--stack", "durable", "--json").stdout)["ends"]
    mended.touch()

    done = letters("redrive", "--stack", "durable", "--older-than", "0s", "--yes", "--json")

    (report,) = json.loads(done.stdout)
    assert {name: count for name, count in report["verdicts"].items() if count} == {"sent": 1}
    assert [group["failed"] for group in end["groups"]] == ["Order"]

    started = wait_until(mended.read_text)
    assert UUID(
        functions.get_durable_execution(DurableExecutionArn=started)["DurableExecutionName"]
    )
