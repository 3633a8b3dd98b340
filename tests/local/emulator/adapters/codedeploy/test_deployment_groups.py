"""Stacks with applications and deployment groups of CodeDeploy."""

from local.support import Client, DeployStack

STACK = """
Resources:
  Quote:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      InlineCode: "def handler(event, context): return 'quoted'"
      DeploymentPreference:
        Type: Canary10Percent5Minutes
        Role: !GetAtt CodeDeployRole.Arn
        Alarms: [%s]
  CodeDeployRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: codedeploy.amazonaws.com}, Action: sts:AssumeRole}
Outputs:
  Alias: {Value: !Ref Quote.Alias}
"""


def test_a_function_that_is_deployed_gradually_answers(
    deploy_stack: DeployStack, client: Client
) -> None:
    outputs = deploy_stack(STACK % "errors")

    answer = client("lambda").invoke(FunctionName=outputs["Alias"])

    assert answer["Payload"].read() == b'"quoted"'
