"""Failures that nothing keeps: `list` says so, with what `check` says to add."""

import json

from command import Cli
from letters.conftest import Letters
from local.support import DeployStack

TEMPLATE = """\
Resources:
  Jobs: {Type: "AWS::SQS::Queue"}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): pass"
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, Enabled: false}}
        Any: {Type: EventBridgeRule, Properties: {Pattern: {source: [lost]}}}
  Polling:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): pass"
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Loose.Arn}}
  Loose: {Type: "AWS::SQS::Queue"}
  Known:
    Type: AWS::SQS::Queue
    Metadata: {sls-patterns: {suppress: {SP101: nobody needs these}}}
  Reading:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): pass"
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Known.Arn}}
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 5}
  Failed: {Type: "AWS::SQS::Queue", Properties: {MessageRetentionPeriod: 1209600}}
"""


def test_a_stack_whose_failures_are_lost_is_told_what_check_would_add(
    cli: Cli, letters: Letters, deploy_stack: DeployStack
) -> None:
    (cli.folder / "template.yaml").write_text(TEMPLATE)
    deploy_stack(TEMPLATE, "losing")

    listed = letters("list", "--stack", "losing")
    answer = letters("list", "--stack", "losing", "--json")
    of_one = letters("list", "--stack", "losing", "--end", "Failed")
    checked = json.loads(cli("check", "template.yaml", "--json").stdout)["findings"]

    found = json.loads(answer.stdout)
    told = {(each["rule"], each["resource"]): each for each in found["lost"]}
    by_check = {
        (each["rule"], each["resource"]): each
        for each in checked
        if each["rule"].startswith("SP1") and "suppressed" not in each
    }
    # What SAM makes of an event has the name that SAM gives it.
    assert {rule for rule, _ in told} == {"SP101", "SP103", "SP104"}
    assert {each["message"] for each in told.values()} == {
        each["message"] for each in by_check.values()
    }
    for key in (("SP101", "Loose"), ("SP103", "Worker")):
        assert told[key]["mend"] == by_check[key]["mend"]
        assert told[key]["url"] == by_check[key]["url"]
    assert "Known" not in listed.stdout
    lines = listed.stdout.splitlines()
    at = lines.index(f"lost: {told['SP103', 'Worker']['message']}")
    assert lines[at + 1].startswith("  SP103: Give the function a failure destination; SAM makes")
    assert "          DestinationConfig:" in lines
    assert lines[0].startswith("Failed: 0 of 0 seen")
    assert (listed.returncode, answer.returncode, found["complete"]) == (1, 1, True)
    assert (of_one.returncode, "lost" in of_one.stdout) == (0, False)
