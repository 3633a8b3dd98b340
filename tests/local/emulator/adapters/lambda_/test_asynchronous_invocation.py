"""What services do for functions in the background: tries, permissions, and where failures end."""

import json
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.adapters.lambda_.asynchronous_invocation import (
    TRIED_AT_MOST,
    _Queue,
)
from sls_patterns_cli.local.emulator.adapters.logs.log_subscriptions import matcher

STACK = """
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
  Log: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: "/asynchronous/log"}}
  Failed: {Type: "AWS::SQS::Queue"}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: asynchronous}
      InlineCode: |
        import base64, gzip, json, time
        def handler(event, context):
            if "awslogs" in event:
                event = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
            print(json.dumps(event))
            if "fail" in str(event):
                raise ValueError("told to fail")
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
      Events:
        Topic: {Type: SNS, Properties: {Topic: !Ref Topic}}
        Log:
          Type: CloudWatchLogs
          Properties: {LogGroupName: !Ref Log, FilterPattern: '{ $.level = "ERROR" }'}
  Slow:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: asynchronous-slow}
      ReservedConcurrentExecutions: 1
      InlineCode: |
        import json, time
        def handler(event, context):
            time.sleep(1)
            print(json.dumps(event))
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  Ageing:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            raise ValueError("told to fail")
      EventInvokeConfig:
        MaximumEventAgeInSeconds: 60
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  Mendable:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: asynchronous-mendable}
      Timeout: 60
      InlineCode: |
        import json, os, pathlib, time
        def handler(event, context):
            print(json.dumps(event))
            pathlib.Path(event["started"]).touch()
            while not os.path.exists(event["updated"]):
                time.sleep(0.05)
            if "MENDED" not in os.environ:
                raise ValueError("told to fail")
            print(json.dumps("mended"))
      EventInvokeConfig:
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
  Older:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            raise ValueError("told to fail")
      EventInvokeConfig: {MaximumRetryAttempts: 1}
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Failed.Arn}
Outputs:
  Ageing: {Value: !Ref Ageing}
  Mendable: {Value: !Ref Mendable}
  Older: {Value: !Ref Older}
  Topic: {Value: !Ref Topic}
  Log: {Value: !Ref Log}
  Failed: {Value: !Ref Failed}
  Function: {Value: !Ref Function}
  Role: {Value: !Ref FunctionRole}
  Slow: {Value: !Ref Slow}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def read(client: Client, group: str) -> list[str]:
    logs = client("logs")
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events if event["message"].startswith(("{", '"'))]


def records(client: Client, queue: str) -> list[Any]:
    """Take the messages of a queue."""
    sqs = client("sqs")
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    found = answer.get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def invoke(client: Client, function: str, event: Any) -> None:
    client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps(event)
    )


def put(client: Client, group: str, stream: str, *lines: str) -> None:
    logs = client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_an_event_that_fails_is_tried_as_often_as_configured_and_then_kept(
    stack: dict[str, str], client: Client
) -> None:
    invoke(client, stack["Function"], {"fail": "once and again"})

    (record,) = wait_until(lambda: records(client, stack["Failed"]))

    assert record["requestPayload"] == {"fail": "once and again"}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorType"] == "ValueError"
    tries = [line for line in read(client, "asynchronous") if "once and again" in line]
    assert len(tries) == 2


def test_an_event_that_would_be_too_old_is_not_tried_again(
    stack: dict[str, str], client: Client
) -> None:
    """AWS tries again after a minute, when this event is older than it may be."""
    invoke(client, stack["Ageing"], "old")

    (record,) = wait_until(lambda: records(client, stack["Failed"]))

    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_a_dead_letter_queue_gets_the_event_as_it_was_sent_and_the_error_as_attributes(
    stack: dict[str, str], client: Client
) -> None:
    sqs = client("sqs")
    invoke(client, stack["Older"], "text")

    def received() -> list[Any]:
        answer = sqs.receive_message(QueueUrl=stack["Failed"], MessageAttributeNames=["All"])
        return list(answer.get("Messages", []))

    (message,) = wait_until(received)

    sqs.delete_message(QueueUrl=stack["Failed"], ReceiptHandle=message["ReceiptHandle"])
    assert message["Body"] == '"text"'
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert attributes.keys() == {"RequestID", "ErrorCode", "ErrorMessage"}
    assert (attributes["ErrorCode"], attributes["ErrorMessage"]) == ("200", "told to fail")


def test_an_attempt_has_the_configuration_that_the_function_has_by_then(
    stack: dict[str, str], client: Client, tmp_path: Path
) -> None:
    functions, name = client("lambda"), stack["Mendable"]
    started, updated = tmp_path / "started", tmp_path / "updated"
    invoke(client, name, {"started": str(started), "updated": str(updated)})
    wait_until(started.exists)

    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"MENDED": "1"}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    updated.touch()

    wait_until(lambda: '"mended"' in read(client, "asynchronous-mendable"))
    assert len(read(client, "asynchronous-mendable")) == 3
    assert records(client, stack["Failed"]) == []


def test_throttling_is_no_attempt(stack: dict[str, str], client: Client) -> None:
    for number in range(3):
        invoke(client, stack["Slow"], f"slow {number}")

    wait_until(lambda: len(read(client, "asynchronous-slow")) == 3)

    assert records(client, stack["Failed"]) == []


def test_without_permission_nothing_is_kept(stack: dict[str, str], client: Client) -> None:
    iam, role = client("iam"), stack["Role"]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    invoke(client, stack["Function"], {"fail": "unkept"})
    wait_until(lambda: len([li for li in read(client, "asynchronous") if "unkept" in li]) == 2)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    invoke(client, stack["Function"], {"fail": "kept"})

    kept = wait_until(lambda: records(client, stack["Failed"]))
    assert [record["requestPayload"] for record in kept] == [{"fail": "kept"}]


def test_a_log_event_that_matches_reaches_the_function_and_no_other(
    stack: dict[str, str], client: Client
) -> None:
    lines = ['{"level": "INFO", "n": 1}', '{"level": "ERROR", "n": 2}', "ERROR level"]
    put(client, stack["Log"], "matching", *lines)

    (packed,) = wait_until(lambda: [li for li in read(client, "asynchronous") if "logEvents" in li])

    assert [event["message"] for event in json.loads(packed)["logEvents"]] == [lines[1]]


def test_a_log_event_whose_function_fails_is_kept(stack: dict[str, str], client: Client) -> None:
    put(client, stack["Log"], "failing", '{"level": "ERROR", "fail": true}')

    (record,) = wait_until(lambda: records(client, stack["Failed"]))

    assert "awslogs" in record["requestPayload"]


def test_a_function_is_invoked_only_by_what_it_permits(
    stack: dict[str, str], client: Client
) -> None:
    functions = client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=stack["Function"])["Policy"])
    for statement in policy["Statement"]:
        functions.remove_permission(FunctionName=stack["Function"], StatementId=statement["Sid"])

    put(client, stack["Log"], "refused", '{"level": "ERROR", "n": "refused"}')
    client("sns").publish(TopicArn=stack["Topic"], Message="refused")
    invoke(client, stack["Function"], "after both")

    wait_until(lambda: '"after both"' in read(client, "asynchronous"))
    assert not [line for line in read(client, "asynchronous") if "refused" in line]


def test_a_pattern_that_is_not_known_here_fails_the_deploy(deploy_stack: DeployStack) -> None:
    body = STACK.replace("/asynchronous/log", "/asynchronous/other").replace(
        '{ $.level = "ERROR" }', "[ip, user, ...]"
    )
    with pytest.raises(UserError, match="does not know filter patterns such as"):
        deploy_stack(body)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("", "anything", None),
        ("ERROR", "an ERROR came", "an error came"),
        ('"not found" 404', "404: not found", "404: found"),
        ("?ERROR ?WARN", "WARN", "INFO"),
        ("ERROR -ignored", "ERROR", "ERROR ignored"),
        ('{ $.level = "ERROR" }', '{"level": "ERROR"}', '{"level": "INFO"}'),
        ('{ $.status >= 500 && $.path != "/health" }', '{"status": 503, "path": "/"}', "503"),
        ("{ $.a.b = x* || $.n = 2 }", '{"a": {"b": "xy"}}', '{"a": {"b": "yx"}, "n": 3}'),
    ],
)
def test_patterns_match_as_documented(pattern: str, matching: str, other: str | None) -> None:
    matches = matcher(pattern)

    assert matches(matching)
    assert other is None or not matches(other)


def test_few_of_many_events_are_tried_at_a_time() -> None:
    queue, gate, lock = _Queue(), threading.Event(), threading.Lock()
    tried: list[int] = []

    def attempt(number: int) -> None:
        with lock:
            tried.append(number)
        gate.wait()

    for number in range(2 * TRIED_AT_MOST):
        queue.put(partial(attempt, number))
    wait_until(lambda: len(tried) == TRIED_AT_MOST)
    assert queue._threads == TRIED_AT_MOST

    gate.set()

    wait_until(lambda: len(tried) == 2 * TRIED_AT_MOST and queue._threads == 0)
    assert sorted(tried) == list(range(2 * TRIED_AT_MOST))


def test_an_attempt_that_raises_holds_up_no_other() -> None:
    queue, tried = _Queue(), threading.Event()

    def failing() -> None:
        raise RuntimeError("lost")

    queue.put(failing)
    queue.put(tried.set)

    assert tried.wait(5)
