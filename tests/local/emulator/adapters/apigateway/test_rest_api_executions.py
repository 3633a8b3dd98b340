"""REST APIs that answer with what an express state machine makes of a request."""

from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from local.support import DeployStack

PATH = """
          /{path}/{{id}}:
            get:
              x-amazon-apigateway-integration:
                type: aws
                httpMethod: POST
                uri: !Sub arn:aws:apigateway:${{AWS::Region}}:states:action/StartSyncExecution
                credentials: !GetAtt {role}.Arn
                requestTemplates:
                  application/json: !Sub |
                    #set($id = $input.params('id'))
                    {{"stateMachineArn": "${{Machine}}", "input": "{{\\"id\\":$id}}"}}
                responses:
                  default:
                    statusCode: "200"
                    responseTemplates:
                      application/json: |
                        #if($input.path('$.status') == 'SUCCEEDED')
                        $util.parseJson($input.path('$.output')).said
                        #else
                        #set($context.responseOverride.status = 500)
                        {{"error": "$input.path('$.error')"}}
                        #end
                  "4\\\\d{{2}}":
                    statusCode: "502"
                    responseTemplates:
                      application/json: $input.path('$.__type')
"""
ROLE = """
  {name}:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: {service}.amazonaws.com}}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement: [{{Effect: Allow, Action: "{action}", Resource: "*"}}]
"""
OPEN = PATH.format(path="open", role="SyncRole")
CLOSED = PATH.format(path="closed", role="StartRole")
STACK = f"""
Resources:
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt RunningRole.Arn
      Definition:
        QueryLanguage: JSONata
        StartAt: Known
        States:
          Known:
            Type: Choice
            Choices: [{{Condition: "{{% $states.input.id = 1 %}}", Next: Answer}}]
            Default: Fail
          Answer: {{Type: Pass, Output: {{said: "it is one"}}, End: true}}
          Fail: {{Type: Fail, Error: Unknown, Cause: not for callers}}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      OpenApiVersion: 3.0.1
      DefinitionBody:
        openapi: 3.0.1
        paths:{OPEN}{CLOSED}
{ROLE.format(name="RunningRole", service="states", action="logs:*")}
{ROLE.format(name="SyncRole", service="apigateway", action="states:StartSyncExecution")}
{ROLE.format(name="StartRole", service="apigateway", action="states:StartExecution")}
Outputs:
  Url: {{Value: !Sub "https://${{Api}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/live"}}
"""


@pytest.fixture(scope="module")
def url(deploy_stack: DeployStack) -> str:
    return deploy_stack(STACK)["Url"]


def answer(url: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    try:
        with urlopen(url, timeout=20) as response:  # noqa: S310 (of the local stack)
            return response.status, response.read().decode().strip()
    except HTTPError as refused:
        return refused.code, refused.read().decode().strip()


def test_the_output_of_an_execution_is_what_the_template_answers(url: str) -> None:
    assert answer(f"{url}/open/1") == (HTTPStatus.OK, "it is one")


def test_an_execution_that_failed_is_a_success_of_the_service(url: str) -> None:
    assert answer(f"{url}/open/2") == (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        '{"error": "Unknown"}',
    )


def test_what_the_service_refuses_has_a_template_of_its_own(url: str) -> None:
    assert answer(f"{url}/open/x") == (HTTPStatus.BAD_GATEWAY, "InvalidExecutionInput")


def test_a_role_that_may_start_executions_may_not_wait_for_them(url: str) -> None:
    assert answer(f"{url}/closed/1") == (HTTPStatus.BAD_GATEWAY, "AccessDeniedException")
