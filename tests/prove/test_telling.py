"""When alarms on what services report of a failure page: the minutes after it, on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from command import Cli
from proving_stacks import Row, proven

NAMES = {
    "AWS/Lambda": ("FunctionName", {"Ref": "Work"}),
    "AWS/Events": ("RuleName", {"Ref": "Rule"}),
    "AWS/SNS": ("TopicName", {"Fn::GetAtt": ["Topic", "TopicName"]}),
    "AWS/SQS": ("QueueName", {"Fn::GetAtt": ["Orders", "QueueName"]}),
    "AWS/EventBridge/Pipes": ("PipeName", {"Ref": "Pipe"}),
}


def alarm(name: str, **properties: Any) -> dict[str, Any]:
    """An alarm on a metric that is named `NAMESPACE METRIC`, which is above 0 in one minute."""
    namespace, _, metric = name.partition(" ")
    dimension, value = NAMES[namespace]
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": dimension, "Value": value}],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:pages"],
            **properties,
        },
    }


def role(name: str) -> str:
    return f"arn:aws:iam::123456789012:role/{name}"


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


WORK: dict[str, dict[str, Any]] = {
    "Work": {"Type": "AWS::Lambda::Function", "Properties": {"Role": role("w"), "Timeout": 50}}
}

INVOKED = {
    **WORK,
    "Dead": queue(),
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Told": {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": {"Ref": "Topic"},
            "Protocol": "lambda",
            "Endpoint": {"Fn::GetAtt": ["Work", "Arn"]},
        },
    },
    "May": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Work"},
            "Action": "lambda:InvokeFunction",
            "Principal": "sns.amazonaws.com",
            "SourceArn": {"Ref": "Topic"},
        },
    },
}
TO_DEAD = {"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}}}
NO_RIGHTS = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        }
    },
}
KEPT = {
    **INVOKED,
    "Work": {**WORK["Work"], "Properties": {**WORK["Work"]["Properties"], **TO_DEAD}},
}
UNKEPT = {
    **KEPT,
    "Nobody": NO_RIGHTS,
    "Work": {
        **WORK["Work"],
        "Properties": {**TO_DEAD, "Role": {"Fn::GetAtt": ["Nobody", "Arn"]}},
    },
}
POLLED = {
    **WORK,
    "Orders": queue(
        VisibilityTimeout=120,
        RedrivePolicy={
            "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
            "maxReceiveCount": 5,
        },
    ),
    "Dead": queue(),
    "Poll": {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Orders", "Arn"]},
            "FunctionName": {"Ref": "Work"},
        },
    },
}
POLLED_WITH_ITEMS = {
    **POLLED,
    "Poll": {
        **POLLED["Poll"],
        "Properties": {
            **POLLED["Poll"]["Properties"],
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
    },
}
READ = {
    **WORK,
    "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
    "Poll": {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
            "FunctionName": {"Ref": "Work"},
            "StartingPosition": "TRIM_HORIZON",
        },
    },
}
ROUTED = {
    "Inbox": queue(),
    "Dead": queue(),
    "Policy": {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": "Dead"}],
            "PolicyDocument": {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]},
                    "Action": "sqs:SendMessage",
                    "Resource": "*",
                }
            },
        },
    },
    "Rule": {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "EventPattern": {"source": ["shop"]},
            "Targets": [
                {
                    "Id": "inbox",
                    "Arn": {"Fn::GetAtt": ["Inbox", "Arn"]},
                    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Dead", "Arn"]}},
                }
            ],
        },
    },
}
CUSTOM = {
    **ROUTED,
    "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "shop"}},
    "Rule": {
        **ROUTED["Rule"],
        "Properties": {**ROUTED["Rule"]["Properties"], "EventBusName": {"Ref": "Bus"}},
    },
}
OF_BUS = [
    {"Name": "RuleName", "Value": {"Fn::Select": [1, {"Fn::Split": ["|", {"Ref": "Rule"}]}]}},
    {"Name": "EventBusName", "Value": {"Ref": "Bus"}},
]
PUBLISHED = {
    **{name: ROUTED[name] for name in ("Inbox", "Dead", "Policy")},
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Told": {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": {"Ref": "Topic"},
            "Protocol": "sqs",
            "Endpoint": {"Fn::GetAtt": ["Inbox", "Arn"]},
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}},
        },
    },
}


def without(stack: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in stack.items() if name not in names}


def of_lambda(name: str, **properties: Any) -> dict[str, Any]:
    return alarm(f"AWS/Lambda {name}", **properties)


def m_of_n(minutes: int, needed: int | None = None) -> dict[str, Any]:
    return {"EvaluationPeriods": minutes, "DatapointsToAlarm": needed or minutes}


def by(name: str, ending: str) -> dict[str, Any]:
    resource = {"Fn::Sub": f"${{Work}}{ending}"}
    return {
        "Dimensions": [
            {"Name": "FunctionName", "Value": {"Ref": "Work"}},
            {"Name": name, "Value": resource},
        ]
    }


@dataclass(frozen=True)
class Failure:
    """A failure of a stack, and after how many minutes an alarm on it pages, by its name."""

    name: str
    stack: Mapping[str, Any]
    mechanism: str
    fault: str
    told: Mapping[str, tuple[dict[str, Any], int | str | None]]
    """None for an alarm that watches nothing of the failure."""

    def __str__(self) -> str:
        return self.name


ERRORS, ONE_MORE = "Errors", 1.1
AGE = "AWS/SQS ApproximateAgeOfOldestMessage"
FAILED, SENT, NOT_SENT = (
    f"AWS/Events {name}"
    for name in ("FailedInvocations", "InvocationsSentToDlq", "InvocationsFailedToBeSentToDlq")
)
UNDELIVERED, REDRIVEN, NOT_REDRIVEN = (
    f"AWS/SNS NumberOfNotifications{name}"
    for name in ("Failed", "RedrivenToDlq", "FailedToRedriveToDlq")
)
HIGHEST = {"Statistic": "Maximum"}

FAILURES = [
    Failure(
        "invocation",  # fails at once, after one minute and after three
        INVOKED,
        "lambda-async",
        "error",
        {
            "Each": (of_lambda(ERRORS), 1),
            "Once": (of_lambda(ERRORS, Threshold=0.9), 1),
            "Twice": (of_lambda(ERRORS, Threshold=ONE_MORE), "never"),
            "TwoMinutes": (of_lambda(ERRORS, **m_of_n(2)), 2),
            # The minute between has no value, and CloudWatch looks further back for three.
            "ThreeMinutes": (of_lambda(ERRORS, **m_of_n(3)), 4),
            "ThreeOfFour": (of_lambda(ERRORS, **m_of_n(4, 3)), 4),
            "FourMinutes": (of_lambda(ERRORS, **m_of_n(4)), "never"),
            "Three": (of_lambda(ERRORS, Period=300, Threshold=2.9), 4),
            "Four": (of_lambda(ERRORS, Period=300, Threshold=3.1), "never"),
            "OfAllFunctions": (of_lambda(ERRORS, Dimensions=[]), 1),
            "Itself": (of_lambda(ERRORS, **by("Resource", "")), 1),
            "Alias": (of_lambda(ERRORS, **by("Resource", ":live")), "never"),
            "Dropped": (of_lambda("AsyncEventsDropped"), 4),
            "Old": (of_lambda("AsyncEventAge", Threshold=179_999), 4),
            "Older": (of_lambda("AsyncEventAge", Threshold=180_001), "never"),
            "Throttled": (of_lambda("Throttles"), None),
            "Traffic": (of_lambda("Invocations"), None),
            "NotKept": (of_lambda("DeadLetterErrors"), None),
        },
    ),
    Failure(
        "kept", KEPT, "lambda-async", "error", {"NotKept": (of_lambda("DeadLetterErrors"), None)}
    ),
    Failure(
        "not kept",
        UNKEPT,
        "lambda-async",
        "error",
        {
            "NotKept": (of_lambda("DeadLetterErrors"), 4),
            "NotDelivered": (of_lambda("DestinationDeliveryFailures"), None),
        },
    ),
    Failure(
        "timeout",  # each attempt lasts for 50 seconds, and is known when it has ended
        INVOKED,
        "lambda-async",
        "timeout",
        {
            "Errors": (of_lambda(ERRORS), 1),
            "Slow": (of_lambda("Duration", Threshold=49_999), 1),
            "Slower": (of_lambda("Duration", Threshold=50_001), "never"),
        },
    ),
    Failure(
        "throttle",
        INVOKED,
        "lambda-async",
        "throttle",
        {"Throttled": (of_lambda("Throttles"), 1), "Errors": (of_lambda(ERRORS), None)},
    ),
    Failure(
        "queue",  # received at once and every two minutes, five times
        POLLED,
        "sqs",
        "error",
        {
            "Each": (of_lambda(ERRORS), 1),
            "Five": (of_lambda(ERRORS, Period=600, Threshold=4.9), 9),
            "Six": (of_lambda(ERRORS, Period=600, Threshold=5.1), "never"),
            # The oldest until it is received for the third time, after four minutes.
            "Old": (alarm(AGE, Threshold=209, **HIGHEST), 4),
            "Older": (alarm(AGE, Threshold=211, **HIGHEST), "never"),
        },
    ),
    Failure("batch", POLLED, "sqs", "poison", {"Each": (of_lambda(ERRORS), 1)}),
    Failure("items", POLLED_WITH_ITEMS, "sqs", "poison", {"Each": (of_lambda(ERRORS), "never")}),
    Failure(
        "shard",  # of which nothing ends the attempts
        READ,
        "stream",
        "error",
        {
            "Quarter": (of_lambda(ERRORS, **m_of_n(15)), 15),
            "Hour": (of_lambda("IteratorAge", Threshold=3_600_000, **HIGHEST), 62),
        },
    ),
    Failure(
        "rule",
        ROUTED,
        "eventbridge",
        "denied",
        {
            "Failed": (alarm(FAILED), 1),
            "FailedTwice": (alarm(FAILED, Threshold=ONE_MORE), "never"),
            "Sent": (alarm(SENT), 1),
            "NotSent": (alarm(NOT_SENT), None),
        },
    ),
    Failure(
        "rule without rights",
        without(ROUTED, "Policy"),
        "eventbridge",
        "denied",
        {"Sent": (alarm(SENT), None), "NotSent": (alarm(NOT_SENT), 1)},
    ),
    Failure(
        "bus",
        CUSTOM,
        "eventbridge",
        "denied",
        {
            "Failed": (alarm(FAILED, Dimensions=OF_BUS), 1),
            "FailedOnDefault": (alarm(FAILED, Dimensions=OF_BUS[:1]), "never"),
        },
    ),
    Failure(
        "topic",
        PUBLISHED,
        "sns",
        "denied",
        {
            "Failed": (alarm(UNDELIVERED), 1),
            "FailedTwice": (alarm(UNDELIVERED, Threshold=ONE_MORE), "never"),
            "Redriven": (alarm(REDRIVEN), 1),
            "NotRedriven": (alarm(NOT_REDRIVEN), None),
        },
    ),
    Failure(
        "topic without rights",
        without(PUBLISHED, "Policy"),
        "sns",
        "denied",
        {"Redriven": (alarm(REDRIVEN), None), "NotRedriven": (alarm(NOT_REDRIVEN), 1)},
    ),
]


def row_of(cli: Cli, resources: Mapping[str, Any], mechanism: str, fault: str) -> Row:
    template = cli.folder / "template.yaml"
    template.write_text(yaml.safe_dump({"Resources": dict(resources)}, sort_keys=False))
    (row,) = (
        each
        for each in proven(cli, template, "--fault", fault)
        if (each["mechanism"], each["fault"]) == (mechanism, fault)
    )
    return row


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_alarms_are_evaluated_over_what_aws_reports(failure: Failure, cli: Cli) -> None:
    watched = {f"Watch{name}": given for name, (given, _) in failure.told.items()}

    row = row_of(cli, {**failure.stack, **watched}, failure.mechanism, failure.fault)

    minutes = {each["alarm"].removeprefix("Watch"): each["minutes"] for each in row["alarms"]}
    assert minutes == {name: at for name, (_, at) in failure.told.items() if at is not None}
    assert row["alarmed"] is any(isinstance(at, int) for at in minutes.values())


@pytest.mark.parametrize(
    ("rule", "minutes"),
    [
        ('ALARM("${Errors}") AND ALARM("${Dropped}")', 4),
        ("ALARM(${Errors.Arn}) OR ALARM(${Dropped.Arn})", 1),
        ("ALARM(errors) AND NOT ALARM(errors)", "never"),
        ("ALARM(elsewhere) AND ALARM(errors)", "unknown"),
    ],
)
def test_a_rule_over_alarms_speaks_for_those_without_actions(
    rule: str, minutes: int | str, cli: Cli
) -> None:
    silent: dict[str, Any] = {"AlarmActions": []}
    watched = {
        "Errors": of_lambda(ERRORS, AlarmName="errors", **silent),
        "Dropped": of_lambda("AsyncEventsDropped", **silent),
        "Watch": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {
                "AlarmRule": {"Fn::Sub": rule},
                "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:pages"],
            },
        },
    }

    row = row_of(cli, {**INVOKED, **watched}, "lambda-async", "error")

    told = {each["alarm"]: each["minutes"] for each in row["alarms"] if each["tells"]}
    assert told == {"Watch": minutes}
    assert row["alarmed"] == (minutes if minutes == "unknown" else isinstance(minutes, int))


def test_a_queue_without_an_alarm_is_told_of_by_its_consumers_errors(cli: Cli) -> None:
    template = cli.folder / "template.yaml"
    watched = {**POLLED, "Watch": of_lambda(ERRORS)}
    template.write_text(yaml.safe_dump({"Resources": watched}, sort_keys=False))

    lines = cli("prove").stdout.splitlines()

    assert lines[1] == (
        "  ends in Dead after 10 minutes, no alarm watches Dead, pages after 1 min (Watch), "
        "came back to Orders"
    )
