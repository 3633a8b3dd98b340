"""Ends that are less usual: groups, shared queues, buckets that queues tell of, topics, pipes."""

import base64
import json
import uuid
from typing import Any

import pytest
from letters.conftest import Letters, bodies, noticed_bucket, objects_read
from letters.test_ways_back import batch, notification, record
from local.support import Client, DeployStack, objects, seen, wait_until

FUNCTIONS = "arn:aws:lambda:eu-west-1:000000000000:function:"
CODE = """
        import json
        def handler(event, context):
            if "poison" in json.dumps(event):
                raise ValueError("poison")
            print("seen " + json.dumps(event))
"""
STACK = f"""
Resources:
  Entries:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt EntriesDlq.Arn, maxReceiveCount: 1}}
  EntriesDlq: {{Type: "AWS::SQS::Queue", Properties: {{FifoQueue: true}}}}
  First:
    Type: AWS::SQS::Queue
    Properties: {{RedrivePolicy: {{deadLetterTargetArn: !GetAtt Shared.Arn, maxReceiveCount: 1}}}}
  Second:
    Type: AWS::SQS::Queue
    Properties: {{RedrivePolicy: {{deadLetterTargetArn: !GetAtt Shared.Arn, maxReceiveCount: 1}}}}
  Shared:
    Type: AWS::SQS::Queue
    Properties: {{RedrivePolicy: {{deadLetterTargetArn: !GetAtt Last.Arn, maxReceiveCount: 900}}}}
  Last: {{Type: "AWS::SQS::Queue"}}
  Consumer:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
      Events:
        Entries: {{Type: SQS, Properties: {{Queue: !GetAtt Entries.Arn, Enabled: false}}}}
        First: {{Type: SQS, Properties: {{Queue: !GetAtt First.Arn, Enabled: false}}}}
        Second: {{Type: SQS, Properties: {{Queue: !GetAtt Second.Arn, Enabled: false}}}}

  Readings: {{Type: "AWS::Kinesis::Stream", Properties: {{ShardCount: 1}}}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
      Events:
        Stream:
          Type: Kinesis
          Properties:
            Enabled: false
            Stream: !GetAtt Readings.Arn
            StartingPosition: LATEST
            DestinationConfig: {{OnFailure: {{Type: S3, Destination: !GetAtt Kept.Arn}}}}
{noticed_bucket("Kept", "IsKept", "KeptNotices", "EventsMaySend", "aws/")}
  ByTopic:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
      EventInvokeConfig:
        DestinationConfig: {{OnFailure: {{Type: SNS, Destination: !Ref Failures}}}}
  Failures: {{Type: "AWS::SNS::Topic"}}
  FailuresQueue: {{Type: "AWS::SQS::Queue"}}
  FailuresToQueue:
    Type: AWS::SNS::Subscription
    Properties: {{TopicArn: !Ref Failures, Protocol: sqs, Endpoint: !GetAtt FailuresQueue.Arn}}

  ByBucket:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
  ByBucketConfig:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref ByBucket
      Qualifier: $LATEST
      DestinationConfig: {{OnFailure: {{Destination: !GetAtt Records.Arn}}}}
  Records: {{Type: "AWS::S3::Bucket"}}
  ByFunction:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
      EventInvokeConfig:
        DestinationConfig: {{OnFailure: {{Type: Lambda, Destination: !GetAtt ByBucket.Arn}}}}
  Piped:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE}
  Pipe:
    Type: AWS::Pipes::Pipe
    Properties:
      DesiredState: STOPPED
      RoleArn: !GetAtt PipeRole.Arn
      Source: !GetAtt Readings.Arn
      SourceParameters:
        KinesisStreamParameters:
          StartingPosition: LATEST
          DeadLetterConfig: {{Arn: !GetAtt PipeFailed.Arn}}
      Target: !GetAtt Piped.Arn
  PipeFailed: {{Type: "AWS::SQS::Queue"}}
  PipeRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {{Effect: Allow, Action: "sts:AssumeRole", Principal: {{Service: pipes.amazonaws.com}}}}
      Policies:
        - PolicyName: pipe
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: ["kinesis:DescribeStream", "kinesis:GetRecords",
                 "kinesis:GetShardIterator", "kinesis:ListShards", "sqs:SendMessage"],
                 Resource: [!GetAtt Readings.Arn, !GetAtt PipeFailed.Arn]}}
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: KinesisStreamAsSource
      KinesisStreamSourceConfiguration:
        KinesisStreamARN: !GetAtt Readings.Arn
        RoleARN: !GetAtt PipeRole.Arn
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Lake.Arn
        RoleARN: !GetAtt PipeRole.Arn
        Prefix: data/
  Lake: {{Type: "AWS::S3::Bucket"}}
"""


@pytest.fixture(scope="module")
def depot(deploy_stack: DeployStack, client: Client) -> dict[str, str]:
    """The physical ids of the stack `depot`."""
    deploy_stack(STACK, "depot")
    pages = client("cloudformation").get_paginator("list_stack_resources")
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages.paginate(StackName="depot")
        for each in page["StackResourceSummaries"]
    }


def redriven(letters: Letters, end: str, *arguments: str) -> dict[str, Any]:
    given = arguments or ("--older-than", "0s")
    options = ("--no-canary", "--yes", "--json")
    done = letters("redrive", "--stack", "depot", "--end", end, *given, *options)
    assert done.returncode in {0, 1}, done.stderr
    (report,) = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


def test_a_group_of_a_fifo_queue_comes_back_whole_and_in_order(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    sqs = client("sqs")
    sent = [f"entry {number}" for number in range(15)]
    for text in sent:
        for queue in ("Entries", "EntriesDlq"):
            sqs.send_message(
                QueueUrl=depot[queue],
                MessageBody=text,
                MessageGroupId="account",
                MessageDeduplicationId=text,
            )
    # Its queue has had each within the five minutes in which SQS drops a second one.
    sqs.purge_queue(QueueUrl=depot["Entries"])

    listed = letters("list", "--stack", "depot", "--end", "EntriesDlq")
    report = redriven(letters, "EntriesDlq")

    total = "EntriesDlq: 10 of 15 seen (15 visible, 0 in flight, 0 delayed); not all seen"
    assert (listed.stdout.splitlines()[0], listed.returncode) == (total, 1)
    assert report["verdicts"]["sent"] == 15
    assert bodies(client, depot["Entries"]) == sent


def test_a_letter_of_a_shared_queue_goes_to_the_queue_that_it_came_from(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    sqs = client("sqs")
    for name in ("First", "Second"):
        sqs.send_message(QueueUrl=depot[name], MessageBody=f"of {name}")
        for _ in range(2):  # received more than once, so SQS moves it
            sqs.receive_message(QueueUrl=depot[name], VisibilityTimeout=0)
    sqs.send_message(QueueUrl=depot["Shared"], MessageBody="of nobody")

    report = redriven(letters, "Shared", "--all")

    assert report["verdicts"] == {"sent": 2, "processed": 0, "failed-again": 0, "kept": 1}
    assert bodies(client, depot["First"]) == ["of First"]
    assert bodies(client, depot["Second"]) == ["of Second"]
    assert "may be of First or Second" in report["letters"][0]["reason"]
    listed = letters("list", "--stack", "depot", "--end", "Shared")
    assert "it has a redrive policy of its own: each listing counts as a receive" in listed.stdout
    assert bodies(client, depot["Shared"]) == ["of nobody"]


@pytest.mark.parametrize("payload", ["good", "poison"])
def test_a_bucket_that_a_queue_tells_of_has_its_letters_there(
    payload: str, letters: Letters, depot: dict[str, str], client: Client
) -> None:
    kinesis = {"data": base64.b64encode(b"x").decode(), "partitionKey": payload}
    document = batch(FUNCTIONS + depot["Reader"], "stream", "1", "1", 1)
    document["payload"] = json.dumps({"Records": [{"kinesis": kinesis}]})
    key = f"aws/lambda/{payload}"
    client("s3").put_object(Bucket=depot["Kept"], Key=key, Body=json.dumps(document))
    wait_until(lambda: _count(client, depot["KeptNotices"]))

    report = redriven(letters, "KeptNotices")

    verdict = "processed" if payload == "good" else "failed-again"
    assert report["verdicts"][verdict] == 1
    assert key in objects(client, depot["Kept"])  # its lifecycle is the bucket's
    assert len(bodies(client, depot["KeptNotices"])) == (payload == "poison")
    assert any(payload in each for each in seen(client, depot["Reader"])) == (payload == "good")


def test_a_notice_of_an_object_that_is_gone_is_kept(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    told = {"detail": {"bucket": {"name": depot["Kept"]}, "object": {"key": "gone"}}}
    for body in (json.dumps(told), "7"):  # and what nobody's service has sent
        client("sqs").send_message(QueueUrl=depot["KeptNotices"], MessageBody=body)

    reasons = [each["reason"] for each in redriven(letters, "KeptNotices")["letters"]]

    assert "the object gone is gone" in reasons
    assert any("is nothing that this stack sends to KeptNotices" in each for each in reasons)
    bodies(client, depot["KeptNotices"])


def test_a_record_that_came_by_way_of_a_topic_is_read(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    told = json.dumps(record(FUNCTIONS + depot["ByTopic"], {"by": "topic"}))
    body = json.dumps(notification(depot["Failures"], told))
    client("sqs").send_message(QueueUrl=depot["FailuresQueue"], MessageBody=body)

    assert redriven(letters, "FailuresQueue")["verdicts"]["processed"] == 1

    assert '{"by": "topic"}' in seen(client, depot["ByTopic"])


def test_a_record_in_a_bucket_is_read_and_deleted(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    key = f"aws/lambda/async/{depot['ByBucket']}/2026/11/29/record"
    body = json.dumps(record(FUNCTIONS + depot["ByBucket"], {"by": "bucket"}))
    client("s3").put_object(Bucket=depot["Records"], Key=key, Body=body)

    assert redriven(letters, "Records")["verdicts"]["processed"] == 1

    assert '{"by": "bucket"}' in seen(client, depot["ByBucket"])
    assert objects(client, depot["Records"]) == {}


def test_an_end_that_keeps_nothing_is_named(letters: Letters, depot: dict[str, str]) -> None:
    assert depot
    elsewhere = json.loads(letters("list", "--stack", "depot", "--json").stdout)["elsewhere"]

    says = "failures of ByFunction go to ByBucket (Function), which keeps no letters"
    assert elsewhere == [says]


def test_a_batch_of_a_pipe_goes_to_its_target_as_pipes_have_it(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    kinesis = client("kinesis")
    number = kinesis.put_record(StreamName=depot["Readings"], PartitionKey="m", Data=b"piped")[
        "SequenceNumber"
    ]
    arn = kinesis.describe_stream(StreamName=depot["Readings"])["StreamDescription"]["StreamARN"]
    document = batch("", arn, number, number, 1)
    document.pop("requestContext")
    pipe = client("pipes").describe_pipe(Name=depot["Pipe"])["Arn"]
    document["context"] = {"partnerResourceArn": pipe, "condition": "RetryAttemptsExhausted"}
    client("sqs").send_message(QueueUrl=depot["PipeFailed"], MessageBody=json.dumps(document))

    assert redriven(letters, "PipeFailed")["verdicts"]["processed"] == 1

    (event,) = seen(client, depot["Piped"])
    (piped,) = json.loads(event)
    assert (piped["partitionKey"], piped["eventSource"]) == ("m", "aws:kinesis")
    assert base64.b64decode(piped["data"]) == b"piped"


def test_what_a_delivery_read_from_a_stream_does_not_go_to_its_other_readers(
    letters: Letters, depot: dict[str, str], client: Client
) -> None:
    line = {"errorCode": "X", "errorMessage": "x", "rawData": base64.b64encode(b"x").decode()}
    key = f"data/processing-failed/{uuid.uuid4()}"
    client("s3").put_object(Bucket=depot["Lake"], Key=key, Body=json.dumps(line))

    report = redriven(letters, "Lake")

    (told,) = report["letters"]
    others = (
        "Readings is also read by Piped, Reader, which would have it again; --all-readers sends it "
        "to them, too"
    )
    assert (report["verdicts"]["kept"], told["reason"]) == (1, others)
    assert key in objects(client, depot["Lake"])

    to_all = redriven(letters, "Lake", "--all", "--all-readers")

    assert to_all["verdicts"]["sent"] == 1
    assert key not in objects(client, depot["Lake"])
    kinesis = client("kinesis")
    name, records = depot["Readings"], []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        place = {"StreamName": name, "ShardId": shard["ShardId"]}
        first = kinesis.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")
        found = kinesis.get_records(ShardIterator=first["ShardIterator"])["Records"]
        records += [record["Data"] for record in found]
    assert b"x" in records


def _count(client: Client, url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return int(found["Attributes"][names[0]])


BY_ALIAS = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      InlineCode: |
        def handler(event, context):
            print("seen " + context.invoked_function_arn.rpartition(":")[2])
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  Failed: {Type: "AWS::SQS::Queue"}
Outputs:
  Failed: {Value: !Ref Failed}
  Function: {Value: !Ref Function}
  Arn: {Value: !GetAtt Function.Arn}
"""


def test_a_function_is_invoked_by_the_alias_that_is_configured(
    letters: Letters, deploy_stack: DeployStack, client: Client
) -> None:
    stack = deploy_stack(BY_ALIAS, "by-alias")
    body = json.dumps(record(stack["Arn"], {"by": "alias"}))
    client("sqs").send_message(QueueUrl=stack["Failed"], MessageBody=body)

    done = letters("redrive", "--stack", "by-alias", "--older-than", "0s", "--yes", "--json")

    (report,) = json.loads(done.stdout)
    assert report["verdicts"]["processed"] == 1, report
    assert seen(client, stack["Function"]) == ["live"]


def test_the_policy_reads_the_objects_that_a_rule_tells_of(
    letters: Letters, depot: dict[str, str]
) -> None:
    assert objects_read(letters, "depot", depot["Kept"]) == ["aws/*"]
