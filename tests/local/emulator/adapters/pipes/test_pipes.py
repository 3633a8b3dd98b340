"""Pipes: what they read, what they hand over as what, and where the rest ends."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, bodies, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.adapters.pipes.transformation import rendered

ROLE = """
  PipeRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: pipes.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:SourceAccount": !Ref "AWS::AccountId"}}
      Policies:
        - PolicyName: pipes
          PolicyDocument:
            Statement:
              - {Effect: Allow, Resource: "*", Action: [
                  "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
                  "kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator",
                  "kinesis:ListShards", "dynamodb:DescribeStream", "dynamodb:GetRecords",
                  "dynamodb:GetShardIterator", "lambda:InvokeFunction", "states:StartSyncExecution",
                  "events:PutEvents", "kinesis:PutRecord", "sns:Publish"]}
              - {Effect: Allow, Resource: [!GetAtt Received.Arn, !GetAtt Given.Arn],
                 Action: "sqs:SendMessage"}
"""

STACK = (
    """
Resources:
  Received: {Type: AWS::SQS::Queue}
  Closed: {Type: AWS::SQS::Queue}
  Given: {Type: AWS::SQS::Queue}
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            print("seen", json.dumps(event))
            bodies = [json.loads(record["body"]) for record in event]
            if any(body["kind"] == "poison" for body in bodies):
                raise ValueError("told to fail")
            failed = [r for r, body in zip(event, bodies) if body["kind"] == "refused"]
            return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in failed]}
  ToWork:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Orders.Arn
      SourceParameters:
        FilterCriteria: {Filters: [{Pattern: '{"body": {"kind": [{"anything-but": ["noise"]}]}}'}]}
      Target: !GetAtt Work.Arn
  Clicks: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Watch:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Clicks.Arn
      SourceParameters:
        FilterCriteria: {Filters: [{Pattern: '{"data": {"kind": [{"exists": true}]}}'}]}
        KinesisStreamParameters:
          StartingPosition: TRIM_HORIZON
          MaximumRetryAttempts: 1
          BatchSize: 10
          OnPartialBatchItemFailure: AUTOMATIC_BISECT
          DeadLetterConfig: {Arn: !GetAtt Given.Arn}
      Enrichment: !GetAtt Describe.Arn
      Target: !GetAtt Received.Arn
      TargetParameters:
        InputTemplate: '{"kind": <$.kind>, "from": "<aws.pipes.pipe-name>"}'
  Describe:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import base64, json
        def handler(event, context):
            read = [json.loads(base64.b64decode(record["data"])) for record in event]
            if any(click["kind"] == "poison" for click in read):
                raise ValueError("told to fail")
            return [click for click in read if click["kind"] != "empty"]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Publish:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Table.StreamArn
      SourceParameters: {DynamoDBStreamParameters: {StartingPosition: TRIM_HORIZON}}
      Target: !GetAtt Bus.Arn
      TargetParameters:
        EventBridgeEventBusParameters: {Source: shop, DetailType: $.eventName}
        InputTemplate: '{"id": <$.dynamodb.Keys.id.S>}'
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: piped}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [shop]}
      Targets: [{Id: received, Arn: !GetAtt Received.Arn}]
  MayTell:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Received]
      PolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: events.amazonaws.com},
             Action: "sqs:SendMessage", Resource: "*"}
  Checks:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}
  ToMachine:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Checks.Arn
      Target: !Ref Machine
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt PipeRole.Arn
      DefinitionString: '{"StartAt": "Fail", "States": {"Fail": {"Type": "Fail"}}}'
  Returns:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}
  Forbidden:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Returns.Arn
      Target: !GetAtt Closed.Arn
"""
    + ROLE
    + """
Outputs:
  Orders: {Value: !Ref Orders}
  Dead: {Value: !Ref Dead}
  Work: {Value: !Ref Work}
  ToWork: {Value: !Ref ToWork}
  Clicks: {Value: !Ref Clicks}
  Received: {Value: !Ref Received}
  Given: {Value: !Ref Given}
  Watch: {Value: !Ref Watch}
  Table: {Value: !Ref Table}
  Returns: {Value: !Ref Returns}
  Checks: {Value: !Ref Checks}
  Closed: {Value: !Ref Closed}
"""
)


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def send(client: Client, queue: str, *kinds: str) -> None:
    entries: list[Any] = [
        {"Id": str(number), "MessageBody": json.dumps({"kind": kind})}
        for number, kind in enumerate(kinds)
    ]
    client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)


def put(client: Client, stream: str, *kinds: str) -> None:
    records: list[Any] = [
        {"Data": json.dumps({"kind": kind}).encode(), "PartitionKey": "a"} for kind in kinds
    ]
    client("kinesis").put_records(StreamName=stream, Records=records)


def test_a_queues_messages_that_fail_are_moved_where_the_queue_says(
    stack: dict[str, str], client: Client
) -> None:
    send(client, stack["Orders"], "poison")

    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "poison"}]


def test_an_express_execution_that_fails_is_a_failure_of_its_batch(
    stack: dict[str, str], client: Client
) -> None:
    send(client, stack["Checks"], "checked")

    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "checked"}]


def test_only_the_items_that_a_function_names_are_tried_again(
    stack: dict[str, str], client: Client
) -> None:
    send(client, stack["Orders"], "fine", "refused", "noise")

    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "refused"}]
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack['Work']}")
    batches = [
        [json.loads(record["body"])["kind"] for record in json.loads(line.removeprefix("seen "))]
        for event in events["events"]
        if (line := event["message"].strip()).startswith("seen ") and "refused" in line
    ]
    assert batches == [["fine", "refused"], ["refused"]]


def test_a_stream_goes_through_filter_enrichment_and_template(
    stack: dict[str, str], client: Client
) -> None:
    client("kinesis").put_record(StreamName=stack["Clicks"], PartitionKey="a", Data=b"noise")
    put(client, stack["Clicks"], "empty", "buy")

    ((received),) = wait_until(lambda: bodies(client, stack["Received"]))

    assert received == {"kind": "buy", "from": stack["Watch"]}


def test_a_batch_of_a_stream_that_fails_is_halved_and_its_place_is_kept(
    stack: dict[str, str], client: Client
) -> None:
    put(client, stack["Clicks"], "first", "poison", "last")

    letter, *others = wait_until(lambda: bodies(client, stack["Given"]))

    assert others == []
    pipe = client("pipes").describe_pipe(Name=stack["Watch"])
    assert letter["context"] == {
        "partnerResourceArn": pipe["Arn"],
        "condition": "RetryAttemptsExhausted",
    }
    assert letter["KinesisBatchInfo"]["batchSize"] == 1
    assert "payload" not in letter
    kinds = {"first", "last"}
    received: list[str] = []

    def all_received() -> bool:
        received.extend(each["kind"] for each in bodies(client, stack["Received"]))
        return kinds <= set(received)

    wait_until(all_received)


def test_a_tables_changes_are_events_of_a_bus(stack: dict[str, str], client: Client) -> None:
    client("dynamodb").put_item(TableName=stack["Table"], Item={"id": {"S": "order-1"}})

    (event,) = wait_until(lambda: bodies(client, stack["Received"]))

    assert (event["source"], event["detail-type"]) == ("shop", "INSERT")
    assert event["detail"] == {"id": "order-1"}


def test_what_the_role_may_not_deliver_ends_as_what_fails(
    stack: dict[str, str], client: Client
) -> None:
    send(client, stack["Returns"], "returned")

    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "returned"}]
    assert bodies(client, stack["Closed"]) == []


def test_a_stopped_pipe_reads_nothing_and_goes_on_when_it_is_started(
    stack: dict[str, str], client: Client
) -> None:
    pipes = client("pipes")
    pipes.stop_pipe(Name=stack["ToWork"])
    send(client, stack["Orders"], "poison")
    send(client, stack["Returns"], "returned")  # read by a pipe that runs

    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "returned"}]
    pipes.start_pipe(Name=stack["ToWork"])
    assert wait_until(lambda: bodies(client, stack["Dead"])) == [{"kind": "poison"}]


def one_pipe(target: str, *, role: str = ROLE) -> str:
    return f"""
Resources:
  Received: {{Type: AWS::SQS::Queue}}
  Given: {{Type: AWS::SQS::Queue}}
  Source: {{Type: AWS::Kinesis::Stream, Properties: {{ShardCount: 1}}}}
  Pipe:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Source.Arn
      SourceParameters:
        KinesisStreamParameters:
          {{StartingPosition: LATEST, DeadLetterConfig: {{Arn: !GetAtt Given.Arn}}}}
      Target: {target}
{role}"""


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param(
            one_pipe("!GetAtt Received.Arn", role=ROLE.replace('"kinesis:GetRecords", ', "")),
            "kinesis:GetRecords",
            id="may-not-read",
        ),
        pytest.param(
            one_pipe("!GetAtt Received.Arn", role=ROLE.replace(", !GetAtt Given.Arn", "")),
            "Error occurred while sending message",
            id="may-not-keep",
        ),
        pytest.param(
            one_pipe("!GetAtt Received.Arn", role=ROLE.replace("pipes.amazonaws", "sns.amazonaws")),
            "may not assume",
            id="may-not-assume",
        ),
        pytest.param(
            one_pipe("arn:aws:events:eu-west-1:000000000000:api-destination/crm/1"),
            "no pipes to arn:aws:events",
            id="leads-elsewhere",
        ),
    ],
)
def test_a_pipe_that_could_not_work_is_refused(
    template: str, said: str, deploy_stack: DeployStack
) -> None:
    with pytest.raises(UserError, match=said):
        deploy_stack(template)


BODY = json.dumps({"id": 7, "said": 'a "quoted" word', "tags": ["a", "b"]})


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ('{"id": <$.body.id>, "text": "Order <$.body.id>"}', {"id": 7, "text": "Order 7"}),
        ('{"said": "<$.body.said>"}', {"said": 'a "quoted" word'}),
        ('{"tags": <$.body.tags>, "one": <$.body.tags[1]>}', {"tags": ["a", "b"], "one": "b"}),
        ('{"none": "<$.body.missing>"}', {"none": ""}),
        ('"Order <$.body.id> of <aws.pipes.pipe-name>"', "Order 7 of orders"),
        ("<aws.pipes.event.json>", {"body": BODY}),
    ],
)
def test_a_template_says_what_a_target_gets(template: str, made: Any) -> None:
    assert rendered(template, {"body": BODY}, {"Name": "orders"}) == made
