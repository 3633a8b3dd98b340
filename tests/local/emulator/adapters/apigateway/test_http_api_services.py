"""HTTP APIs that hand requests to SQS and EventBridge by themselves."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, bodies, post, wait_until

pytestmark = pytest.mark.xdist_group("http-api-services")

ROUTE = """
  {name}Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationSubtype: {subtype}
      PayloadFormatVersion: "1.0"
      CredentialsArn: !GetAtt {role}.Arn
      RequestParameters: {parameters}
  {name}Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: POST /{name}
      Target: !Sub "integrations/${{{name}Integration}}"
"""

TRUST = """{Statement: [{Effect: Allow, Action: "sts:AssumeRole",
          Principal: {Service: apigateway.amazonaws.com}}]}"""

STACK = f"""
Resources:
  Api: {{Type: AWS::ApiGatewayV2::Api, Properties: {{Name: api, ProtocolType: HTTP}}}}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {{ApiId: !Ref Api, StageName: $default, AutoDeploy: true}}
  Queue: {{Type: AWS::SQS::Queue}}
  Bus: {{Type: AWS::Events::EventBus, Properties: {{Name: api-events}}}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {{source: [api]}}
      Targets: [{{Id: queue, Arn: !GetAtt Queue.Arn, InputPath: $.detail}}]
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Queue.Arn,
             Principal: {{Service: events.amazonaws.com}}}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {TRUST}
      Policies:
        - PolicyName: send
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Queue.Arn}}
              - {{Effect: Allow, Action: "events:PutEvents", Resource: !GetAtt Bus.Arn}}
  Powerless:
    Type: AWS::IAM::Role
    Properties: {{AssumeRolePolicyDocument: {TRUST}}}
{{routes}}
Outputs:
  Url: {{Value: !GetAtt Api.ApiEndpoint}}
  QueueUrl: {{Value: !Ref Queue}}
"""

SEND = "{QueueUrl: !Ref Queue, MessageBody: $request.body}"
EVENT = "{EventBusName: !Ref Bus, Source: api, DetailType: sent, Detail: $request.body.order}"

ROUTES = "".join(
    ROUTE.format(name=name, subtype=subtype, role=role, parameters=parameters)
    for name, subtype, role, parameters in (
        ("send", "SQS-SendMessage", "Role", SEND),
        ("refused", "SQS-SendMessage", "Powerless", SEND),
        ("put", "EventBridge-PutEvents", "Role", EVENT),
        ("denied", "EventBridge-PutEvents", "Powerless", EVENT),
    )
)


@pytest.fixture(scope="module")
def outputs(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK.replace("{routes}", ROUTES))


def test_a_body_is_sent_to_a_queue(outputs: dict[str, str], client: Client) -> None:
    status, answer = post(f"{outputs['Url']}/send", b'{"id": 1}')
    assert status == 200
    assert answer["MessageId"]
    assert bodies(client, outputs["QueueUrl"]) == [{"id": 1}]


def test_part_of_a_body_is_put_on_a_bus(outputs: dict[str, str], client: Client) -> None:
    status, answer = post(f"{outputs['Url']}/put", json.dumps({"order": {"id": 2}}).encode())
    assert (status, answer["FailedEntryCount"]) == (200, 0)

    def received() -> list[Any]:
        return bodies(client, outputs["QueueUrl"])

    assert wait_until(received) == [{"id": 2}]


@pytest.mark.parametrize(("route", "status"), [("refused", 403), ("denied", 400)])
def test_a_role_that_may_not_is_refused(
    route: str, status: int, outputs: dict[str, str], client: Client
) -> None:
    assert post(f"{outputs['Url']}/{route}", b'{"order": {}}')[0] == status
    assert bodies(client, outputs["QueueUrl"]) == []
