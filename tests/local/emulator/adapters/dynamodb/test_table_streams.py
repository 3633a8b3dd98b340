"""Functions that read the stream of a table."""

import json

import pytest
from local.support import Client, DeployStack, objects, seen, wait_until

from sls_patterns_cli.errors import UserError

READER = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
  Failures: {Type: AWS::S3::Bucket}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator]
              Resource: !GetAtt Table.StreamArn
            - {Effect: Allow, Action: "dynamodb:ListStreams", Resource: "*"}
            - {Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Failures.Arn}/*"}
      InlineCode: |
        def handler(event, context):
            for record in event["Records"]:
                name = record["dynamodb"]["Keys"]["id"]["S"]
                print("seen", name)
                if name == "poison":
                    raise RuntimeError("poison")
                if name == "refused":
                    sequence = record["dynamodb"]["SequenceNumber"]
                    return {"batchItemFailures": [{"itemIdentifier": sequence}]}
            return {"batchItemFailures": []}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Table.StreamArn
      FunctionName: !Ref Function
      StartingPosition: TRIM_HORIZON
      BatchSize: 10
      FunctionResponseTypes: [ReportBatchItemFailures]
      BisectBatchOnFunctionError: true
      MaximumRetryAttempts: 1
      MaximumRecordAgeInSeconds: 3600
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failures.Arn}}
Outputs:
  Table: {Value: !Ref Table}
  Failures: {Value: !Ref Failures}
  Function: {Value: !Ref Function}
"""


def put(client: Client, table: str, *names: str) -> None:
    for name in names:
        client("dynamodb").put_item(TableName=table, Item={"id": {"S": name}})


def test_a_poison_record_is_split_off_tried_again_and_kept(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(READER, "table-reader")

    put(client, outputs["Table"], "one", "poison", "two", "three")

    ((key, content),) = wait_until(lambda: objects(client, outputs["Failures"])).items()
    document = json.loads(content)
    (record,) = json.loads(document["payload"])["Records"]
    assert key.startswith("aws/lambda/")
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["dynamodb"]["NewImage"] == {"id": {"S": "poison"}}
    sequence = record["dynamodb"]["SequenceNumber"]
    assert document["DDBStreamBatchInfo"]["startSequenceNumber"] == sequence
    wait_until(lambda: "three" in seen(client, outputs["Function"]))


def test_records_before_the_first_refused_one_are_done(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(READER, "refusing-table-reader")

    put(client, outputs["Table"], "one", "refused", "two")

    wait_until(lambda: objects(client, outputs["Failures"]))
    wait_until(lambda: "two" in seen(client, outputs["Function"]))
    assert seen(client, outputs["Function"]).count("one") == 1


def test_a_filter_drops_records_before_the_function_sees_them(
    deploy_stack: DeployStack, client: Client
) -> None:
    filtered = READER.replace(
        "      BatchSize: 10\n",
        "      BatchSize: 10\n"
        """      FilterCriteria: {Filters: [{Pattern: '{"eventName": ["INSERT"]}'}]}\n""",
    )
    outputs = deploy_stack(filtered, "filtering-table-reader")

    put(client, outputs["Table"], "one")
    client("dynamodb").delete_item(TableName=outputs["Table"], Key={"id": {"S": "one"}})
    put(client, outputs["Table"], "two")

    wait_until(lambda: "two" in seen(client, outputs["Function"]))
    assert seen(client, outputs["Function"]) == ["one", "two"]


def test_a_mapping_whose_function_may_not_read_the_stream_is_refused(
    deploy_stack: DeployStack,
) -> None:
    unpermitted = READER.replace("dynamodb:GetRecords, ", "")

    with pytest.raises(UserError, match="permissions to call GetRecords on DynamoDB"):
        deploy_stack(unpermitted, "unpermitted-table-reader")
