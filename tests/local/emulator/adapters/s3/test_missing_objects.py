"""Who may not list a bucket is not told which objects it lacks."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from local.support import REGION, Client, DeployStack

BUCKET = """
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: &trust
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - &read {Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Bucket.Arn}/*"}
  Lister:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: *trust
      Policies:
        - PolicyName: list
          PolicyDocument:
            Statement:
              - *read
              - {Effect: Allow, Action: "s3:ListBucket", Resource: !GetAtt Bucket.Arn}
Outputs:
  Bucket: {Value: !Ref Bucket}
  Reader: {Value: !GetAtt Reader.Arn}
  Lister: {Value: !GetAtt Lister.Arn}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack, client: Client) -> dict[str, str]:
    outputs = deploy_stack(BUCKET)
    client("s3").put_object(Bucket=outputs["Bucket"], Key="there", Body=b"content")
    return outputs


def s3_as(client: Client, role: str) -> Any:
    session = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        REGION,
        endpoint_url=client("s3").meta.endpoint_url,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


@pytest.mark.parametrize(
    ("role", "key", "status"),
    [
        ("Reader", "there", 200),
        ("Reader", "missing", 403),
        ("Lister", "there", 200),
        ("Lister", "missing", 404),
    ],
)
def test_a_missing_object_is_forbidden_to_who_may_not_list(
    client: Client, stack: dict[str, str], role: str, key: str, status: int
) -> None:
    """Fact X3."""
    s3 = s3_as(client, stack[role])
    assert status_of(s3.get_object, Bucket=stack["Bucket"], Key=key) == status
    assert status_of(s3.head_object, Bucket=stack["Bucket"], Key=key) == status


def status_of(call: Callable[..., Any], **request: str) -> int:
    try:
        answer = call(**request)
    except ClientError as error:
        answer = error.response

    status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return status
