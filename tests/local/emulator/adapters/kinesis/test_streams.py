"""Streams: functions that read them, Firehose that delivers from them, REST APIs before them."""

import base64
import gzip
import json
from typing import Any

import pytest
from local.support import Client, DeployStack, objects, post, seen, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.adapters.kinesis import put_limits

READER = """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Failures: {Type: AWS::S3::Bucket}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - Effect: Allow
              Action: [kinesis:DescribeStreamSummary, kinesis:GetRecords, kinesis:GetShardIterator,
                       kinesis:ListShards]
              Resource: !GetAtt Stream.Arn
            - {Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Failures.Arn}/*"}
      InlineCode: |
        import base64
        def handler(event, context):
            failures = []
            for record in event["Records"]:
                text = base64.b64decode(record["kinesis"]["data"]).decode()
                print("seen", text)
                if text == "poison":
                    raise RuntimeError("poison")
                if text == "refused":
                    failures.append({"itemIdentifier": record["kinesis"]["sequenceNumber"]})
            return {"batchItemFailures": failures}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Stream.Arn
      FunctionName: !Ref Function
      StartingPosition: TRIM_HORIZON
      BatchSize: 10
      FunctionResponseTypes: [ReportBatchItemFailures]
      BisectBatchOnFunctionError: true
      MaximumRetryAttempts: 1
      MaximumRecordAgeInSeconds: 3600
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failures.Arn}}
Outputs:
  Stream: {Value: !Ref Stream}
  Failures: {Value: !Ref Failures}
  Function: {Value: !Ref Function}
"""

DELIVERY = """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Lake: {Type: AWS::S3::Bucket}
  Change:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import base64
        def handler(event, context):
            def changed(record):
                text = base64.b64decode(record["data"]).decode()
                result = {"refuse": "ProcessingFailed", "drop": "Dropped"}.get(text, "Ok")
                data = base64.b64encode(text.upper().encode()).decode()
                return {"recordId": record["recordId"], "result": result, "data": data}
            if any(base64.b64decode(r["data"]) == b"crash" for r in event["records"]):
                raise RuntimeError("crash")
            return {"records": [changed(record) for record in event["records"]]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: firehose.amazonaws.com}, Action: "sts:AssumeRole"}
      Policies:
        - PolicyName: deliver
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "s3:PutObject", Resource: !Sub "${Lake.Arn}/*"}
              - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Change.Arn}
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: KinesisStreamAsSource
      KinesisStreamSourceConfiguration:
        {KinesisStreamARN: !GetAtt Stream.Arn, RoleARN: !GetAtt Role.Arn}
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Lake.Arn
        RoleARN: !GetAtt Role.Arn
        Prefix: good/!{timestamp:yyyy}/
        ErrorOutputPrefix: bad/!{firehose:error-output-type}/!{timestamp:yyyy}/
        ProcessingConfiguration:
          Enabled: true
          Processors:
            - Type: Lambda
              Parameters: [{ParameterName: LambdaArn, ParameterValue: !GetAtt Change.Arn}]
Outputs: {Stream: {Value: !Ref Stream}, Lake: {Value: !Ref Lake}}
"""

API = """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: apigateway.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: put
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "kinesis:PutRecord", Resource: !GetAtt Stream.Arn}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      OpenApiVersion: 3.0.1
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /put:
            post:
              x-amazon-apigateway-integration:
                type: aws
                httpMethod: POST
                uri: !Sub "arn:aws:apigateway:${AWS::Region}:kinesis:action/PutRecord"
                credentials: !GetAtt Role.Arn
                passthroughBehavior: never
                requestTemplates:
                  application/json: !Sub |
                    #set($data = "{""at"":$context.requestTimeEpoch,""it"":$input.json('$.it')}")
                    {"StreamName": "${Stream}", "PartitionKey": "$context.requestId",
                     "Data": "$util.base64Encode($data)"}
                responses:
                  default:
                    statusCode: "202"
                    responseTemplates:
                      application/json: '{"shard":"$input.path(''$.ShardId'')"}'
                  "[45]\\\\d{2}":
                    statusCode: "502"
                    responseTemplates: {application/json: '{"message":"not accepted"}'}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live/put"}
  Stream: {Value: !Ref Stream}
"""


def put(client: Client, stream: str, *texts: str) -> None:
    records: list[Any] = [{"Data": text.encode(), "PartitionKey": "a"} for text in texts]
    client("kinesis").put_records(StreamName=stream, Records=records)


def test_a_poison_record_is_split_off_tried_again_and_kept(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(READER, "reader")

    put(client, outputs["Stream"], "one", "poison", "two", "three")

    kept = wait_until(lambda: objects(client, outputs["Failures"]))
    ((key, content),) = kept.items()
    document = json.loads(content)
    (record,) = json.loads(document["payload"])["Records"]
    assert key.startswith("aws/lambda/")
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert (
        record["kinesis"]["sequenceNumber"] == document["KinesisBatchInfo"]["startSequenceNumber"]
    )
    wait_until(lambda: "three" in seen(client, outputs["Function"]))


def test_records_before_the_first_refused_one_are_done(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(READER, "refusing-reader")

    put(client, outputs["Stream"], "one", "refused", "two")

    wait_until(lambda: objects(client, outputs["Failures"]))
    wait_until(lambda: "two" in seen(client, outputs["Function"]))
    assert seen(client, outputs["Function"]).count("one") == 1


def test_a_mapping_whose_function_may_not_read_the_stream_is_refused(
    deploy_stack: DeployStack,
) -> None:
    unpermitted = READER.replace("kinesis:GetRecords, ", "")

    with pytest.raises(UserError, match="permissions to call GetRecords on Kinesis"):
        deploy_stack(unpermitted, "unpermitted-reader")


def test_firehose_delivers_what_is_transformed_and_keeps_what_is_refused(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(DELIVERY, "delivery")

    put(client, outputs["Stream"], "fine", "drop", "refuse", "well")

    def both() -> tuple[list[bytes], list[bytes]] | None:
        found = objects(client, outputs["Lake"])
        good = [content for key, content in found.items() if key.startswith("good/")]
        bad = [found[key] for key in found if key.startswith("bad/processing-failed/")]
        return (good, bad) if good and bad else None

    (good,), (bad,) = wait_until(both)
    assert good == b"FINEWELL"
    assert json.loads(bad)["rawData"] == "cmVmdXNl"  # refuse


def test_firehose_keeps_a_batch_apart_of_which_the_function_fails(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(DELIVERY, "failing-delivery")

    put(client, outputs["Stream"], "fine", "crash")

    ((key, content),) = wait_until(lambda: objects(client, outputs["Lake"])).items()
    assert key.startswith("bad/processing-failed/")
    raw = [json.loads(line)["rawData"] for line in content.splitlines()]
    assert raw == ["ZmluZQ==", "Y3Jhc2g="]  # fine, crash


def test_firehose_compresses_what_it_delivers_if_it_is_told_to(
    deploy_stack: DeployStack, client: Client
) -> None:
    compressing = DELIVERY.replace(
        "        ErrorOutputPrefix", "        CompressionFormat: GZIP\n        ErrorOutputPrefix"
    )
    outputs = deploy_stack(compressing, "compressing-delivery")

    put(client, outputs["Stream"], "fine")

    ((key, content),) = wait_until(lambda: objects(client, outputs["Lake"])).items()
    assert key.endswith(".gz")
    assert gzip.decompress(content) == b"FINE"


@pytest.mark.parametrize(
    "request_",
    [
        {"Records": []},
        {"Records": [{"Data": "YQ==", "PartitionKey": "a"}, {"Data": None, "PartitionKey": "a"}]},
        {"Records": [{"Data": "YQ==", "PartitionKey": ""}]},
    ],
    ids=["no-records", "no-data", "no-key"],
)
def test_a_stream_refuses_a_request_with_an_incomplete_record(request_: dict[str, Any]) -> None:
    put_records = put_limits._records_checked(lambda _: pytest.fail("nothing is put"))

    status, _, answer = put_records(request_)

    assert (status, json.loads(answer)["__type"]) == (400, "ValidationException")


@pytest.mark.parametrize(
    ("size", "count", "error"),
    [
        pytest.param(1024 * 1024, 1, "ValidationException", id="record"),
        pytest.param(1024 * 1024 - 1, 11, "InvalidArgumentException", id="request"),
    ],
)
def test_a_stream_refuses_a_request_with_too_many_bytes(size: int, count: int, error: str) -> None:
    put_records = put_limits._records_checked(lambda _: pytest.fail("nothing is put"))
    record = {"Data": base64.b64encode(b"x" * size).decode(), "PartitionKey": "a"}

    status, _, answer = put_records({"Records": [record] * count})

    assert (status, json.loads(answer)["__type"]) == (400, error)


def test_a_shard_takes_only_so_much_in_a_second_and_the_answer_says_of_each_record(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(READER, "limited-reader")
    records: list[Any] = [{"Data": b"x" * 600_000, "PartitionKey": "a"} for _ in range(2)]
    records.append({"Data": b"y", "PartitionKey": "a"})

    answer = client("kinesis").put_records(StreamName=outputs["Stream"], Records=records)

    assert answer["FailedRecordCount"] == 1
    codes = [record.get("ErrorCode") for record in answer["Records"]]
    assert codes == [None, "ProvisionedThroughputExceededException", None]
    assert [bool(record.get("SequenceNumber")) for record in answer["Records"]] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("given", "refusing"),
    [
        ('"s3:PutObject"', '"s3:GetObject"'),
        (
            'Service: firehose.amazonaws.com}, Action: "sts:AssumeRole"}',
            """Service: firehose.amazonaws.com}, Action: "sts:AssumeRole",
             Condition: {StringEquals: {"aws:SourceAccount": !Ref "AWS::AccountId"}}}""",
        ),
    ],
    ids=["may-not-write", "demands-the-account"],
)
def test_firehose_delivers_nothing_by_a_role_that_does_not_let_it(
    deploy_stack: DeployStack, client: Client, given: str, refusing: str
) -> None:
    assert given in DELIVERY
    outputs = deploy_stack(DELIVERY.replace(given, refusing))
    able = deploy_stack(DELIVERY)

    put(client, outputs["Stream"], "fine")
    put(client, able["Stream"], "fine")

    wait_until(lambda: objects(client, able["Lake"]))
    assert objects(client, outputs["Lake"]) == {}


TRUST = """
            Principal: {Service: apigateway.amazonaws.com}
            Action: sts:AssumeRole
"""


def test_an_api_puts_into_a_stream_by_its_templates(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(API, "putting-api")

    status, answer = post(outputs["Url"], b'{"it": {"a": [1, "b"]}}')

    assert (status, answer) == (202, {"shard": "shardId-000000000000"})
    kinesis = client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamName=outputs["Stream"], ShardId=answer["shard"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=iterator)["Records"]
    held = json.loads(record["Data"])
    assert held["it"] == {"a": [1, "b"]}
    assert held["at"] > 1_700_000_000_000


def test_what_is_no_json_or_has_no_template_is_refused(deploy_stack: DeployStack) -> None:
    url = deploy_stack(API, "refusing-api")["Url"]

    assert post(url, b"{")[0] == 400
    assert post(url, b"a", "text/plain")[0] == 415


def test_an_answer_has_the_status_that_its_template_sets(deploy_stack: DeployStack) -> None:
    overriding = API.replace(
        "'{\"shard\":\"$input.path(''$.ShardId'')\"}'",
        "'#set($context.responseOverride.status = 207){\"shard\":1}'",
    )
    assert overriding != API
    url = deploy_stack(overriding, "overriding-api")["Url"]

    assert post(url, b'{"it": 1}') == (207, {"shard": 1})


def test_an_api_calls_a_service_only_as_its_role_may(deploy_stack: DeployStack) -> None:
    powerless = API.replace('"kinesis:PutRecord"', '"kinesis:GetRecords"')

    url = deploy_stack(powerless, "powerless-api")["Url"]

    assert post(url, b'{"it": 1}') == (502, {"message": "not accepted"})


@pytest.mark.parametrize(
    "trust",
    [
        """
            Principal: {Service: apigateway.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:SourceAccount": !Ref "AWS::AccountId"}}
""",
        """
            Principal: {Service: lambda.amazonaws.com}
            Action: sts:AssumeRole
""",
    ],
    ids=["demands-the-account", "trusts-another-service"],
)
def test_an_api_calls_nothing_by_a_role_that_it_may_not_assume(
    deploy_stack: DeployStack, trust: str
) -> None:
    url = deploy_stack(API.replace(TRUST, trust))["Url"]

    assert post(url, b'{"it": 1}') == (500, {"message": "Internal server error"})
