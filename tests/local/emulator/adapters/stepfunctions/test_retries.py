"""Retries: the error of a throttled function, and the longest wait before a retry."""

from contextlib import suppress

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.adapters.stepfunctions.retries import THROTTLED, wait_seconds
from sls_patterns_cli.local.emulator.timescale import LONGEST_WAY_SECONDS, here

STACK = """
Resources:
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions: {Function: !GetAtt Function.Arn}
      Definition:
        StartAt: Invoke
        States:
          Invoke:
            Type: Task
            Resource: arn:aws:states:::lambda:invoke
            Parameters: {FunctionName: "${Function}"}
            Retry:
              - {ErrorEquals: [Lambda.TooManyRequestsException], MaxAttempts: 2}
            End: true
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt FunctionRole.Arn
      ReservedConcurrentExecutions: 0
      Code: {ZipFile: "def handler(event, context): return event"}
  FunctionRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}}
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Statement: []}}
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref Role]
      PolicyName: invoke
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Function.Arn}
Outputs:
  Machine: {Value: !Ref Machine}
"""


def test_a_throttled_task_is_retried_and_fails_with_the_error_of_lambda(
    deploy_stack: DeployStack, client: Client
) -> None:
    states = client("stepfunctions")
    stack = deploy_stack(STACK)
    arn = states.start_execution(stateMachineArn=stack["Machine"], input="{}")["executionArn"]

    def failed() -> bool:
        with suppress(states.exceptions.ExecutionDoesNotExist):
            return bool(states.describe_execution(executionArn=arn)["status"] == "FAILED")
        return False

    wait_until(failed)

    assert states.describe_execution(executionArn=arn)["error"] == THROTTLED
    events = states.get_execution_history(executionArn=arn)["events"]
    assert [event["type"] for event in events].count("TaskFailed") == 3


@pytest.mark.parametrize(("retries", "seconds"), [(0, 2), (1, 4), (2, 8), (3, 10), (9, 10)])
def test_a_wait_grows_up_to_its_limit(retries: int, seconds: int) -> None:
    retrier = {"IntervalSeconds": 2, "MaxDelaySeconds": 10, "ErrorEquals": ["States.ALL"]}

    assert wait_seconds(retrier, retries) == pytest.approx(seconds)
    # Waits for other work to end are divided by 60.
    throttled = wait_seconds({**retrier, "ErrorEquals": [THROTTLED]}, retries)
    assert throttled / here().factor == pytest.approx(seconds / 60)


@pytest.mark.parametrize("attempts", [40, 10_000])
def test_all_retries_together_wait_no_longer_than_the_longest_way(attempts: int) -> None:
    retrier = {"MaxDelaySeconds": 600, "MaxAttempts": attempts, "ErrorEquals": ["States.ALL"]}

    waits = [wait_seconds(retrier, number) for number in range(min(attempts, 1000))]

    assert sum(waits) == pytest.approx(LONGEST_WAY_SECONDS)
    assert waits[1] == pytest.approx(2 * waits[0])
