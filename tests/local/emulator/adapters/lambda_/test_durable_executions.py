"""Durable executions: the test plays the SDK, so that it sees each invocation and answers it."""

import json
import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack, bodies, wait_until

STACK = """
Resources:
  Failed: {Type: "AWS::SQS::Queue"}
  Order:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Timeout: 60
      DurableConfig: {ExecutionTimeout: 180}
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Failed.Arn}
      InlineCode: |
        import json, os, pathlib, time
        def handler(event, context):
            operations = event["InitialExecutionState"]["Operations"]
            given = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])
            folder = pathlib.Path(given["folder"])
            number = len(list(folder.glob("*.event")))
            told = {**event, "version": context.function_version, "pid": os.getpid()}
            (folder / "new").write_text(json.dumps(told))
            (folder / "new").rename(folder / f"{number}.event")
            answer = folder / f"{number}.answer"
            while not answer.exists():
                time.sleep(0.02)
            answer = json.loads(answer.read_text())
            if answer is None:
                raise ValueError("told to fail")
            return answer
Outputs:
  Alias: {Value: !Ref Order.Alias}
  Name: {Value: !Ref Order}
  Failed: {Value: !Ref Failed}
"""

STEP = {"Id": "step-1", "Type": "STEP", "Name": "charge"}
WAIT = {"Id": "wait-1", "Type": "WAIT"}
PENDING = {"Status": "PENDING"}
DONE = {"Status": "SUCCEEDED", "Result": '"shipped"'}

_numbers = count()


class Execution:
    """An execution whose invocations the test sees and answers."""

    def __init__(self, client: Client, stack: dict[str, str], folder: Path) -> None:
        self._lambda = client("lambda")
        self.stack, self.folder = stack, folder
        self.name = f"order-{next(_numbers)}"
        self.payload = json.dumps({"folder": str(folder)})
        self.arn = self.start()

    def start(self, **changed: str) -> str:
        given = {
            "FunctionName": self.stack["Alias"],
            "InvocationType": "Event",
            "DurableExecutionName": self.name,
            "Payload": self.payload,
        }
        return str(self._lambda.invoke(**{**given, **changed})["DurableExecutionArn"])

    def event(self, number: int) -> Any:
        """Return what the invocation with this number has got."""
        file = self.folder / f"{number}.event"
        wait_until(file.exists)
        return json.loads(file.read_text())

    def operations(self, number: int) -> dict[str, Any]:
        found = self.event(number)["InitialExecutionState"]["Operations"]
        return {each["Id"]: each for each in found}

    def checkpoint(self, number: int, *updates: dict[str, Any], **given: str) -> str:
        """Checkpoint these updates in the name of an invocation, and return the next token."""
        answer = self._lambda.checkpoint_durable_execution(
            DurableExecutionArn=self.arn,
            Updates=updates,
            **{"CheckpointToken": self.event(number)["CheckpointToken"], **given},
        )
        return str(answer["CheckpointToken"])

    def answer(self, number: int, answer: dict[str, Any] | None) -> None:
        self.event(number)
        (self.folder / "answer").write_text(json.dumps(answer))
        (self.folder / "answer").rename(self.folder / f"{number}.answer")

    def ends_as(self, status: str) -> Any:
        def ended() -> Any:
            found = self._lambda.get_durable_execution(DurableExecutionArn=self.arn)
            return found if found["Status"] == status else None

        return wait_until(ended)


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


@pytest.fixture
def execution(stack: dict[str, str], client: Client, tmp_path: Path) -> Execution:
    return Execution(client, stack, tmp_path)


def kept(client: Client, stack: dict[str, str], execution: Execution) -> list[Any]:
    """What the dead-letter queue has of an execution."""
    return [each for each in bodies(client, stack["Failed"]) if str(execution.folder) in str(each)]


def test_an_execution_waits_without_running_and_replays_what_it_has_done(
    execution: Execution, client: Client, stack: dict[str, str]
) -> None:
    assert next(iter(execution.operations(0).values()))["Type"] == "EXECUTION"
    done = {**STEP, "Action": "SUCCEED", "Payload": '"paid"'}
    waiting = {**WAIT, "Action": "START", "WaitOptions": {"WaitSeconds": 120}}
    execution.checkpoint(0, {**STEP, "Action": "START"}, done, waiting)
    execution.answer(0, PENDING)

    replayed = execution.operations(1)
    assert replayed["step-1"]["Status"] == replayed["wait-1"]["Status"] == "SUCCEEDED"
    assert replayed["step-1"]["StepDetails"]["Result"] == '"paid"'
    execution.answer(1, DONE)

    assert execution.ends_as("SUCCEEDED")["Result"] == '"shipped"'
    assert kept(client, stack, execution) == []


def test_a_step_is_tried_again_with_the_number_of_its_attempts(execution: Execution) -> None:
    retry = {**STEP, "Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 120}}
    execution.checkpoint(0, {**STEP, "Action": "START"}, retry)
    execution.answer(0, PENDING)

    step = execution.operations(1)["step-1"]
    assert step["Status"] == "READY"
    assert step["StepDetails"]["Attempt"] == 1
    execution.answer(1, DONE)
    execution.ends_as("SUCCEEDED")


def test_what_was_killed_is_replayed_with_what_was_checkpointed(execution: Execution) -> None:
    execution.checkpoint(0, {**STEP, "Action": "START"}, {**STEP, "Action": "SUCCEED"})
    os.kill(execution.event(0)["pid"], signal.SIGKILL)

    assert execution.operations(1)["step-1"]["Status"] == "SUCCEEDED"
    execution.answer(1, DONE)
    execution.ends_as("SUCCEEDED")


def test_a_checkpoint_that_is_sent_again_gets_the_answer_that_it_has_had(
    execution: Execution,
) -> None:
    start, done = {**STEP, "Action": "START"}, {**STEP, "Action": "SUCCEED"}
    token = execution.checkpoint(0, start, done, ClientToken="first")

    assert execution.checkpoint(0, start, done, ClientToken="first") == token
    with pytest.raises(ClientError, match="Invalid checkpoint token"):
        execution.checkpoint(0, start, done, ClientToken="second")
    execution.checkpoint(0, {**STEP, "Id": "step-2", "Action": "START"}, CheckpointToken=token)
    execution.answer(0, None)

    assert execution.operations(1)["step-1"]["StepDetails"]["Attempt"] == 1
    assert set(execution.operations(1)) >= {"step-1", "step-2"}
    execution.answer(1, DONE)
    execution.ends_as("SUCCEEDED")


def test_the_fifth_failure_in_a_row_is_the_last(
    execution: Execution, client: Client, stack: dict[str, str]
) -> None:
    for number in range(5):
        execution.answer(number, None)

    assert execution.ends_as("FAILED")["Error"]["ErrorMessage"] == "told to fail"
    assert wait_until(lambda: kept(client, stack, execution)) == [json.loads(execution.payload)]


def test_what_fails_by_itself_is_kept_and_not_retried(
    execution: Execution, client: Client, stack: dict[str, str]
) -> None:
    execution.answer(0, {"Status": "FAILED", "Error": {"ErrorMessage": "no goods"}})

    execution.ends_as("FAILED")
    assert wait_until(lambda: kept(client, stack, execution)) == [json.loads(execution.payload)]
    assert not (execution.folder / "1.event").exists()


def test_an_execution_that_is_stopped_is_kept(
    execution: Execution, client: Client, stack: dict[str, str]
) -> None:
    execution.event(0)

    client("lambda").stop_durable_execution(DurableExecutionArn=execution.arn)
    execution.answer(0, DONE)

    execution.ends_as("STOPPED")
    assert wait_until(lambda: kept(client, stack, execution)) == [json.loads(execution.payload)]


def test_an_execution_that_takes_too_long_is_kept(
    execution: Execution, client: Client, stack: dict[str, str]
) -> None:
    waiting = {**WAIT, "Action": "START", "WaitOptions": {"WaitSeconds": 86_400}}
    execution.checkpoint(0, waiting)
    execution.answer(0, PENDING)

    execution.ends_as("TIMED_OUT")
    assert wait_until(lambda: kept(client, stack, execution)) == [json.loads(execution.payload)]


def test_an_execution_is_started_once_by_its_name(execution: Execution) -> None:
    assert execution.start() == execution.arn
    with pytest.raises(ClientError, match="DurableExecutionAlreadyStartedException"):
        execution.start(Payload="{}")

    execution.answer(0, DONE)
    execution.ends_as("SUCCEEDED")
    assert execution.start() == execution.arn


def test_a_durable_function_has_a_qualifier(execution: Execution) -> None:
    with pytest.raises(ClientError, match="unqualified ARN"):
        execution.start(FunctionName=execution.stack["Name"], DurableExecutionName="other")
    execution.answer(0, DONE)


def test_an_execution_stays_with_the_version_that_began_it(
    execution: Execution, client: Client, stack: dict[str, str], tmp_path: Path
) -> None:
    began = execution.event(0)["version"]
    functions, name = client("lambda"), stack["Name"]
    functions.update_function_configuration(FunctionName=name, Description="another")
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    execution.answer(0, None)

    assert execution.event(1)["version"] == began != version
    execution.answer(1, DONE)
    folder = tmp_path / "next"
    folder.mkdir()
    following = Execution(client, stack, folder)
    assert following.event(0)["version"] == version
    following.answer(0, DONE)


def test_a_caller_that_waits_gets_the_result(stack: dict[str, str], client: Client) -> None:
    answer = client("lambda").invoke(FunctionName=stack["Alias"], Payload="{}")

    assert answer["FunctionError"] == "Unhandled"
    assert "folder" in json.load(answer["Payload"])["errorMessage"]


def test_only_a_new_function_can_be_durable(deploy_stack: DeployStack) -> None:
    plain = STACK.replace("      DurableConfig: {ExecutionTimeout: 180}\n", "")
    deploy_stack(plain, "becomes-durable")

    with pytest.raises(Exception, match="DurableConfig can only be given"):
        deploy_stack(STACK, "becomes-durable")
