"""What looks like a fault and is none: a rule that cannot know is silent."""

import json
from typing import Any

import pytest
import yaml
from checking import findings
from command import Cli

from sls_patterns_cli.check.rules import RULES

FUNCTION: dict[str, Any] = {
    "Type": "AWS::Lambda::Function",
    "Properties": {"Role": "arn:aws:iam::1:role/r"},
}
QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}
TOPIC: dict[str, Any] = {"Type": "AWS::SNS::Topic"}
KEPT = {"MessageRetentionPeriod": 1209600}


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def of(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type_}", "Properties": properties}


def function(**properties: Any) -> dict[str, Any]:
    return of("Lambda::Function", **FUNCTION["Properties"], **properties)


def poll(source: Any, **properties: Any) -> dict[str, Any]:
    mapping = {"EventSourceArn": source, "FunctionName": ref("Worker"), **properties}
    return of("Lambda::EventSourceMapping", **mapping)


def polled(queue: dict[str, Any], worker: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"Orders": queue, "Worker": worker, "Poll": poll(arn("Orders"), **properties)}


def with_dead_letters(**properties: Any) -> dict[str, Any]:
    redrive = {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 5}
    return of("SQS::Queue", **{"RedrivePolicy": redrive, **properties})


def subscribed(target: Any, protocol: str, **properties: Any) -> dict[str, Any]:
    own = {"TopicArn": ref("Topic"), "Protocol": protocol, "Endpoint": target, **properties}
    return of("SNS::Subscription", **own)


def rule(*targets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    own = {"EventPattern": {"source": ["shop"]}, "Targets": list(targets), **properties}
    return of("Events::Rule", **own)


def policy(queue: str, principal: Any, **statement: Any) -> dict[str, Any]:
    allow = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage"}
    statements = [{**allow, "Resource": arn(queue), **statement}]
    return of("SQS::QueuePolicy", Queues=[ref(queue)], PolicyDocument={"Statement": statements})


def key(*statements: dict[str, Any]) -> dict[str, Any]:
    return of("KMS::Key", KeyPolicy={"Statement": list(statements)})


def depths(expression: str, threshold: Any, **settings: Any) -> dict[str, Any]:
    """Return an alarm on the depths of two queues."""
    names = [
        each for each in ("orders", "refunds") if each in expression or "METRICS" in expression
    ]
    metrics = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateNumberOfMessagesVisible",
                    "Dimensions": [{"Name": "QueueName", "Value": name}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for name in names
    ]
    own: dict[str, Any] = {
        "Metrics": [{"Id": "value", "Expression": expression}, *metrics],
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [ref("Given")],
    }
    return of("CloudWatch::Alarm", **own | settings)


SNS = {"Service": "sns.amazonaws.com"}
EVENTS = {"Service": "events.amazonaws.com"}
USE = {"Effect": "Allow", "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*"}
GIVEN = {"Given": {"Type": "String"}}

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("SP101", "the queue is outside", {"Worker": FUNCTION, "Poll": poll(ref("Given"))}),
    (
        "SP101",
        "the policy is a text of JSON",
        polled(
            of(
                "SQS::Queue",
                RedrivePolicy={
                    "Fn::Sub": '{"deadLetterTargetArn": "${Dead.Arn}", "maxReceiveCount": 5}'
                },
            ),
            FUNCTION,
        )
        | {"Dead": of("SQS::Queue", **KEPT)},
    ),
    (
        "SP101",
        "the policy is a parameter",
        polled(of("SQS::Queue", RedrivePolicy=ref("Given")), FUNCTION),
    ),
    (
        "SP402",
        "the visibility timeout is a parameter",
        polled(with_dead_letters(VisibilityTimeout=ref("Given")), function(Timeout=30)),
    ),
    (
        "SP402",
        "the timeout is a parameter beside a short visibility timeout",
        polled(with_dead_letters(VisibilityTimeout=10), function(Timeout=ref("Given"))),
    ),
    (
        "SP408",
        "the size of the batch is a parameter",
        polled(with_dead_letters(FifoQueue=True), FUNCTION, BatchSize=ref("Given")),
    ),
    (
        "SP102",
        "the destination is outside",
        {
            "Worker": FUNCTION,
            "Clicks": of("Kinesis::Stream"),
            "Poll": poll(
                arn("Clicks"),
                StartingPosition="LATEST",
                DestinationConfig={"OnFailure": {"Destination": ref("Given")}},
            ),
        },
    ),
    (
        "SP103",
        "the alias that is invoked has the destination",
        {
            "Topic": TOPIC,
            "Failed": QUEUE,
            "Worker": FUNCTION,
            "Live": of(
                "Lambda::Alias", FunctionName=ref("Worker"), FunctionVersion="1", Name="live"
            ),
            "Config": of(
                "Lambda::EventInvokeConfig",
                FunctionName=ref("Worker"),
                Qualifier="live",
                DestinationConfig={"OnFailure": {"Destination": arn("Failed")}},
            ),
            "Subscription": subscribed(ref("Live"), "lambda"),
        },
    ),
    (
        "SP103",
        "the function is called and not invoked",
        {
            "Worker": FUNCTION,
            "Api": of(
                "ApiGatewayV2::Integration",
                ApiId="a",
                IntegrationType="AWS_PROXY",
                IntegrationUri=arn("Worker"),
                PayloadFormatVersion="2.0",
            ),
        },
    ),
    ("SP104", "a mail is no edge", {"Topic": TOPIC, "Mail": subscribed("a@example.com", "email")}),
    (
        "SP201",
        "anybody may send under a condition",
        {
            "Rule": rule(
                {
                    "Id": "T",
                    "Arn": ref("Topic"),
                    "DeadLetterConfig": {"Arn": arn("Dead")},
                }
            ),
            "Topic": TOPIC,
            "Dead": QUEUE,
            "Policy": policy("Dead", "*", Condition={"ArnEquals": {"aws:SourceArn": arn("Rule")}}),
        },
    ),
    (
        "SP201",
        "the policy that the role has is outside",
        {
            "Topic": TOPIC,
            "Failed": QUEUE,
            "Worker": function(DeadLetterConfig={"TargetArn": arn("Failed")}),
            "Subscription": subscribed(arn("Worker"), "lambda"),
        },
    ),
    (
        "SP202",
        "the function is invoked as well",
        polled(with_dead_letters(), function(DeadLetterConfig={"TargetArn": arn("Dead")}))
        | {
            "Dead": of("SQS::Queue", **KEPT),
            "Topic": TOPIC,
            "Subscription": subscribed(arn("Worker"), "lambda"),
        },
    ),
    (
        "SP204",
        "the rule names a role for the target",
        {"Rule": rule({"Id": "Q", "Arn": arn("Orders"), "RoleArn": ref("Given")}), "Orders": QUEUE},
    ),
    (
        "SP204",
        "the policy allows all actions",
        {
            "Rule": rule({"Id": "Q", "Arn": arn("Orders")}),
            "Orders": QUEUE,
            "Policy": policy("Orders", EVENTS, Action="sqs:*"),
        },
    ),
    (
        "SP204",
        "a permission lets the service invoke an alias of the function",
        {
            "Rule": rule({"Id": "W", "Arn": ref("Live")}),
            "Worker": FUNCTION,
            "Live": of("Lambda::Alias", FunctionName=ref("Worker"), Name="live"),
            "May": of("Lambda::Permission", FunctionName=ref("Live"), Principal=EVENTS["Service"]),
        },
    ),
    (
        "SP204",
        "a permission is for a function that is a parameter",
        {
            "Rule": rule({"Id": "W", "Arn": arn("Worker")}),
            "Worker": FUNCTION,
            "May": of("Lambda::Permission", FunctionName=ref("Given"), Principal=EVENTS["Service"]),
        },
    ),
    (
        "SP204",
        "a rule of IoT sends by its role",
        {
            "Things": of(
                "IoT::TopicRule",
                TopicRulePayload={
                    "Sql": "SELECT * FROM 'orders'",
                    "Actions": [{"Sns": {"TargetArn": ref("Topic"), "RoleArn": ref("Given")}}],
                },
            ),
            "Topic": TOPIC,
        },
    ),
    (
        "SP205",
        "the rule names a role for the target",
        {
            "Rule": rule({"Id": "Q", "Arn": arn("Orders"), "RoleArn": ref("Given")}),
            "Orders": of("SQS::Queue", KmsMasterKeyId="alias/aws/sqs"),
        },
    ),
    (
        "SP205",
        "the key's policy lets the service in",
        {
            "Topic": TOPIC,
            "Key": key({**USE, "Principal": SNS}),
            "Orders": of("SQS::Queue", KmsMasterKeyId=arn("Key")),
            "Policy": policy("Orders", SNS),
            "Subscription": subscribed(arn("Orders"), "sqs"),
        },
    ),
    (
        "SP205",
        "the key is outside",
        {
            "Topic": TOPIC,
            "Orders": of("SQS::Queue", KmsMasterKeyId=ref("Given")),
            "Policy": policy("Orders", SNS),
            "Subscription": subscribed(arn("Orders"), "sqs"),
        },
    ),
    (
        "SP205",
        "SQS itself moves what fails",
        polled(with_dead_letters(), FUNCTION)
        | {"Dead": of("SQS::Queue", KmsMasterKeyId="alias/aws/sqs", **KEPT)},
    ),
    (
        "SP206",
        "the move resets the time in a FIFO queue",
        {
            "Orders": with_dead_letters(FifoQueue=True),
            "Dead": of("SQS::Queue", FifoQueue=True),
        },
    ),
    (
        "SP206",
        "more is not possible",
        {"Orders": with_dead_letters(**KEPT), "Dead": of("SQS::Queue", **KEPT)},
    ),
    (
        "SP206",
        "the time is a parameter",
        {
            "Orders": with_dead_letters(),
            "Dead": of("SQS::Queue", MessageRetentionPeriod=ref("Given")),
        },
    ),
    (
        "SP207",
        "a FIFO topic sends the id of its message",
        {
            "Topic": of("SNS::Topic", FifoTopic=True),
            "Orders": of("SQS::Queue", FifoQueue=True),
            "Policy": policy("Orders", SNS),
            "Subscription": subscribed(arn("Orders"), "sqs"),
        },
    ),
    (
        "SP301",
        "a composite alarm has the action",
        polled(with_dead_letters(), FUNCTION)
        | {
            "Dead": of("SQS::Queue", **KEPT),
            "Filled": of(
                "CloudWatch::Alarm",
                Namespace="AWS/SQS",
                MetricName="ApproximateNumberOfMessagesVisible",
                Dimensions=[{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Dead", "QueueName"]}}],
            ),
            "All": of(
                "CloudWatch::CompositeAlarm",
                AlarmRule={"Fn::Sub": 'ALARM("${Filled}")'},
                AlarmActions=[ref("Given")],
            ),
        },
    ),
    (
        "SP301",
        "the end is outside",
        {"Orders": with_dead_letters(RedrivePolicy={"deadLetterTargetArn": ref("Given")})},
    ),
    (
        "SP302",
        "an alarm for a scaling policy is no alarm for people",
        {
            "Busy": of(
                "CloudWatch::Alarm",
                Namespace="AWS/EC2",
                MetricName="CPUUtilization",
                Dimensions=[{"Name": "AutoScalingGroupName", "Value": "a"}],
                AlarmActions=[ref("Given")],
            )
        },
    ),
    (
        "SP303",
        "on the default bus Ref is the name",
        {
            "Topic": TOPIC,
            "Rule": rule({"Id": "T", "Arn": ref("Topic")}),
            "Failed": of(
                "CloudWatch::Alarm",
                Namespace="AWS/Events",
                MetricName="FailedInvocations",
                Dimensions=[{"Name": "RuleName", "Value": ref("Rule")}],
                AlarmActions=[ref("Given")],
            ),
        },
    ),
    (
        "SP304",
        "nobody starts an express machine and goes away",
        {
            "Machine": of(
                "StepFunctions::StateMachine",
                StateMachineType="EXPRESS",
                RoleArn="arn:aws:iam::1:role/r",
                DefinitionString="{}",
            ),
            "Rule": rule({"Id": "M", "Arn": ref("Machine"), "RoleArn": ref("Given")}),
        },
    ),
    ("SP306", "one message is below its threshold", {"Deep": depths("orders + refunds", 5)}),
    ("SP306", "a message hides those of the same queue only", {"Deep": depths("orders", 0)}),
    (
        "SP306",
        "it tells of each message that comes",
        {"Deep": depths("DIFF(orders + refunds)", 0, EvaluationPeriods=20, DatapointsToAlarm=1)},
    ),
    ("SP306", "math that is not known here", {"Deep": depths("SUM(ANOMALY(METRICS()))", 0)}),
    ("SP306", "a threshold that is not known", {"Deep": depths("orders + refunds", ref("Given"))}),
    ("SP401", "a batch of one", polled(with_dead_letters(), FUNCTION, BatchSize=1)),
    (
        "SP402",
        "six times the timeout and the window",
        polled(
            with_dead_letters(VisibilityTimeout=80),
            function(Timeout=10),
            MaximumBatchingWindowInSeconds=20,
        ),
    ),
    (
        "SP402",
        "the timeout is a parameter",
        polled(with_dead_letters(), function(Timeout=ref("Given"))),
    ),
    (
        "SP403",
        "the age is limited",
        {
            "Worker": FUNCTION,
            "Clicks": of("Kinesis::Stream"),
            "Poll": poll(arn("Clicks"), StartingPosition="LATEST", MaximumRecordAgeInSeconds=3600),
        },
    ),
    (
        "SP405",
        "others still read what a stream's filter leaves out",
        {
            "Worker": FUNCTION,
            "Clicks": of("Kinesis::Stream"),
            "Poll": poll(
                arn("Clicks"),
                StartingPosition="LATEST",
                FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"a": [1]}})}]},
            ),
        },
    ),
    (
        "SP406",
        "the count is a parameter",
        polled(
            with_dead_letters(
                RedrivePolicy={"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": ref("Given")}
            ),
            FUNCTION,
        )
        | {"Dead": of("SQS::Queue", **KEPT)},
    ),
    (
        "SP406",
        "no function polls the queue",
        {
            "Orders": with_dead_letters(
                RedrivePolicy={"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 1}
            ),
            "Dead": of("SQS::Queue", **KEPT),
        },
    ),
    (
        "SP407",
        "the function is reserved more than its queue may invoke",
        polled(
            with_dead_letters(),
            function(ReservedConcurrentExecutions=20),
            ScalingConfig={"MaximumConcurrency": 10},
        ),
    ),
    (
        "SP408",
        "a standard queue keeps no order",
        polled(with_dead_letters(), FUNCTION, BatchSize=10),
    ),
    (
        "SP501",
        "the control passes a queue with either policy",
        polled(with_dead_letters(), FUNCTION)
        | {"Dead": of("SQS::Queue", RedriveAllowPolicy={"redrivePermission": "allowAll"})},
    ),
]


REFUSED = {
    "a function without a permission": (
        "Worker",
        {"Rule": rule({"Id": "W", "Arn": arn("Worker")}), "Worker": FUNCTION},
    ),
    "a function that another service may invoke": (
        "Worker",
        {
            "Subscription": subscribed(arn("Worker"), "lambda"),
            "Topic": TOPIC,
            "Worker": FUNCTION,
            "May": of(
                "Lambda::Permission", FunctionName=ref("Worker"), Principal=EVENTS["Service"]
            ),
        },
    ),
    "a topic that its own account may publish to": (
        "Topic",
        {"Rule": rule({"Id": "T", "Arn": ref("Topic")}), "Topic": TOPIC},
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_target_refuses_what_nobody_lets_in(why: str, cli: Cli) -> None:
    refusing, resources = REFUSED[why]
    (cli.folder / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))

    found = findings(cli, "template.yaml")

    assert {each["resource"] for each in found if each["rule"] == "SP204"} == {refusing}


@pytest.mark.parametrize(
    ("silent", "resources"),
    [pytest.param(each, resources, id=f"{each} {why}") for each, why, resources in CASES],
)
def test_a_rule_is_silent(silent: str, resources: dict[str, Any], cli: Cli) -> None:
    (cli.folder / "template.yaml").write_text(
        yaml.safe_dump({"Parameters": GIVEN, "Resources": resources})
    )

    assert silent in RULES
    assert silent not in {each["rule"] for each in findings(cli, "template.yaml")}
