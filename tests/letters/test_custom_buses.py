"""Records of what a subscriber of a custom event bus could not deliver."""

import json
from typing import Any

import pytest
from letters.conftest import Letters
from local.support import Client, DeployStack, bodies, wait_until

STACK = """
Resources:
  Shop:
    Type: AWS::EventsV2::EventBus
    Properties: {Name: lettered, StorageConfiguration: {RetentionPeriodInDays: 14}}
  Orders: {Type: AWS::SQS::Queue}
  Undelivered: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
  Keep:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: keep
      EventBusArn: !Ref Shop
      InvokeConfiguration: {TargetArn: !GetAtt Orders.Arn, RoleArn: !GetAtt Deliver.Arn}
      OnFailureConfiguration: {Arn: !GetAtt Undelivered.Arn}
  Deliver:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: keep
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt Undelivered.Arn}
Outputs:
  Shop: {Value: !Ref Shop}
  Orders: {Value: !Ref Orders}
  OrdersArn: {Value: !GetAtt Orders.Arn}
  Undelivered: {Value: !Ref Undelivered}
  Keep: {Value: !Ref Keep}
  Deliver: {Value: !Ref Deliver}
"""


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "custom-bus")


def publish(client: Client, bus: str, number: int) -> str:
    entry: Any = {
        "Source": "orders",
        "DetailType": "Placed",
        "Detail": json.dumps({"number": number}),
    }
    answer = client("eventbridgev2").put_events(EventBusArn=bus, Entries=[entry])
    return str(answer["Entries"][0]["EventId"])


def test_a_record_says_which_events_failed_and_why_and_how_they_come_back(
    letters: Letters, client: Client, stack: dict[str, str]
) -> None:
    event_id = publish(client, stack["Shop"], 1)
    sqs = client("sqs")
    counting = {"QueueUrl": stack["Undelivered"], "AttributeNames": ["ApproximateNumberOfMessages"]}
    wait_until(lambda: sqs.get_queue_attributes(**counting)["Attributes"].popitem()[1] == "1")
    publish(client, stack["Shop"], 2)
    wait_until(lambda: sqs.get_queue_attributes(**counting)["Attributes"].popitem()[1] == "2")

    listed = letters("list", "--stack", "custom-bus", "--json")
    (end,) = json.loads(listed.stdout)["ends"]
    (group,) = end["groups"]
    assert (group["kind"], group["failed"], group["count"]) == (
        "records of a subscriber",
        "Orders",
        2,
    )
    assert group["cause"].startswith("ACCESS_DENIED: ")
    done = letters("redrive", "--stack", "custom-bus", "--older-than", "0s", "--yes", "--json")
    (report,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert {name: count for name, count in report["verdicts"].items() if count} == {"kept": 2}
    reason = next(each["reason"] for each in report["letters"] if event_id in each["reason"])

    # What the reason says, once the role may deliver.
    client("iam").put_role_policy(
        RoleName=stack["Deliver"],
        PolicyName="deliver",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": stack["OrdersArn"]}
                ],
            }
        ),
    )
    buses = client("eventbridgev2")
    kept = buses.describe_subscriber(SubscriberArn=stack["Keep"])
    first = reason.partition("starts at ")[2].partition(",")[0]
    pattern = reason.partition("filter ")[2].rpartition(", delivers")[0]
    again = buses.create_subscriber(
        Name="again",
        EventBusArn=kept["EventBusArn"],
        InvokeConfiguration=kept["InvokeConfiguration"],
        FilterConfiguration={"Filters": [{"Scope": "SYSTEM_METADATA", "Pattern": pattern}]},
        StartingPosition="POINT_IN_TIME",
        PointInTimeConfiguration={"PointType": "TIMESTAMP", "StartingPoint": first},
        OnFailureConfiguration=kept["OnFailureConfiguration"],
    )["SubscriberArn"]

    (event,) = wait_until(lambda: bodies(client, stack["Orders"]))
    assert (event["id"], event["detail"]) == (event_id, {"number": 1})
    buses.delete_subscriber(SubscriberArn=again)


def test_an_operator_may_ask_the_subscriber_where_its_failures_end(
    letters: Letters, stack: dict[str, str]
) -> None:
    policy = json.loads(letters("policy", "--stack", "custom-bus").stdout)

    allowed = {
        action: statement["Resource"]
        for statement in policy["Statement"]
        for action in statement["Action"]
    }
    assert allowed["events:DescribeSubscriber"] == [stack["Keep"]]
