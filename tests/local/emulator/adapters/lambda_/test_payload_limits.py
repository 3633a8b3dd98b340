"""Lambda takes and returns 6 MB at most, and 1 MB asynchronously; APIs answer for what is more."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, post

FUNCTIONS = """
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  Sized:
    Type: AWS::Serverless::Function
    Properties:
      MemorySize: 512
      InlineCode: |
        def handler(event, context):
            if "rawPath" in event:
                return {"statusCode": 200, "body": '"' + "x" * int(event["body"][:9]) + '"'}
            return "x" * event["answer"]
      Events:
        Sized: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /sized}}
Outputs:
  Sized: {Value: !Ref Sized}
  Endpoint: {Value: !GetAtt Api.ApiEndpoint}
"""
SIX_MB = 6 * 1024 * 1024
ONE_MB = 1024 * 1024


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(FUNCTIONS)


def invoke(client: Client, name: str, event: dict[str, Any], kind: str = "RequestResponse") -> Any:
    return client("lambda").invoke(
        FunctionName=name, InvocationType=kind, Payload=json.dumps(event).encode()
    )


@pytest.mark.parametrize(
    ("kind", "limit"), [("RequestResponse", SIX_MB), ("Event", ONE_MB)], ids=["sync", "async"]
)
def test_an_event_at_nine_tenths_of_the_limit_is_taken_and_one_above_it_refused(
    client: Client, stack: dict[str, str], kind: str, limit: int
) -> None:
    """Facts X1 and X2."""
    fits, exceeds = ({"answer": 1, "padding": "x" * (limit * tenths // 10)} for tenths in (9, 11))

    assert invoke(client, stack["Sized"], fits, kind)["StatusCode"] in {200, 202}
    with pytest.raises(client("lambda").exceptions.RequestTooLargeException):
        invoke(client, stack["Sized"], exceeds, kind)


def test_a_response_above_the_limit_fails_the_function(
    client: Client, stack: dict[str, str]
) -> None:
    """Fact X1."""
    fits = invoke(client, stack["Sized"], {"answer": SIX_MB * 9 // 10})
    exceeds = invoke(client, stack["Sized"], {"answer": SIX_MB * 11 // 10})

    assert "FunctionError" not in fits
    assert exceeds["FunctionError"] == "Unhandled"
    assert json.load(exceeds["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_api_refuses_what_its_function_could_not_take(stack: dict[str, str]) -> None:
    """Fact X1."""
    url = f"{stack['Endpoint']}/sized"

    assert post(url, b"000000001" + b"x" * (SIX_MB * 9 // 10))[0] == 200
    status, answer = post(url, b"000000001" + b"x" * (SIX_MB * 11 // 10))
    assert (status, answer) == (413, {"message": "Request Too Long"})


def test_an_api_whose_function_answers_too_much_has_failed(stack: dict[str, str]) -> None:
    """Fact X1."""
    url = f"{stack['Endpoint']}/sized"

    assert post(url, b"%09d" % (SIX_MB * 9 // 10))[0] == 200
    assert post(url, b"%09d" % (SIX_MB * 11 // 10))[0] == 500
