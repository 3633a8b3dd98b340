"""`check`, `prove` and `letters` have the same words for the way back of an edge."""

from collections.abc import Callable
from pathlib import Path

from command import Cli
from letters.conftest import Letters, deploy_stack, letters, user
from local.conftest import client, emulator, interpreter
from local.support import DeployStack

__all__ = ["client", "deploy_stack", "emulator", "interpreter", "letters", "user"]

Told = Callable[..., str]

TEMPLATE = """\
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt OrdersFailed.Arn, maxReceiveCount: 5}
  OrdersFailed: {Type: "AWS::SQS::Queue", Properties: {MessageRetentionPeriod: 1209600}}
  Store:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            if "Records" in event or not event.get("good"):
                raise ValueError("poison")
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn, BatchSize: 1}}
        Any: {Type: EventBridgeRule, Properties: {Pattern: {source: [shop]}}}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt StoreFailed.Arn}}
  StoreFailed: {Type: "AWS::SQS::Queue", Properties: {MessageRetentionPeriod: 1209600}}
"""


def test_the_three_commands_say_the_way_back_in_the_same_words(
    cli: Cli, letters: Letters, deploy_stack: DeployStack
) -> None:
    file = cli.folder / "template.yaml"
    file.write_text(TEMPLATE)
    deploy_stack(TEMPLATE, "same-words")

    listed = letters("list", "--stack", "same-words").stdout.splitlines()
    checked = " ".join(cli("check", Path("template.yaml")).stdout.split())
    proven = cli("prove").stdout

    assert [line for line in listed if "goes back" in line] == [
        "  goes back to Orders",
        "  goes back to Store",
    ]
    assert "ends in OrdersFailed, no alarm, back to Orders" in checked
    assert "ends in StoreFailed, no alarm, back to Store" in checked
    assert "came back to Store" in proven
