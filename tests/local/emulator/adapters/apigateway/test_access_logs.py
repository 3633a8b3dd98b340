"""Access logs: a line for each call, in the format of the stage."""

import json
import re
from typing import Any

import urllib3
from local.support import Client, DeployStack

HTTP = urllib3.PoolManager(retries=False, timeout=20)
FORMAT = (
    '{"route":"$context.routeKey$context.resourcePath","path":"$context.path",'
    '"method":"$context.httpMethod","status":"$context.status","agent":"$context.identity.userAgent",'
    '"from":"$context.identity.sourceIp","subject":"$context.authorizer.claims.sub",'
    '"error":"$context.integrationErrorMessage"}'
)

STACK = """
Resources:
  Calls: {Type: "AWS::Logs::LogGroup"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 201, "body": "{}"}
      Events:
        Orders: {Type: KIND, Properties: {ID: !Ref Api, Method: GET, Path: "/orders/{id}"}}
        Others: {Type: KIND, Properties: {ID: !Ref Api, Method: ANY, Path: "/{proxy+}"}}
  Api:
API
Outputs:
  Endpoint: {Value: ENDPOINT}
  Calls: {Value: !Ref Calls}
"""
HTTP_API = f"""
    Type: AWS::Serverless::HttpApi
    Properties:
      AccessLogSettings: {{DestinationArn: !GetAtt Calls.Arn, Format: '{FORMAT}'}}
"""
REST_API = f"""
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      AccessLogSetting: {{DestinationArn: !GetAtt Calls.Arn, Format: '{FORMAT}'}}
"""
REST_ENDPOINT = '!Sub "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/live"'


def call(address: str, agent: str = "shop") -> int:
    return int(HTTP.request("GET", address, headers={"user-agent": agent}).status)


def calls(client: Client, stack: dict[str, str]) -> list[dict[str, Any]]:
    events = client("logs").filter_log_events(logGroupName=stack["Calls"])["events"]
    return [json.loads(each["message"]) for each in events]


def stack_of(kind: str, api: str, endpoint: str, id_of_api: str) -> str:
    changes = {"KIND": kind, "API\n": api, "ENDPOINT": endpoint, "ID:": f"{id_of_api}:"}
    template = STACK
    for name, text in changes.items():
        template = template.replace(name, text)
    return template


def test_an_http_api_logs_the_route_the_path_and_who_calls(
    client: Client, deploy_stack: DeployStack
) -> None:
    stack = deploy_stack(stack_of("HttpApi", HTTP_API, "!GetAtt Api.ApiEndpoint", "ApiId"))

    assert call(f"{stack['Endpoint']}/orders/7?fields=name") == 201
    assert call(f"{stack['Endpoint']}/other/system") == 201

    told = {"method": "GET", "status": "201", "from": "127.0.0.1", "agent": "shop"}
    told |= {"subject": "-", "error": "-"}
    assert calls(client, stack) == [
        {"route": "GET /orders/{id}-", "path": "/orders/7", **told},
        {"route": "ANY /{proxy+}-", "path": "/other/system", **told},
    ]


def test_a_rest_api_logs_the_resource_and_what_it_refuses(
    client: Client, deploy_stack: DeployStack
) -> None:
    stack = deploy_stack(stack_of("Api", REST_API, REST_ENDPOINT, "RestApiId"))

    assert call(f"{stack['Endpoint']}/orders/7") == 201
    assert call(f"{stack['Endpoint']}/orders/7/lines") == 201
    assert call(stack["Endpoint"]) == 403

    lines = [(each["route"], each["path"], each["status"]) for each in calls(client, stack)]
    assert lines == [
        ("-/orders/{id}", "/live/orders/7", "201"),
        ("-/{proxy+}", "/live/orders/7/lines", "201"),
        ("--", "/live/", "403"),
    ]


def test_an_update_changes_the_format_of_a_rest_api(
    client: Client, deploy_stack: DeployStack
) -> None:
    template = stack_of("Api", REST_API, REST_ENDPOINT, "RestApiId")
    deploy_stack(template.replace(FORMAT, '{"id":"$context.apiId"}'), "format")
    stack = deploy_stack(template.replace(FORMAT, '{"at":"$context.requestTime"}'), "format")

    call(f"{stack['Endpoint']}/orders/7")

    (line,) = calls(client, stack)
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", line["at"])


def test_quotes_of_a_caller_break_the_line(client: Client, deploy_stack: DeployStack) -> None:
    template = stack_of("HttpApi", HTTP_API, "!GetAtt Api.ApiEndpoint", "ApiId")
    agent = '{"by":"$context.identity.userAgent"}'
    stack = deploy_stack(template.replace(FORMAT, agent), "quotes")

    call(f"{stack['Endpoint']}/orders/7", 'the "shop"')

    (event,) = client("logs").filter_log_events(logGroupName=stack["Calls"])["events"]
    assert event["message"] == '{"by":"the "shop""}'
