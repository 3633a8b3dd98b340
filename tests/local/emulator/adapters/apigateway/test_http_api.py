"""HTTP APIs: routes from the definition, addresses, permission, hidden failures, CORS."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest
from local.support import DeployStack

API = """
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: ["https://example.com"], AllowMethods: [POST]}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            if event["rawPath"] == "/fail":
                raise ValueError("secret detail")
            if event["rawPath"] == "/empty":
                return {"statusCode": 204, "body": None}
            if event["rawPath"] == "/behind":
                return {"statusCode": 502, "body": '{"message": "the carrier failed"}'}
            return {"path": event["rawPath"], "parameters": event.get("pathParameters", "none"),
                    "route": event["routeKey"], "body": event.get("body"),
                    "asked": event["headers"].get("asked-for")}
      Events:
        Item: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: "/items/{id}"}}
        Fail: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: ANY, Path: /fail}}
        Behind: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /behind}}
        Empty: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: DELETE, Path: /empty}}
        More: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /MORE}}
Outputs:
  Endpoint: {Value: !GetAtt Api.ApiEndpoint}
  Written: {Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
  Api: {Value: !Ref Api}
  Function: {Value: !Ref Function}
"""

UNPERMITTED = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): return 'reached'"}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Body:
        openapi: 3.0.1
        info: {title: unpermitted, version: "1"}
        paths:
          /:
            get:
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                payloadFormatVersion: "2.0"
                uri: !GetAtt Function.Arn
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true}
Outputs: {Endpoint: {Value: !GetAtt Api.ApiEndpoint}}
"""


def request(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, Any, Any]:
    headers = {"Content-Type": "text/plain", **headers}
    sent = urllib.request.Request(  # noqa: S310 (an address of the emulator)
        url, data=body, method=method, headers=headers
    )
    try:
        with urllib.request.urlopen(sent, timeout=20) as answer:  # noqa: S310
            text = answer.read()
            return answer.status, json.loads(text) if text else None, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


@pytest.fixture(scope="module")
def api(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(API, "http-api")


def test_both_ways_to_write_an_address_can_be_called_as_they_are(api: dict[str, str]) -> None:
    assert api["Endpoint"] == api["Written"]
    assert api["Endpoint"].startswith("http://127.0.0.1:")
    assert request(f"{api['Endpoint']}/MORE")[0] == 200


def test_routes_of_the_definition_reach_the_function(api: dict[str, str]) -> None:
    status, answer, _ = request(f"{api['Endpoint']}/items/7", "POST", b"text")
    assert status == 200
    assert answer == {
        "path": "/items/7",
        "parameters": {"id": "7"},
        "route": "POST /items/{id}",
        "body": "text",
        "asked": None,
    }


def test_a_function_gets_the_names_of_headers_in_lower_case(api: dict[str, str]) -> None:
    """Fact B20."""
    _, answer, _ = request(f"{api['Endpoint']}/MORE", "GET", None, **{"Asked-For": "this"})
    assert answer["asked"] == "this"


def test_a_route_without_parameters_is_no_event_with_them(api: dict[str, str]) -> None:
    _, answer, _ = request(f"{api['Endpoint']}/MORE")
    assert answer["parameters"] == "none"


def test_other_paths_and_methods_are_not_found(api: dict[str, str]) -> None:
    assert request(f"{api['Endpoint']}/nothing")[0] == 404
    assert request(f"{api['Endpoint']}/items/7", "DELETE")[0] == 404


@pytest.mark.parametrize(("path", "method"), [("/MORE", "GET"), ("/items/7", "POST")])
def test_a_slash_at_the_end_is_another_path(api: dict[str, str], path: str, method: str) -> None:
    """Fact X4."""
    assert request(api["Endpoint"] + path, method)[0] == 200
    assert request(f"{api['Endpoint']}{path}/", method)[0] == 404


def test_a_functions_failure_is_hidden_from_the_caller(api: dict[str, str]) -> None:
    status, answer, _ = request(f"{api['Endpoint']}/fail")
    assert (status, answer) == (500, {"message": "Internal Server Error"})


def test_a_functions_own_502_is_passed_on(api: dict[str, str]) -> None:
    status, answer, _ = request(f"{api['Endpoint']}/behind")
    assert (status, answer) == (502, {"message": "the carrier failed"})


def test_an_answer_may_have_no_body(api: dict[str, str]) -> None:
    assert request(f"{api['Endpoint']}/empty", "DELETE")[:2] == (204, None)


def test_a_preflight_request_is_answered_from_the_cors_configuration(api: dict[str, str]) -> None:
    status, _, headers = request(
        f"{api['Endpoint']}/items/7", "OPTIONS", Origin="https://example.com"
    )
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "https://example.com"


CORS_RESOURCES = """
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: pages
      ProtocolType: HTTP
      CorsConfiguration: {AllowOrigins: ["https://example.com"], AllowMethods: [POST]}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true}
Outputs:
  Endpoint: {Value: !GetAtt Api.ApiEndpoint}
"""


def test_cors_of_a_resource_holds_for_preflight_requests_and_refusals(
    deploy_stack: DeployStack,
) -> None:
    endpoint = deploy_stack(CORS_RESOURCES, "pages")["Endpoint"]

    for method, expected in (("OPTIONS", 204), ("GET", 404)):
        status, _, headers = request(f"{endpoint}/missing", method, Origin="https://example.com")
        assert status == expected
        assert headers["Access-Control-Allow-Origin"] == "https://example.com"
    _, _, headers = request(f"{endpoint}/missing", Origin="https://other.example")
    assert "Access-Control-Allow-Origin" not in headers


def test_an_update_turns_cors_of_a_resource_off(deploy_stack: DeployStack) -> None:
    deploy_stack(CORS_RESOURCES, "pages")
    without = re.sub(r" +CorsConfiguration: .*\n", "", CORS_RESOURCES)

    endpoint = deploy_stack(without, "pages")["Endpoint"]

    assert request(f"{endpoint}/missing", "OPTIONS", Origin="https://example.com")[0] == 403


def test_an_update_of_the_stack_replaces_the_routes_and_keeps_the_address(
    deploy_stack: DeployStack, api: dict[str, str]
) -> None:
    updated = deploy_stack(API.replace("Path: /MORE", "Path: /less"), "http-api")
    assert updated["Endpoint"] == api["Endpoint"]
    assert request(f"{api['Endpoint']}/less")[0] == 200
    assert request(f"{api['Endpoint']}/MORE")[0] == 404


def test_without_a_permission_the_function_is_not_invoked(deploy_stack: DeployStack) -> None:
    endpoint = deploy_stack(UNPERMITTED)["Endpoint"]
    status, answer, _ = request(f"{endpoint}/")
    assert (status, answer) == (500, {"message": "Internal Server Error"})


def test_a_permission_names_the_route_as_it_is_written(deploy_stack: DeployStack) -> None:
    permission = """
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/items/{id}"
Outputs:"""
    permitted = (
        UNPERMITTED.replace("return 'reached'", "return ['reached']")
        .replace("          /:\n", '          "/items/{id}":\n')
        .replace("\nOutputs:", permission)
    )

    endpoint = deploy_stack(permitted, "permitted")["Endpoint"]

    assert request(f"{endpoint}/items/7")[:2] == (200, ["reached"])


GUARDED = """
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Guard
        Authorizers:
          Guard:
            FunctionArn: !GetAtt Guard.Arn
            EnableFunctionDefaultPermissions: true
            AuthorizerPayloadFormatVersion: "2.0"
            Identity: {Headers: [Authorization], ReauthorizeEvery: 300}
  Guard:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import os
        calls = []
        def handler(event, context):
            calls.append(event)
            token = event["identitySource"][0]
            if token == "broken":
                raise RuntimeError("no")
            path = event["routeArn"].rsplit("/", 1)[0]
            statement = {"Effect": "Allow", "Action": "execute-api:Invoke",
                         "Resource": f"{path}/{token}"}
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            return {"principalId": token, "policyDocument": policy,
                    "context": {"calls": len(calls)}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            return event["requestContext"]["authorizer"]["lambda"]
      Events:
        One: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /one}}
        Two: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /two}}
Outputs: {Endpoint: {Value: !GetAtt Api.ApiEndpoint}}
"""


def status(url: str, token: str) -> int:
    return request(url, Authorization=token)[0]


def test_an_authorizers_policy_says_which_routes_and_is_cached(deploy_stack: DeployStack) -> None:
    endpoint = deploy_stack(GUARDED, "guarded")["Endpoint"]

    assert request(f"{endpoint}/one")[0] == 401
    assert status(f"{endpoint}/one", "broken") == 500
    assert status(f"{endpoint}/one", "one") == 200
    assert status(f"{endpoint}/two", "one") == 403
    answers = [request(f"{endpoint}/two", Authorization="two")[1] for _ in range(2)]
    assert [answer["calls"] for answer in answers] == [3, 3]


def test_an_authorizer_of_format_1_is_told_who_comes(deploy_stack: DeployStack) -> None:
    older = (
        GUARDED.replace('Version: "2.0"', 'Version: "1.0"')
        .replace('["identitySource"][0]', '["identitySource"]')
        .replace("routeArn", "methodArn")
    )

    endpoint = deploy_stack(older, "older-guard")["Endpoint"]

    assert status(f"{endpoint}/one", "one") == 200
    assert status(f"{endpoint}/two", "one") == 403


def test_an_authorizer_without_its_permission_lets_nobody_in(deploy_stack: DeployStack) -> None:
    unpermitted = GUARDED.replace("            EnableFunctionDefaultPermissions: true\n", "")

    endpoint = deploy_stack(unpermitted, "unpermitted-guard")["Endpoint"]

    assert status(f"{endpoint}/one", "one") == 500
