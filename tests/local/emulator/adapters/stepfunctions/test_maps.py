"""Distributed maps: what their role must be allowed, and what a redrive does not run again."""

import json
from typing import Any

import pytest
from local.support import Client, DeployStack, ended

STACK = """
Resources:
  Items: {Type: "AWS::S3::Bucket"}
  Sent: {Type: "AWS::SQS::Queue"}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions: {Items: !Ref Items, Sent: !Ref Sent}
      Definition:
        StartAt: Each
        States:
          Each:
            Type: Map
            Next: Last
            ItemReader:
              Resource: arn:aws:states:::s3:getObject
              ReaderConfig: {InputType: JSON}
              Parameters: {Bucket: "${Items}", Key: items.json}
            ItemProcessor:
              ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: EXPRESS}
              StartAt: Send
              States:
                Send:
                  Type: Task
                  Resource: arn:aws:states:::sqs:sendMessage
                  Parameters: {QueueUrl: "${Sent}", MessageBody.$: $}
                  ResultPath: null
                  End: true
          Last:
            Type: Task
            Resource: arn:aws:states:::sqs:sendMessage
            Parameters:
              QueueUrl: https://sqs.us-east-1.amazonaws.com/000000000000/none
              MessageBody: last
            End: true
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}}
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref Role]
      PolicyName: map
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Items.Arn}/*"}
          - {Effect: Allow, Action: "states:StartExecution", Resource: !Ref Machine}
          - {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Sent.Arn}
Outputs:
  Items: {Value: !Ref Items}
  Sent: {Value: !Ref Sent}
  Machine: {Value: !Ref Machine}
"""


def run(stack: dict[str, str], client: Client) -> Any:
    """Start the machine with two items; return its execution when that has ended."""
    states = client("stepfunctions")
    client("s3").put_object(Bucket=stack["Items"], Key="items.json", Body=json.dumps(["a", "b"]))
    arn = states.start_execution(stateMachineArn=stack["Machine"], input="{}")["executionArn"]
    return ended(client, arn)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("s3:GetObject", "States.ItemReaderFailed"),
        ("states:StartExecution", "States.Permissions"),
        ("sqs:SendMessage", "States.ExceedToleratedFailureThreshold"),
    ],
)
def test_a_map_does_nothing_that_its_role_may_not_do(
    action: str, error: str, deploy_stack: DeployStack, client: Client
) -> None:
    stack = deploy_stack(STACK.replace(action, "s3:ListAllMyBuckets"))

    execution = run(stack, client)

    assert (execution["status"], execution["error"]) == ("FAILED", error)


def test_a_redrive_does_not_map_again_what_has_succeeded(
    deploy_stack: DeployStack, client: Client
) -> None:
    """The last state may not send to its queue, and so fails each time."""
    stack = deploy_stack(STACK)
    sqs, states = client("sqs"), client("stepfunctions")
    execution = run(stack, client)
    assert execution["error"] == "SQS.AmazonSQSException"

    states.redrive_execution(executionArn=execution["executionArn"])

    assert ended(client, execution["executionArn"])["redriveCount"] == 1
    sent = sqs.get_queue_attributes(
        QueueUrl=stack["Sent"], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert sent == {"ApproximateNumberOfMessages": "2"}
