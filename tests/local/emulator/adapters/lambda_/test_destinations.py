"""Where what failed for good is put: queue, topic, bucket, function and event bus."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, objects, wait_until

ROLE = """
      Policies:
        - Statement:
            - {Effect: Allow, Action: ["sns:Publish", "s3:PutObject", "events:PutEvents",
               "lambda:InvokeFunction", "sqs:SendMessage"], Resource: "*"}
"""
FAILING = """
      InlineCode: |
        def handler(event, context): raise ValueError("told to fail")
"""


def failing(name: str, destination: str, policies: str = ROLE) -> str:
    """A function that fails at once, and where its failures go."""
    return f"""
  {name}:
    Type: AWS::Serverless::Function
    Properties:{FAILING.rstrip()}{policies.rstrip()}
  {name}Configuration:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref {name}
      Qualifier: $LATEST
      MaximumRetryAttempts: 0
      DestinationConfig: {{OnFailure: {{Destination: {destination}}}}}
"""


STACK = f"""
Resources:
  Topic: {{Type: AWS::SNS::Topic}}
  Told: {{Type: AWS::SQS::Queue}}
  MayTell:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Told]
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Principal: {{Service: [sns.amazonaws.com, events.amazonaws.com]}},
             Action: "sqs:SendMessage", Resource: "*"}}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      {{TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Told.Arn, RawMessageDelivery: true}}
  Bucket: {{Type: AWS::S3::Bucket}}
  Bus: {{Type: AWS::Events::EventBus, Properties: {{Name: failures}}}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {{source: [lambda]}}
      Targets: [{{Id: told, Arn: !GetAtt Told.Arn}}]
  MendLog: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: destinations-mend}}}}
  Mend:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {{LogGroup: destinations-mend}}
      InlineCode: |
        import json
        def handler(event, context): print(json.dumps(event))
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
      StreamSpecification: {{StreamViewType: NEW_IMAGE}}
  Reads:
    Type: AWS::Serverless::Function
    Properties:{FAILING.rstrip()}
      Events:
        Table:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 0
            DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt Told.Arn}}}}
{failing("ToTopic", "!Ref Topic")}{failing("ToBucket", "!GetAtt Bucket.Arn")}
{failing("ToBus", "!GetAtt Bus.Arn")}{failing("ToFunction", "!GetAtt Mend.Arn")}
{failing("ToQueue", "!GetAtt Told.Arn")}
{failing("Denied", "!GetAtt Told.Arn", "")}
Outputs:
  Told: {{Value: !Ref Told}}
  Bucket: {{Value: !Ref Bucket}}
  Table: {{Value: !Ref Table}}
  ToTopic: {{Value: !Ref ToTopic}}
  ToBucket: {{Value: !Ref ToBucket}}
  ToBus: {{Value: !Ref ToBus}}
  ToQueue: {{Value: !Ref ToQueue}}
  ToFunction: {{Value: !Ref ToFunction}}
  Denied: {{Value: !Ref Denied}}
"""


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def invoke(client: Client, function: str, number: int) -> None:
    payload = json.dumps({"number": number}).encode()
    client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)


def told(client: Client, queue: str) -> Any:
    """Return the next message that the queue has been told of."""

    def received() -> list[Any]:
        found: list[Any] = client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
        return found

    (message,) = wait_until(received)
    client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


def test_a_topic_gets_the_record_of_what_failed(outputs: dict[str, str], client: Client) -> None:
    invoke(client, outputs["ToTopic"], 1)

    record = told(client, outputs["Told"])

    assert record["requestPayload"] == {"number": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_an_event_bus_gets_it_as_an_event(outputs: dict[str, str], client: Client) -> None:
    invoke(client, outputs["ToBus"], 2)

    event = told(client, outputs["Told"])

    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["detail"]["requestPayload"] == {"number": 2}


def test_a_bucket_gets_it_as_an_object(outputs: dict[str, str], client: Client) -> None:
    invoke(client, outputs["ToBucket"], 3)

    ((key, content),) = wait_until(lambda: objects(client, outputs["Bucket"]).items())

    assert key.startswith(f"aws/lambda/async/{outputs['ToBucket']}/")
    assert json.loads(content)["requestPayload"] == {"number": 3}


def test_a_bucket_holds_a_record_that_no_message_does(
    outputs: dict[str, str], client: Client
) -> None:
    event = {"number": 7, "text": "x" * 1_048_500}
    for function in (outputs["ToQueue"], outputs["ToBucket"]):
        client("lambda").invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
        )

    def kept() -> bool:
        return any(b'"number": 7' in each for each in objects(client, outputs["Bucket"]).values())

    wait_until(kept)
    invoke(client, outputs["ToQueue"], 8)
    assert told(client, outputs["Told"])["requestPayload"] == {"number": 8}


def test_a_function_is_invoked_with_it(outputs: dict[str, str], client: Client) -> None:
    invoke(client, outputs["ToFunction"], 4)

    def records() -> list[str]:
        events = client("logs").filter_log_events(logGroupName="destinations-mend")["events"]
        return [event["message"] for event in events if "requestPayload" in event["message"]]

    (record,) = wait_until(records)
    assert json.loads(record)["requestPayload"] == {"number": 4}


def test_a_queue_gets_of_a_shard_where_its_records_are_but_not_the_records(
    outputs: dict[str, str], client: Client
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html."""
    client("dynamodb").put_item(TableName=outputs["Table"], Item={"id": {"S": "one"}})

    document = told(client, outputs["Told"])

    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert "payload" not in document


def test_without_the_permission_what_failed_is_lost(
    outputs: dict[str, str], client: Client
) -> None:
    invoke(client, outputs["Denied"], 5)
    invoke(client, outputs["ToTopic"], 6)

    assert told(client, outputs["Told"])["requestPayload"] == {"number": 6}
