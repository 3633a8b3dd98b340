"""`sls-patterns prove` as users run it: what it prints, its exit codes, and bad input."""

import json
from pathlib import Path

import pytest
from command import Cli, without_extras

ENDS = """\
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}
  Failed: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::123456789012:role/worker
  Poll:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Orders.Arn, FunctionName: !Ref Worker}
"""
LOSES = ENDS.replace(
    "      RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}\n",
    "      DelaySeconds: 5\n",
)
FORBIDDEN = (
    ENDS.replace("Role: arn:aws:iam::123456789012:role/worker", "Role: !GetAtt Nothing.Arn")
    + """\
  Nothing:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
"""
)


@pytest.fixture
def template(cli: Cli) -> Path:
    return cli.folder / "template.yaml"


def test_each_edge_is_a_sentence_and_the_last_line_is_the_sum(cli: Cli, template: Path) -> None:
    template.write_text(ENDS)

    result = cli.as_process("prove")

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "Orders => Worker (sqs, error)",
        "  ends in Failed after 2.5 minutes, nobody would see it, came back to Orders",
        "",
        "1 edge: 1 ended",
    ]


ALARM = """\
  FailedAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt Failed.QueueName}]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Sub "arn:aws:sns:eu-west-1:${AWS::AccountId}:pages"]
"""
MESSAGES = "ApproximateNumberOfMessagesVisible"
BY_AGE = {MESSAGES: "ApproximateAgeOfOldestMessage"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "pages after 3 min (FailedAlarm)"),
        ({"Periods: 1": "Periods: 5"}, "pages after 7 min (FailedAlarm)"),
        ({"Threshold: 0": "Threshold: 0.9"}, "pages after 3 min (FailedAlarm)"),
        ({"Threshold: 0": "Threshold: 1.1"}, "never pages (FailedAlarm)"),
        ({**BY_AGE, "Threshold: 0": "Threshold: 590"}, "pages after 13 min (FailedAlarm)"),
        ({MESSAGES: "NumberOfMessagesSent"}, "never pages (FailedAlarm)"),
        ({"Threshold: 0": "Threshold: -1"}, "already on since the start (FailedAlarm)"),
        (
            {"Threshold: 0": "Threshold: -1", "Periods: 1": "Periods: 4"},
            "already on since 6 min before (FailedAlarm)",
        ),
        ({"Threshold: 0": "Threshold: !Ref AWS::StackName"}, "may page (FailedAlarm)"),
        (
            {"AlarmActions": "OKActions"},
            "goes off without an action, so tells nobody (FailedAlarm)",
        ),
        (
            {"AlarmActions": "ActionsEnabled: false\n      AlarmActions"},
            "goes off without an action, so tells nobody (FailedAlarm)",
        ),
    ],
)
def test_alarms_are_evaluated_over_what_the_end_reports(
    changes: dict[str, str], said: str, cli: Cli, template: Path
) -> None:
    template.write_text(ENDS + changed(ALARM, changes))

    lines = cli("prove").stdout.splitlines()

    assert lines[1] == f"  ends in Failed after 2.5 minutes, {said}, came back to Orders"


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


STARTED = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Fulfil:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition: {StartAt: Done, States: {Done: {Type: Succeed}}}
  Start:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: ""
      Handler: index.handler
      Runtime: python3.13
      Policies: [{StepFunctionsExecutionPolicy: {StateMachineName: !GetAtt Fulfil.Name}}]
  FailedAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/States
      MetricName: ExecutionsFailed
      Dimensions: [{Name: StateMachineArn, Value: !Ref Fulfil}]
      Statistic: Sum
      Period: 300
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
      AlarmActions: [!Sub "arn:aws:sns:eu-west-1:${AWS::AccountId}:pages"]
"""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "pages after 1 min (FailedAlarm)"),
        ({"Threshold: 0": "Threshold: 0.9"}, "pages after 1 min (FailedAlarm)"),
        ({"Threshold: 0": "Threshold: 1.1"}, "never pages (FailedAlarm)"),
        ({"Periods: 1": "Periods: 2"}, "never pages (FailedAlarm)"),
        ({"notBreaching": "breaching"}, "already on since the start (FailedAlarm)"),
    ],
)
def test_alarms_are_evaluated_over_what_a_state_machine_reports(
    changes: dict[str, str], said: str, cli: Cli, template: Path
) -> None:
    template.write_text(changed(STARTED, changes))

    printed = cli("prove", "--edge", "Start=>Fulfil").stdout

    assert f"  ends in Fulfil at once, {said}, " in printed


def test_a_stack_that_loses_events_fails(cli: Cli, template: Path) -> None:
    template.write_text(LOSES)

    result = cli("prove", template, "--json")

    assert result.returncode == 1
    assert json.loads(result.stdout) == {
        "deployed": True,
        "edges": [
            {
                "edge": "Orders=>Worker",
                "source": "Orders",
                "target": "Worker",
                "mechanism": "sqs",
                "fault": "error",
                "verdict": "for-ever",
                "ended_at": None,
                "after_seconds": None,
                "alarmed": False,
                "alarms": [],
                "back": None,
                "taken_along": None,
            }
        ],
    }


def test_the_reason_is_found_behind_the_events_of_many_resources(cli: Cli, template: Path) -> None:
    groups = "".join(f"  Group{each}: {{Type: AWS::Logs::LogGroup}}\n" for each in range(60))
    template.write_text(FORBIDDEN + groups)

    result = cli("prove", template)

    assert "does not have permissions to call ReceiveMessage on SQS" in result.stderr


def test_what_aws_would_not_deploy_is_said_with_its_reason(cli: Cli, template: Path) -> None:
    template.write_text(FORBIDDEN)

    result = cli("prove", template, "--json")

    assert result.returncode == 2
    assert json.loads(result.stdout) == {"deployed": False, "edges": []}
    (line,) = result.stderr.splitlines()
    assert "Poll (AWS::Lambda::EventSourceMapping)" in line
    assert "does not have permissions to call ReceiveMessage on SQS" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "fire"], "fire is no fault; choose from: error, timeout, throttle, denied"),
        (["--edge", "A=>B"], "has no edge A=>B; `sls-patterns check` lists them"),
        (["missing.yaml"], "missing.yaml does not exist"),
    ],
)
def test_bad_input_is_one_line(cli: Cli, template: Path, arguments: list[str], said: str) -> None:
    template.write_text(ENDS)

    result = cli("prove", *arguments)

    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert said in line


def test_a_template_without_edges_proves_nothing_and_says_so(cli: Cli, template: Path) -> None:
    template.write_text("Resources:\n  Alone: {Type: AWS::SQS::Queue}\n")

    result = cli("prove")

    assert (result.returncode, result.stdout) == (0, "No asynchronous edges\n")


def test_only_the_edges_that_are_asked_for_are_proven(cli: Cli, template: Path) -> None:
    template.write_text(ENDS)

    result = cli("prove", "--edge", "Orders => Worker", "--json", "--fault", "throttle")

    (row,) = json.loads(result.stdout)["edges"]
    assert (row["fault"], row["verdict"]) == ("throttle", "ended")


def test_without_the_extra_one_line_says_what_to_install(
    cli: Cli, template: Path, tmp_path: Path
) -> None:
    template.write_text(ENDS)

    result = cli("prove", **without_extras(tmp_path))

    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "[local]" in line


BUS = """\
Resources:
  Failures: {Type: AWS::Events::EventBus, Properties: {Name: failures}}
  Topic: {Type: AWS::SNS::Topic}
  Work:
    Type: AWS::Lambda::Function
    Properties: {Role: arn:aws:iam::123456789012:role/work}
  Told:
    Type: AWS::Lambda::Function
    Properties: {Role: arn:aws:iam::123456789012:role/told}
  Configuration:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Work
      Qualifier: $LATEST
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failures.Arn}}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: lambda, Endpoint: !GetAtt Work.Arn}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Failures
      EventPattern: {source: [lambda]}
      Targets: [{Id: told, Arn: !GetAtt Told.Arn}]
"""


def test_a_bus_in_which_failures_end_keeps_none_of_them(cli: Cli, template: Path) -> None:
    template.write_text(BUS)

    rows = json.loads(cli("prove", "--json").stdout)["edges"]

    verdicts = {(row["edge"], row["mechanism"]): row["verdict"] for row in rows}
    assert verdicts["Topic=>Work", "lambda-async"] == "ended"
    assert verdicts["Failures=>Told", "eventbridge"] == "lost"
    assert verdicts["Failures=>Told", "lambda-async"] == "lost"
