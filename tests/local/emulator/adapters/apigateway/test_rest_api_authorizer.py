"""REST APIs with a request authorizer: when it runs, and what its answer decides."""

import json

import pytest
import urllib3
from local.support import Client, DeployStack, seen, wait_until

HTTP = urllib3.PoolManager(retries=False, timeout=20)
API = """
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            told = event["requestContext"].get("authorizer")
            return {"statusCode": 200, "body": json.dumps(told)}
      Events:
        Read: {Type: Api, Properties: {RestApiId: !Ref Api, Method: GET, Path: "/items/{id}"}}
        Write: {Type: Api, Properties: {RestApiId: !Ref Api, Method: POST, Path: /items}}
  Authorize:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import uuid
        def handler(event, context):
            token = event["headers"]["Authorization"]
            print("seen", token)
            if token == "broken":
                raise ValueError(token)
            api = event["methodArn"].split("/")[0]
            routes = {"reader": ["GET/items/*"], "both": ["GET/items/*", "POST/items"]}
            allowed = [f"{api}/live/{route}" for route in routes.get(token, [])]
            statement = {"Effect": "Allow" if allowed else "Deny", "Action": "execute-api:Invoke",
                         "Resource": allowed or f"{api}/*"}
            return {"principalId": token, "context": {"run": str(uuid.uuid4())},
                    "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      Auth:
        DefaultAuthorizer: Authorizer
        Authorizers:
          Authorizer:
            FunctionPayloadType: REQUEST
            FunctionArn: !GetAtt Authorize.Arn
            Identity: {Headers: [Authorization], ReauthorizeEvery: 300}
Outputs:
  Url: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live"}
  Authorize: {Value: !Ref Authorize}
"""


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(API, "rest-authorizer")


def call(
    outputs: dict[str, str], token: str | None, method: str = "GET", path: str = "/items/1"
) -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": token} if token else {}
    return HTTP.request(method, f"{outputs['Url']}{path}", headers=headers)


def test_a_policy_decides_for_every_route_and_is_kept(outputs: dict[str, str]) -> None:
    first = call(outputs, "both").json()
    again = call(outputs, "both", path="/items/2").json()
    elsewhere = call(outputs, "both", "POST", "/items").json()

    assert first["principalId"] == "both"
    assert first["run"] == again["run"] == elsewhere["run"]
    assert call(outputs, "reader").json()["run"] != first["run"]


def test_a_kept_policy_opens_no_other_route(outputs: dict[str, str]) -> None:
    assert call(outputs, "reader").status == 200
    refused = call(outputs, "reader", "POST", "/items")
    assert refused.status == 403
    assert refused.json() == {"Message": "User is not authorized to access this resource"}
    assert refused.headers["x-amzn-ErrorType"] == "AccessDeniedException"


def test_an_explicit_deny_is_403(outputs: dict[str, str]) -> None:
    refused = call(outputs, "stranger")
    assert refused.status == 403
    assert "with an explicit deny" in refused.json()["Message"]


def test_without_the_header_the_authorizer_does_not_run(
    outputs: dict[str, str], client: Client
) -> None:
    """Fact W5."""
    refused = call(outputs, None)
    assert (refused.status, refused.json()) == (401, {"message": "Unauthorized"})
    assert refused.headers["x-amzn-ErrorType"] == "UnauthorizedException"

    assert call(outputs, "after").status == 403
    wait_until(lambda: "after" in seen(client, outputs["Authorize"]))
    assert "None" not in seen(client, outputs["Authorize"])
    assert "" not in seen(client, outputs["Authorize"])


def test_an_authorizer_that_fails_refuses_with_500(outputs: dict[str, str]) -> None:
    assert call(outputs, "broken").status == 500


def test_an_authorizer_without_permission_is_not_run(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(API, "rest-authorizer-unpermitted")
    assert call(outputs, "both").status == 200
    functions = client("lambda")
    policy = functions.get_policy(FunctionName=outputs["Authorize"])["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    functions.remove_permission(FunctionName=outputs["Authorize"], StatementId=statement["Sid"])

    assert call(outputs, "reader").status == 500
