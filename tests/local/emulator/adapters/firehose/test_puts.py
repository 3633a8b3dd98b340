"""Delivery streams that are put into: by clients, and by REST APIs."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack, objects, post, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.adapters.firehose import put_limits

DELIVERY = """
Resources:
  Lake: {Type: AWS::S3::Bucket}
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
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: DirectPut
      DeliveryStreamEncryptionConfigurationInput: {KeyType: AWS_OWNED_CMK}
      ExtendedS3DestinationConfiguration: {BucketARN: !GetAtt Lake.Arn, RoleARN: !GetAtt Role.Arn}
  ApiRole:
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
              - {Effect: Allow, Action: "firehose:PutRecord", Resource: !GetAtt Delivery.Arn}
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
                uri: !Sub "arn:aws:apigateway:${AWS::Region}:firehose:action/PutRecord"
                credentials: !GetAtt ApiRole.Arn
                passthroughBehavior: never
                requestTemplates:
                  application/json: !Sub |
                    {"DeliveryStreamName": "${Delivery}",
                     "Record": {"Data": "$util.base64Encode($input.json('$.it'))"}}
                responses:
                  default:
                    statusCode: "202"
                    responseTemplates: {application/json: '{"id":"$input.path(''$.RecordId'')"}'}
                  "[45]\\\\d{2}":
                    statusCode: "502"
                    responseTemplates: {application/json: '{"error":"$input.path(''$.__type'')"}'}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live/put"}
  Delivery: {Value: !Ref Delivery}
  Lake: {Value: !Ref Lake}
"""
READING = """
      DeliveryStreamType: KinesisStreamAsSource
      KinesisStreamSourceConfiguration:
        {KinesisStreamARN: !GetAtt Stream.Arn, RoleARN: !GetAtt Role.Arn}
"""
ENCRYPTED = """
      DeliveryStreamEncryptionConfigurationInput: {KeyType: AWS_OWNED_CMK}
"""
PUT_INTO = "\n      DeliveryStreamType: DirectPut" + ENCRYPTED
STREAM = """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
"""
FROM_STREAM = DELIVERY.replace("\nResources:\n", STREAM).replace(PUT_INTO, READING)


def test_an_api_puts_into_firehose_by_its_templates(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(DELIVERY, "putting-into-firehose")

    status, answer = post(outputs["Url"], b'{"it": ["a", 1]}')

    assert (status, bool(answer["id"])) == (202, True)
    (kept,) = wait_until(lambda: objects(client, outputs["Lake"])).values()
    assert json.loads(kept) == ["a", 1]


def test_an_api_puts_into_firehose_only_as_its_role_may(deploy_stack: DeployStack) -> None:
    powerless = DELIVERY.replace('"firehose:PutRecord"', '"firehose:PutRecordBatch"')

    url = deploy_stack(powerless, "powerless-before-firehose")["Url"]

    assert post(url, b'{"it": 1}') == (502, {"error": "AccessDeniedException"})


def test_nobody_puts_into_a_delivery_stream_that_reads_a_data_stream(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(FROM_STREAM, "reading-delivery")

    with pytest.raises(ClientError, match="not permitted on KinesisStreamAsSource"):
        client("firehose").put_record(
            DeliveryStreamName=outputs["Delivery"], Record={"Data": b"fine"}
        )


@pytest.mark.parametrize(
    "broken",
    [
        FROM_STREAM.replace("KinesisStreamAsSource", "DirectPut"),
        DELIVERY.replace("DirectPut", "KinesisStreamAsSource"),
        FROM_STREAM.replace(READING, READING + ENCRYPTED),
    ],
    ids=["reads-by-put", "reads-nothing", "reads-encrypted"],
)
def test_a_delivery_stream_has_the_source_that_its_type_says(
    deploy_stack: DeployStack, broken: str
) -> None:
    with pytest.raises(UserError, match="is only applicable for the type"):
        deploy_stack(broken, "broken-delivery")


LARGEST = "A" * (1000 * 1024 * 4 // 3 // 4 * 4)


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ([], "ValidationException"),
        ([{"Data": "YQ=="}] * 501, "ValidationException"),
        ([{"Data": "YQ=="}, {"Data": None}], "ValidationException"),
        ([{}], "ValidationException"),
        ([{"Data": "YQ=="}, {"Data": "no base64"}], "SerializationException"),
        ([{"Data": LARGEST + "AAAA"}], "ValidationException"),
        ([{"Data": LARGEST}] * 5, "InvalidArgumentException"),
    ],
    ids=["none", "501", "null", "no-data", "no-base64", "large-record", "large-request"],
)
def test_a_batch_that_breaks_a_limit_is_refused_whole(records: list[Any], error: str) -> None:
    put_batch = put_limits._batch_checked(lambda _: pytest.fail("nothing is put"))

    status, _, answer = put_batch({"DeliveryStreamName": "unknown", "Records": records})

    assert (status, json.loads(answer)["__type"]) == (400, error)


def test_firehose_takes_only_so_much_in_a_second_and_the_answer_says_of_each_record(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(DELIVERY, "limited-delivery")
    records: list[Any] = [{"Data": b"x" * 600_000} for _ in range(3)]

    answer = client("firehose").put_record_batch(
        DeliveryStreamName=outputs["Delivery"], Records=records
    )

    codes = [each.get("ErrorCode") for each in answer["RequestResponses"]]
    # A second may end in between.
    assert answer["FailedPutCount"] == codes.count("ServiceUnavailableException") >= 1
    assert [bool(each.get("RecordId")) for each in answer["RequestResponses"]] == [
        code is None for code in codes
    ]


def test_one_record_beyond_the_quota_of_a_second_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(put_limits, "BYTES_A_SECOND", 1)
    put = put_limits._record_checked(lambda _: pytest.fail("nothing is put"))

    status, _, answer = put({"DeliveryStreamName": "busy", "Record": {"Data": "YWI="}})

    assert (status, json.loads(answer)["__type"]) == (500, "ServiceUnavailableException")
