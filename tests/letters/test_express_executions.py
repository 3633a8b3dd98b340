"""Executions of an express machine that it has kept itself, by name and input."""

import json
from pathlib import Path
from typing import Any

import pytest
from letters.conftest import Letters, bodies
from local.support import Client, DeployStack

END = "{{% $states.input.end = '{}' %}}"
MACHINE = {
    "QueryLanguage": "JSONata",
    "StartAt": "Choose",
    "States": {
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {"Condition": END.format("undone"), "Next": "Undone"},
                {"Condition": END.format("half done"), "Next": "Keep"},
                {"Condition": END.format("not begun"), "Next": "NotBegun"},
            ],
            "Default": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Undone": {"Type": "Fail", "Error": "UndoneError"},
        "NotBegun": {"Type": "Fail", "Error": "{% 'NotBegun' & 'Error' %}"},
        "Keep": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Arguments": {
                "QueueUrl": "${Queue}",
                "MessageBody": {
                    "execution": "{% $states.context.Execution.Name %}",
                    "input": "{% $states.context.Execution.Input %}",
                    "error": {"Error": "AgainError", "Cause": "it could not be undone"},
                },
            },
            "End": True,
        },
    },
}
STACK = f"""
Resources:
  Kept: {{Type: AWS::SQS::Queue, Properties: {{MessageRetentionPeriod: 1209600}}}}
  Short:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineType: EXPRESS
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions: {{Queue: !Ref Kept}}
      DefinitionString: |
        {json.dumps(MACHINE)}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal: {{Service: states.amazonaws.com}}
      Policies:
        - PolicyName: keeps
          PolicyDocument:
            Statement: {{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Kept.Arn}}
Outputs:
  Kept: {{Value: !Ref Kept}}
"""


@pytest.fixture(scope="module")
def queue(deploy_stack: DeployStack) -> str:
    return deploy_stack(STACK, "kept")["Kept"]


def put(client: Client, url: str, end: str) -> None:
    error = {"Error": "FirstError", "Cause": "no answer"}
    letter = {"execution": "order-1", "input": {"end": end, "price": 12}, "error": error}
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(letter))


def test_a_letter_says_which_execution_failed_and_why(
    letters: Letters, client: Client, queue: str
) -> None:
    put(client, queue, "done")

    shown = letters("show", "--stack", "kept", "--payload", "--json")

    (letter,) = json.loads(shown.stdout)
    assert letter["payload"] == {"execution": "order-1", "input": {"end": "done", "price": 12}}
    assert letter["cause"] == "FirstError: no answer"
    client("sqs").purge_queue(QueueUrl=queue)


@pytest.mark.parametrize(
    ("end", "verdict", "stays"),
    [
        ("done", "sent", []),
        ("undone", "sent", []),
        ("half done", "sent", ["AgainError"]),
        ("not begun", "failed-again", ["FirstError"]),
    ],
)
def test_an_execution_starts_again_under_its_name_and_leaves_one_letter_at_most(  # noqa: PLR0913, PLR0917
    end: str, verdict: str, stays: list[str], letters: Letters, client: Client, queue: str
) -> None:
    put(client, queue, end)

    done = letters("redrive", "--stack", "kept", "--older-than", "0s", "--yes", "--json")

    (report,) = json.loads(done.stdout)
    assert {name: count for name, count in report["verdicts"].items() if count} == {verdict: 1}
    left: list[dict[str, Any]] = [json.loads(each) for each in bodies(client, queue)]
    assert [each["error"]["Error"] for each in left] == stays
    assert all(each["execution"] == "order-1" for each in left)
    assert all(each["input"] == {"end": end, "price": 12} for each in left)
    client("sqs").purge_queue(QueueUrl=queue)


def test_a_redrive_may_start_the_machine_and_wait(letters: Letters, queue: str) -> None:
    done = letters("policy", "redrive", "--stack", "kept")

    assert queue
    assert "states:StartSyncExecution" in done.stdout


def test_the_definition_that_a_deployment_has_left_in_s3_is_asked_for(
    letters: Letters, client: Client, queue: str, tmp_path: Path
) -> None:
    put(client, queue, "done")
    packaged = tmp_path / "packaged.yaml"
    before, _, rest = STACK.partition("      DefinitionSubstitutions")
    location = "      DefinitionS3Location: {Bucket: assets, Key: definition.json}\n"
    packaged.write_text(f"{before}{location}  Role:{rest.partition('  Role:')[2]}")

    shown = letters("show", packaged, "--stack", "kept", "--json")
    policy = letters("policy", "show", packaged, "--stack", "kept")

    assert [letter["cause"] for letter in json.loads(shown.stdout)] == ["FirstError: no answer"]
    assert "states:DescribeStateMachine" in policy.stdout
