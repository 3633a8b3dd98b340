"""Subscribers of custom event buses: each way in which what they give up is lost has a finding."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from checking import findings
from command import Cli

Template = dict[str, Any]


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def allow(action: str, *names: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": [arn(name) for name in names]}


FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {"Role": "arn:aws:iam::123456789012:role/work"},
}
GOOD: Template = {
    "Resources": {
        "Shop": {
            "Type": "AWS::EventsV2::EventBus",
            "Properties": {"Name": "shop", "StorageConfiguration": {"RetentionPeriodInDays": 14}},
        },
        "Keep": {
            "Type": "AWS::EventsV2::Subscriber",
            "Properties": {
                "Name": "keep",
                "EventBusArn": {"Ref": "Shop"},
                "InvokeConfiguration": {"TargetArn": arn("Orders"), "RoleArn": arn("Deliver")},
                "OnFailureConfiguration": {"Arn": arn("Undelivered")},
            },
        },
        "Orders": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"RedriveAllowPolicy": {"redrivePermission": "allowAll"}},
        },
        "Undelivered": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "MessageRetentionPeriod": 1209600,
                "RedriveAllowPolicy": {"redrivePermission": "allowAll"},
            },
        },
        "Deliver": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                },
                "Policies": [
                    {
                        "PolicyName": "deliver",
                        "PolicyDocument": {
                            "Statement": [
                                allow("sqs:SendMessage", "Orders"),
                                allow("sqs:SendMessage", "Undelivered"),
                            ]
                        },
                    }
                ],
            },
        },
        "Alarms": {"Type": "AWS::SNS::Topic"},
        "UndeliveredAlarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [
                    {"Name": "QueueName", "Value": {"Fn::GetAtt": ["Undelivered", "QueueName"]}}
                ],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "AlarmActions": [{"Ref": "Alarms"}],
            },
        },
    }
}


def found(cli: Cli, change: Callable[[dict[str, Any]], None]) -> list[tuple[str, str]]:
    template = copy.deepcopy(GOOD)
    change(template["Resources"])
    (cli.folder / "template.json").write_text(json.dumps(template))
    reported = findings(cli, "template.json")
    return [(each["rule"], each["resource"]) for each in reported]


def subscriber(resources: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = resources["Keep"]["Properties"]
    return properties


def statements(resources: dict[str, Any]) -> list[Any]:
    policy = resources["Deliver"]["Properties"]["Policies"][0]["PolicyDocument"]
    found: list[Any] = policy["Statement"]
    return found


def to_topic(resources: dict[str, Any]) -> None:
    subscriber(resources)["OnFailureConfiguration"] = {"Arn": {"Ref": "Alarms"}}


def asynchronously(resources: dict[str, Any]) -> None:
    resources["Orders"] = FUNCTION
    invoke = subscriber(resources)["InvokeConfiguration"]
    invoke["LambdaParameters"] = {"InvocationType": "EVENT"}
    statements(resources)[0]["Action"] = "lambda:InvokeFunction"


def in_order(resources: dict[str, Any]) -> None:
    """A FIFO queue as target, and one for what fails, which a rule may not have."""
    subscriber(resources)["Type"] = "FIFO"
    for name in ("Orders", "Undelivered"):
        resources[name]["Properties"]["FifoQueue"] = True
    subscriber(resources)["InvokeConfiguration"]["SqsParameters"] = {
        "MessageGroupId": "{% $events.SystemMetadata.EventGroupId %}",
        "MessageDeduplicationId": '{% $events.SystemMetadata."aws:EventId" %}',
    }


def without_deduplication_id(resources: dict[str, Any]) -> None:
    in_order(resources)
    del subscriber(resources)["InvokeConfiguration"]["SqsParameters"]["MessageDeduplicationId"]


def from_s3(resources: dict[str, Any]) -> None:
    resources["Uploads"] = {
        "Type": "AWS::EventsV2::EventSource",
        "Properties": {
            "Name": "uploads",
            "EventBusArn": {"Ref": "Shop"},
            "Configuration": {"AwsServiceEventsConfiguration": {"AwsService": "aws.s3"}},
        },
    }


def from_s3_to_fifo(resources: dict[str, Any]) -> None:
    from_s3(resources)
    in_order(resources)
    configuration = resources["Uploads"]["Properties"]["Configuration"]
    configuration["AwsServiceEventsConfiguration"]["OnFailureConfiguration"] = {
        "Arn": arn("Undelivered")
    }


def for_nobody(resources: dict[str, Any]) -> None:
    trust = resources["Deliver"]["Properties"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"]["Service"] = "scheduler.amazonaws.com"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda _: None, [], id="nothing-is-lost"),
        pytest.param(in_order, [], id="fifo"),
        pytest.param(
            lambda each: subscriber(each).pop("OnFailureConfiguration"),
            [("SP104", "Keep")],
            id="what-fails-is-dropped",
        ),
        pytest.param(from_s3, [("SP104", "Uploads")], id="what-is-not-forwarded-is-dropped"),
        pytest.param(
            from_s3_to_fifo, [("SP201", "Undelivered")], id="a-source-needs-a-standard-queue"
        ),
        pytest.param(to_topic, [("SP201", "Alarms"), ("SP301", "Alarms")], id="a-topic-is-no-end"),
        pytest.param(
            lambda each: statements(each).pop(1),
            [("SP201", "Undelivered")],
            id="the-role-may-not-send-to-the-end",
        ),
        pytest.param(
            lambda each: statements(each).pop(0),
            [("SP204", "Orders")],
            id="the-role-may-not-deliver",
        ),
        pytest.param(for_nobody, [("SP204", "Deliver")], id="nobody-assumes-the-role"),
        pytest.param(
            lambda each: each.pop("UndeliveredAlarm"),
            [("SP301", "Undelivered")],
            id="nobody-is-told",
        ),
        pytest.param(
            lambda each: each["Shop"]["Properties"].pop("StorageConfiguration"),
            [("SP206", "Undelivered")],
            id="the-events-are-gone-before-the-record",
        ),
        pytest.param(
            asynchronously,
            [("SP103", "Orders"), ("SP404", "Orders")],
            id="the-invocation-has-no-end",
        ),
        pytest.param(
            without_deduplication_id, [("SP207", "Orders")], id="a-queue-without-deduplication"
        ),
    ],
)
def test_each_way_to_lose_events_is_found(
    change: Callable[[dict[str, Any]], None], expected: list[tuple[str, str]], cli: Cli
) -> None:
    assert found(cli, change) == expected
