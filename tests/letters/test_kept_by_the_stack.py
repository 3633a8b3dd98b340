"""What a stack keeps itself: what was set aside, and lines, records and items that failed."""

import json
from typing import Any

import pytest
from letters.conftest import Letters, bodies, noticed_bucket, objects_read
from letters.proxy import proxy
from letters.test_interruptions import visible
from local.support import Client, DeployStack, objects, seen, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

ITEMS = {
    "StartAt": "All",
    "States": {
        "All": {
            "Type": "Map",
            "ItemsPath": "$.parts",
            "ItemSelector": {"part.$": "$$.Map.Item.Value", "parts.$": "$.parts"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "Part",
                "States": {
                    "Part": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::lambda:invoke",
                        "Parameters": {"FunctionName": "${Work}", "Payload.$": "$"},
                        "ResultPath": None,
                        "Catch": [
                            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Keep"}
                        ],
                        "End": True,
                    },
                    "Keep": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::sqs:sendMessage",
                        "Parameters": {
                            "QueueUrl": "${Queue}",
                            "MessageBody": {
                                "execution": {"parts.$": "$.parts"},
                                "item": {"part.$": "$.part"},
                                "error.$": "$.error",
                            },
                        },
                        "End": True,
                    },
                },
            },
            "End": True,
        },
    },
}
STACK = f"""
Resources:
  # A consumer and a rule that set aside.
  Orders: {{Type: AWS::SQS::Queue}}
  Refused: {{Type: AWS::SQS::Queue, Metadata: {{sls-patterns: letters}}}}
  Shipments: {{Type: AWS::SQS::Queue}}
  Store:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Events: {{Queue: {{Type: SQS, Properties: {{Queue: !GetAtt Orders.Arn, Enabled: false}}}}}}
      Policies:
        - Statement:
            Effect: Allow
            Action: sqs:SendMessage
            Resource: [!GetAtt Refused.Arn, !GetAtt Shipments.Arn]
  Unclaimed: {{Type: AWS::SQS::Queue, Metadata: {{sls-patterns: letters}}}}
  Bus: {{Type: AWS::Events::EventBus, Properties: {{Name: kept-bus}}}}
  Unknown: {{Type: AWS::SQS::Queue, Metadata: {{sls-patterns: letters}}}}
  Known: {{Type: AWS::SQS::Queue}}
  UnknownRule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {{detail-type: [{{anything-but: [invoice]}}]}}
      Targets: [{{Id: unknown, Arn: !GetAtt Unknown.Arn}}]
  KnownRule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {{detail-type: [invoice]}}
      Targets: [{{Id: known, Arn: !GetAtt Known.Arn}}]
  EventsMaySend:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Unknown, !Ref Known]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: events.amazonaws.com}}
            Action: sqs:SendMessage
            Resource: "*"

  # Lines of a log.
  Activity: {{Type: AWS::Logs::LogGroup}}
  Trigger:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import base64, gzip, json
        def handler(event, context):
            logs = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
            print("seen " + json.dumps(logs))
            lines = logs["logEvents"]
            return {{"unreadable": [each["id"] for each in lines if "bad" in each["message"]]}}
      EventInvokeConfig:
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt TriggerFailed.Arn}}}}
      Events:
        Logs:
          Type: CloudWatchLogs
          Properties: {{LogGroupName: !Ref Activity, FilterPattern: x}}
  TriggerFailed: {{Type: AWS::SQS::Queue}}

  # Records of a stream that the function has rejected itself.
  Readings: {{Type: "AWS::Kinesis::Stream", Properties: {{ShardCount: 1}}}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            print("seen " + json.dumps(event))
            if any("redrive" in each and "bad" in each["data"] for each in event["Records"]):
                return {{"batchItemFailures": [{{"itemIdentifier": "1"}}]}}
      Events:
        Stream:
          Type: Kinesis
          Properties:
            Enabled: false
            Stream: !GetAtt Readings.Arn
            StartingPosition: LATEST
            DestinationConfig: {{OnFailure: {{Type: S3, Destination: !GetAtt Rejected.Arn}}}}
{noticed_bucket("Rejected", "IsRejected", "RejectedNotices", "NoticesMaySend")}
  # A resource that a deployment makes.
  Migrate:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            print("seen " + str(event))
      EventInvokeConfig:
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt MigrateFailed.Arn}}}}
  MigrateFailed: {{Type: AWS::SQS::Queue}}

  # A distributed map.
  Work:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context):
            print("seen " + str(event["part"]))
            if event["part"].startswith("bad"):
                raise ValueError("part " + event["part"])
  WorkFailed: {{Type: AWS::SQS::Queue}}
  Run:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt RunRole.Arn
      DefinitionSubstitutions: {{Work: !GetAtt Work.Arn, Queue: !Ref WorkFailed}}
      DefinitionString: |
        {json.dumps(ITEMS)}
  RunRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal: {{Service: states.amazonaws.com}}
      Policies:
        - PolicyName: runs
          PolicyDocument:
            Statement:
              - {{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt WorkFailed.Arn}}
              - {{Effect: Allow, Action: "lambda:InvokeFunction", Resource: !GetAtt Work.Arn}}
              - {{Effect: Allow, Action: "states:StartExecution", Resource: "*"}}
"""
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:"


@pytest.fixture(scope="module")
def ids(deploy_stack: DeployStack, client: Client) -> dict[str, str]:
    """The physical ids of the stack `keeping`."""
    deploy_stack(STACK, "keeping")
    pages = client("cloudformation").get_paginator("list_stack_resources")
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages.paginate(StackName="keeping")
        for each in page["StackResourceSummaries"]
    }


def listed(letters: Letters, end: str) -> tuple[list[str], list[str]]:
    """Return what the letters of an end failed at, and why."""
    done = letters("list", "--stack", "keeping", "--end", end, "--json")
    (found,) = json.loads(done.stdout)["ends"]
    groups = found["groups"]
    return [each["failed"] for each in groups], [each["cause"] for each in groups]


def redriven(
    letters: Letters, end: str, **environment: str
) -> tuple[dict[str, int], list[str], int]:
    """Return what becomes of the letters of an end, the reasons, and the exit code."""
    chosen = ("--stack", "keeping", "--end", end, "--all", "--yes", "--json")
    done = letters("redrive", *chosen, **environment)
    (report,) = json.loads(done.stdout)
    counts = {verdict: count for verdict, count in report["verdicts"].items() if count}
    return counts, [each["reason"] for each in report["letters"]], done.returncode


def send(client: Client, url: str, body: Any, **attributes: str) -> None:
    client("sqs").send_message(
        QueueUrl=url,
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def test_a_queue_is_read_only_if_it_says_that_it_keeps_letters(
    letters: Letters, ids: dict[str, str]
) -> None:
    assert ids
    found = json.loads(letters("list", "--stack", "keeping", "--json").stdout)["ends"]

    names = {end["end"] for end in found}
    assert names >= {"Refused", "Unclaimed", "Unknown", "WorkFailed", "TriggerFailed"}
    assert not names & {"Shipments", "Orders", "Known"}


def test_what_a_consumer_has_set_aside_goes_back_to_its_queue_without_the_reason(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    send(client, ids["Refused"], "as it came", reason="outdated")

    assert listed(letters, "Refused") == (["Store"], ["outdated"])
    assert redriven(letters, "Refused") == ({"sent": 1}, [], 0)
    sqs = client("sqs")
    (back,) = sqs.receive_message(QueueUrl=ids["Orders"], MessageAttributeNames=["All"])["Messages"]
    assert (back["Body"], back.get("MessageAttributes")) == ("as it came", None)
    assert bodies(client, ids["Refused"]) == []


def test_what_nobody_in_the_stack_has_set_aside_stays(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    send(client, ids["Unclaimed"], "whose?")

    found = redriven(letters, "Unclaimed")

    assert found == ({"kept": 1}, ["nothing in the stack says where it came from"], 1)
    assert bodies(client, ids["Unclaimed"]) == ["whose?"]


@pytest.mark.parametrize("kind", ["invoice", "still unknown"])
def test_an_event_that_a_rule_has_set_aside_goes_to_the_bus(
    kind: str, letters: Letters, ids: dict[str, str], client: Client
) -> None:
    event = {
        "version": "0",
        "id": "e1",
        "source": "tasks",
        "detail-type": kind,
        "detail": {"task": kind},
        "resources": ["r"],
        "time": "2026-12-03T06:00:00Z",
    }
    send(client, ids["Unknown"], event)

    assert listed(letters, "Unknown") == (["Bus"], [f"no rule is for it: {kind}"])
    assert redriven(letters, "Unknown") == ({"sent": 1}, [], 0)

    target = ids["Known" if kind == "invoice" else "Unknown"]
    (found,) = wait_until(lambda: bodies(client, target))
    again = json.loads(found)
    assert (again["source"], again["detail"], again["resources"]) == (
        "tasks",
        {"task": kind},
        ["r"],
    )


def line(text: str) -> dict[str, Any]:
    told = {
        "log_group": "/activity",
        "log_stream": "one",
        "id": "7",
        "timestamp": 1,
        "error": "key",
    }
    return {**told, "message": text}


def test_a_line_that_a_function_could_not_read_comes_alone_as_logs_deliver_it(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    send(client, ids["TriggerFailed"], line("a good one"))

    assert listed(letters, "TriggerFailed") == (["Trigger"], ["key"])
    assert redriven(letters, "TriggerFailed") == ({"processed": 1}, [], 0)

    event = json.loads(seen(client, ids["Trigger"])[-1])
    assert event["logEvents"] == [{"id": "7", "timestamp": 1, "message": "a good one"}]
    assert (event["logGroup"], event["logStream"]) == ("/activity", "one")


def test_a_line_that_is_kept_anew_leaves_its_first_letter(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    send(client, ids["TriggerFailed"], line("a bad one"))

    reason = "line 7 still cannot be read: see its new letter"
    assert redriven(letters, "TriggerFailed") == ({"failed-again": 1}, [reason], 1)
    assert bodies(client, ids["TriggerFailed"]) == []  # its function would have sent the new one


def test_a_line_that_was_too_long_for_a_letter_stays(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    told = line("")
    del told["message"]
    send(client, ids["TriggerFailed"], told)

    reason = "line 7 is too long: read it in /activity"
    assert redriven(letters, "TriggerFailed") == ({"kept": 1}, [reason], 1)
    assert len(bodies(client, ids["TriggerFailed"])) == 1


@pytest.mark.parametrize("data", ["good", "bad"])
def test_a_record_that_a_function_has_rejected_comes_marked_as_one_of_a_redrive(
    data: str, letters: Letters, ids: dict[str, str], client: Client
) -> None:
    document = {
        "requestContext": {
            "requestId": "r",
            "functionArn": FUNCTION + ids["Reader"],
            "condition": "no customer",
        },
        "payload": json.dumps({"Records": [{"data": data}]}),
    }
    key = f"rejected/{data}.json"
    client("s3").put_object(Bucket=ids["Rejected"], Key=key, Body=json.dumps(document))
    attribute = "ApproximateNumberOfMessages"
    counting = {"QueueUrl": ids["RejectedNotices"], "AttributeNames": [attribute]}
    wait_until(
        lambda: client("sqs").get_queue_attributes(**counting)["Attributes"][attribute] == "1"
    )

    assert listed(letters, "RejectedNotices") == (["Reader"], ["no customer"])
    found = redriven(letters, "RejectedNotices")

    assert json.loads(seen(client, ids["Reader"])[-1]) == {
        "Records": [{"data": data, "redrive": True}]
    }
    assert key in objects(client, ids["Rejected"])
    left = bodies(client, ids["RejectedNotices"])
    if data == "good":
        assert (found, left) == (({"processed": 1}, [], 0), [])
    else:
        assert found == ({"failed-again": 1}, ["Reader could not process it again"], 1)
        assert len(left) == 1


def test_a_record_that_a_function_keeps_anew_is_not_processed_and_has_its_new_letter(
    letters: Letters, ids: dict[str, str], client: Client, emulator: Emulator
) -> None:
    """As a reader of a stream does, which must not hold up its shard."""
    document = {
        "requestContext": {"requestId": "r", "condition": "Unreadable"},
        "KinesisBatchInfo": {"batchSize": 1},
        "payload": json.dumps({"Records": [{"data": "anew"}]}),
    }
    key = "set-aside/anew.json"
    client("s3").put_object(Bucket=ids["Rejected"], Key=key, Body=json.dumps(document))
    wait_until(lambda: visible(client, ids["RejectedNotices"]) == 1)

    def keep_anew(action: str, when: str, _content: bytes) -> bool:
        if when == "after" and action.endswith("/invocations"):
            kept = json.dumps({**document, "kept": "anew"})
            client("s3").put_object(Bucket=ids["Rejected"], Key=key, Body=kept)
        return False

    with proxy(emulator.port, keep_anew) as address:
        found = redriven(letters, "RejectedNotices", AWS_ENDPOINT_URL=address)

    why = "Reader still cannot read it, and has kept it anew"
    assert found == ({"failed-again": 1}, [why], 1)
    wait_until(lambda: visible(client, ids["RejectedNotices"]) == 1)
    assert "kept" in objects(client, ids["Rejected"])[key].decode()
    assert len(bodies(client, ids["RejectedNotices"])) == 1


def test_a_request_of_cloudformation_is_for_the_next_deployment(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    request = {"RequestType": "Update", "ResponseURL": "https://s3.example", "StackId": "arn:…"}
    failed = {
        "requestContext": {
            "condition": "RetriesExhausted",
            "functionArn": FUNCTION + ids["Migrate"],
        },
        "requestPayload": request,
    }
    send(client, ids["MigrateFailed"], failed)

    reason = "deploy again: that invokes Migrate again"
    assert redriven(letters, "MigrateFailed") == ({"kept": 1}, [reason], 0)
    assert seen(client, ids["Migrate"]) == []
    assert len(bodies(client, ids["MigrateFailed"])) == 1


def run(client: Client, ids: dict[str, str], parts: list[str]) -> None:
    """Run the machine over parts, to its end."""
    machines, given = client("stepfunctions"), json.dumps({"parts": parts})
    arn = machines.start_execution(stateMachineArn=ids["Run"], input=given)["executionArn"]
    wait_until(lambda: arn in succeeded(client, ids))


def succeeded(client: Client, ids: dict[str, str]) -> list[str]:
    listing = {"stateMachineArn": ids["Run"], "statusFilter": "SUCCEEDED"}
    runs = client("stepfunctions").list_executions(**listing)["executions"]
    return [each["executionArn"] for each in runs]


def test_items_of_a_map_are_done_by_executions_that_have_their_input(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    failed = {"Error": "ValueError", "Cause": json.dumps({"errorMessage": "part one"})}
    given = {"parts": ["one", "two"]}
    for part in ("one", "two"):
        item = {"execution": given, "item": {"part": part}, "error": failed}
        send(client, ids["WorkFailed"], item)
    before = len(seen(client, ids["Work"]))

    assert listed(letters, "WorkFailed") == (["Run"], ["ValueError: part one"])
    assert redriven(letters, "WorkFailed") == ({"processed": 2}, [], 0)

    assert sorted(seen(client, ids["Work"])[before:]) == ["one", "two"]  # by one execution
    assert bodies(client, ids["WorkFailed"]) == []


def test_an_item_that_fails_again_has_a_new_letter(
    letters: Letters, ids: dict[str, str], client: Client
) -> None:
    run(client, ids, ["good", "bad"])
    shown = letters("show", "--stack", "keeping", "--end", "WorkFailed", "--payload", "--json")
    (first,) = json.loads(shown.stdout)
    assert (first["payload"], first["cause"]) == ({"part": "bad"}, "ValueError: part bad")

    found = redriven(letters, "WorkFailed")

    assert found == ({"failed-again": 1}, ["it is back, with the same body"], 1)
    shown = letters("show", "--stack", "keeping", "--end", "WorkFailed", "--json")
    (again,) = json.loads(shown.stdout)
    assert again["id"] != first["id"]


def test_the_policy_has_what_sending_these_back_needs(
    letters: Letters, ids: dict[str, str]
) -> None:
    assert ids
    policy = json.loads(letters("policy", "redrive", "--stack", "keeping").stdout)

    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert actions >= {"events:PutEvents", "states:StartExecution", "states:DescribeExecution"}


def test_the_policy_reads_each_object_where_a_rule_names_no_prefix(
    letters: Letters, ids: dict[str, str]
) -> None:
    assert objects_read(letters, "keeping", ids["Rejected"]) == ["*"]
