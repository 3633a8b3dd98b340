"""HTTP and REST APIs whose callers sign: which requests they serve, and how they refuse others."""

import datetime as dt
import http.client
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from local.support import REGION, Client, DeployStack

TEMPLATE = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            asked = event["requestContext"]
            iam = asked.get("authorizer", {}).get("iam")
            told = {"iam": iam, "identity": asked.get("identity"), "body": event.get("body")}
            return {"statusCode": 200, "body": json.dumps(told)}
      Events:
        HttpRead: {Type: HttpApi, Properties: {ApiId: !Ref Http, Method: GET, Path: "/items/{id}"}}
        HttpWrite: {Type: HttpApi, Properties: {ApiId: !Ref Http, Method: POST, Path: /items}}
        HttpOpen:
          Type: HttpApi
          Properties: {ApiId: !Ref Http, Method: GET, Path: /open, Auth: {Authorizer: NONE}}
        RestRead: {Type: Api, Properties: {RestApiId: !Ref Rest, Method: GET, Path: "/items/{id}"}}
        RestWrite: {Type: Api, Properties: {RestApiId: !Ref Rest, Method: POST, Path: /items}}
        RestOpen:
          Type: Api
          Properties: {RestApiId: !Ref Rest, Method: GET, Path: /open, Auth: {Authorizer: NONE}}
  Http:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth: {EnableIamAuthorizer: true, DefaultAuthorizer: AWS_IAM}
      AccessLogSettings:
        DestinationArn: !GetAtt Calls.Arn
        Format: "http $context.status $context.identity.userArn"
  Rest:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      Auth: {DefaultAuthorizer: AWS_IAM, InvokeRole: NONE}
      AccessLogSetting:
        DestinationArn: !GetAtt Calls.Arn
        Format: "rest $context.status $context.identity.userArn"
  Calls: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: signed-calls}}
  Caller:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: calls
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: execute-api:Invoke
                Resource:
                  - !Sub "arn:aws:execute-api:*:${AWS::AccountId}:${Http}/$default/GET/items/*"
                  - !Sub "arn:aws:execute-api:*:${AWS::AccountId}:${Rest}/live/GET/items/*"
              - Effect: Deny
                Action: execute-api:Invoke
                Resource: !Sub "arn:aws:execute-api:*:${AWS::AccountId}:*/GET/items/secret"
Outputs:
  http: {Value: !GetAtt Http.ApiEndpoint}
  rest: {Value: !Sub "https://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live"}
  Rest: {Value: !Ref Rest}
  Caller: {Value: !GetAtt Caller.Arn}
"""
ADMINISTRATOR = Credentials("test", "test")
SIGNATURE = "The request signature we calculated does not match the signature you provided."


@dataclass
class Call:
    """A call of an API; `signed` says with whose credentials and for which scope."""

    url: str
    method: str = "GET"
    body: bytes = b""
    by: Credentials | None = ADMINISTRATOR
    scope: tuple[str, str] = ("execute-api", REGION)

    def signed(self, **headers: str) -> AWSRequest:
        request = AWSRequest(self.method, self.url, data=self.body, headers=headers)
        if self.by:
            SigV4Auth(self.by, *self.scope).add_auth(request)
        return request

    def send(self, **headers: str) -> tuple[int, Any, Any]:
        return sent(self.signed(**headers))


def sent(request: AWSRequest) -> tuple[int, Any, Any]:
    """Send a request as it is; status, content and headers of the answer."""
    prepared = request.prepare()
    parts = urllib.parse.urlsplit(prepared.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    body: Any = prepared.body
    connection.request(prepared.method, target, body, dict(prepared.headers))
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()), answer.headers


@contextmanager
def clock(minutes: float) -> Iterator[None]:
    """Let botocore sign as if it were so many minutes later."""
    then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    then = then.replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=then):
        yield


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(TEMPLATE, "signed")


@pytest.fixture(scope="module")
def caller(outputs: dict[str, str], client: Client) -> Credentials:
    """A role that may read items, but not the secret one."""
    session = client("sts").assume_role(RoleArn=outputs["Caller"], RoleSessionName="proof")
    given = session["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


@pytest.fixture(params=["http", "rest"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def read(kind: str, outputs: dict[str, str]) -> Call:
    return Call(f"{outputs[kind]}/items/a%20b?to=x&to=%2F%20y&a=%C3%A9")


@pytest.fixture
def write(kind: str, outputs: dict[str, str]) -> Call:
    return Call(f"{outputs[kind]}/items", "POST", b'{"item": 1}')


def refuses(kind: str, answer: tuple[int, Any, Any], why: str, error_type: str) -> None:
    """An HTTP API says nothing of the reason; a REST API names it."""
    status, content, headers = answer
    assert status == 403
    if kind == "http":
        assert content == {"message": "Forbidden"}
        assert headers["apigw-requestid"]
    else:
        assert why in (content.get("message") or content["Message"])
        assert headers["x-amzn-ErrorType"] == error_type


def test_a_signed_call_is_served(read: Call, write: Call, caller: Credentials) -> None:
    assert read.send()[0] == 200
    status, content, _ = write.send(**{"content-type": "application/json", "x-more": "1"})
    assert (status, content["body"]) == (200, '{"item": 1}')
    assert replace(read, by=caller).send()[0] == 200


def test_the_access_log_names_who_signed(
    kind: str, read: Call, write: Call, caller: Credentials, client: Client
) -> None:
    replace(read, by=caller).send()
    replace(write, by=caller).send()

    events = client("logs").filter_log_events(logGroupName="signed-calls")["events"]
    lines = [each["message"] for each in events if each["message"].startswith(kind)]
    served, refused = lines[-2:]
    assert served.startswith(f"{kind} 200 arn:aws:sts::")
    assert served.endswith("/proof")
    assert refused == f"{kind} 403 -"


def test_the_function_is_told_who_calls(kind: str, read: Call, caller: Credentials) -> None:
    _, told, _ = replace(read, by=caller).send()
    if kind == "http":
        assert told["iam"]["userArn"].endswith("/proof")
        assert told["iam"]["accessKey"] == caller.access_key
        assert told["iam"]["cognitoIdentity"] is None
    else:
        assert told["identity"]["userArn"].endswith("/proof")
        assert told["identity"]["caller"].endswith(":proof")


def test_a_route_without_authorization_stays_open(kind: str, outputs: dict[str, str]) -> None:
    assert Call(f"{outputs[kind]}/open", by=None).send()[0] == 200


def test_a_call_without_a_signature_is_refused(kind: str, read: Call) -> None:
    missing = "Missing Authentication Token"
    refuses(kind, replace(read, by=None).send(), missing, "MissingAuthenticationTokenException")


def test_another_header_is_no_signature(kind: str, read: Call) -> None:
    answer = replace(read, by=None).send(authorization="Bearer token")
    refuses(kind, answer, "missing equal-sign", "IncompleteSignatureException")


def test_a_wrong_secret_is_refused(kind: str, read: Call, caller: Credentials) -> None:
    for by in (ADMINISTRATOR, caller):
        wrong = Credentials(by.access_key, "wrong", by.token)
        refuses(kind, replace(read, by=wrong).send(), SIGNATURE, "InvalidSignatureException")


def test_an_unknown_key_is_refused(kind: str, read: Call) -> None:
    unknown = replace(read, by=Credentials("AKIAUNKNOWN", "test"))
    says = "The security token included in the request is invalid"
    refuses(kind, unknown.send(), says, "UnrecognizedClientException")


@pytest.mark.parametrize("changed", ["body", "query", "header"])
def test_what_was_changed_after_signing_is_refused(kind: str, write: Call, changed: str) -> None:
    request = write.signed(**{"x-more": "1"})
    if changed == "body":
        request.data = b'{"item": 2}'
    elif changed == "query":
        request.url = f"{request.url}?all=1"
    else:
        request.headers.replace_header("x-more", "2")
    refuses(kind, sent(request), SIGNATURE, "InvalidSignatureException")


def test_a_signature_is_that_of_one_path(kind: str, read: Call) -> None:
    request = read.signed()
    request.url = str(request.url).replace("a%20b", "other")
    refuses(kind, sent(request), SIGNATURE, "InvalidSignatureException")


def test_a_body_that_is_not_signed_is_refused(kind: str, write: Call) -> None:
    """Fact W2."""
    unsigned = write.send(**{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    refuses(kind, unsigned, SIGNATURE, "InvalidSignatureException")


def test_a_signature_is_good_for_five_minutes(kind: str, read: Call) -> None:
    with clock(-4.9):
        assert read.send()[0] == 200
    with clock(-5.1):
        refuses(kind, read.send(), "Signature expired", "InvalidSignatureException")
    with clock(5.1):
        refuses(kind, read.send(), "Signature not yet current", "InvalidSignatureException")


def test_the_scope_is_that_of_the_api(kind: str, read: Call) -> None:
    """Fact W3."""
    other = replace(read, scope=("lambda", REGION)).send()
    refuses(kind, other, "correct service: 'execute-api'", "InvalidSignatureException")
    elsewhere = replace(read, scope=("execute-api", "us-east-1")).send()
    refuses(kind, elsewhere, "valid region, not 'us-east-1'", "InvalidSignatureException")


def test_a_role_without_permission_is_refused(
    kind: str, write: Call, caller: Credentials, outputs: dict[str, str]
) -> None:
    """Fact W1."""
    may_not = "because no identity-based policy allows the execute-api:Invoke action"
    refuses(kind, replace(write, by=caller).send(), may_not, "AccessDeniedException")
    secret = Call(f"{outputs[kind]}/items/secret", by=caller)
    denied = "with an explicit deny in an identity-based policy"
    refuses(kind, secret.send(), denied, "AccessDeniedException")


def test_the_token_of_temporary_credentials_is_needed(
    kind: str, read: Call, caller: Credentials
) -> None:
    without = replace(read, by=Credentials(caller.access_key, caller.secret_key))
    says = "security token included in the request is invalid"
    refuses(kind, without.send(), says, "UnrecognizedClientException")


def test_a_gateway_response_is_the_apis_own(
    outputs: dict[str, str], caller: Credentials, client: Client
) -> None:
    """Fact W4."""
    api = client("apigateway")
    for response, code in (("ACCESS_DENIED", "418"), ("MISSING_AUTHENTICATION_TOKEN", "404")):
        api.put_gateway_response(
            restApiId=outputs["Rest"],
            responseType=response,
            statusCode=code,
            responseTemplates={"application/json": '{"short":$context.error.messageString}'},
        )
    api.create_deployment(restApiId=outputs["Rest"], stageName="live")

    status, content, _ = Call(f"{outputs['rest']}/items", "POST", by=caller).send()
    assert (status, content.keys()) == (418, {"short"})
    missing = {"short": "Missing Authentication Token"}
    assert Call(f"{outputs['rest']}/items", "POST", by=None).send()[:2] == (404, missing)
    assert Call(f"{outputs['rest']}/unknown").send()[:2] == (404, missing)
