"""The least stack for each mechanism that keeps the contract, as CloudFormation.

Numbers are written out, so that the contract is measured against them and not against itself.
"""

import json
from copy import deepcopy
from typing import Any

Resources = dict[str, Any]

DELIVERED_FOR_A_DAY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
THROTTLED = {
    "ErrorEquals": ["Lambda.TooManyRequestsException"],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 6,
    "JitterStrategy": "FULL",
}
# The tier of a metric, and for how many periods; all others are pages at once.
ALARMS = {
    "Errors": ("Ticket", 3),
    "SignInFailed": ("Ticket", 1),
    "IteratorAge": ("Page", 15),
    "DeliveryThrottling": ("Ticket", 5),
    "DeliveryToS3.DataFreshness": ("Page", 5),
    "DeliveryToS3.Success": ("Page", 3),
    "DeliveryToIceberg.DataFreshness": ("Page", 5),
    "DeliveryToIceberg.FailedRowCount": ("Ticket", 1),
    "DeliveryToRedshift.Success": ("Ticket", 3),
    "ExecuteProcessing.Success": ("Ticket", 3),
    "ThrottledGetRecords": ("Ticket", 5),
    "ThrottledRecords": ("Ticket", 5),
    "KinesisMillisBehindLatest": ("Page", 15),
    "ThrottledCmds": ("Ticket", 5),
    "CircuitOpen": ("Ticket", 10),
    "CircuitStateUnavailable": ("Ticket", 3),
}
READABLE = {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
VPC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def get(name: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


def resource(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_, "Properties": properties}


def template(*parts: Resources) -> dict[str, Any]:
    """Return a template of the parts and of the topic that alarms go to."""
    topic = {
        "Alarms": resource("AWS::SNS::Topic"),
        "AlarmsPolicy": resource(
            "AWS::SNS::TopicPolicy",
            Topics=[ref("Alarms")],
            PolicyDocument={
                "Statement": [
                    admit("cloudwatch", "sns:Publish", ref("Alarms"), account=True),
                    only_tls("sns:Publish", ref("Alarms")),
                ]
            },
        ),
    }
    merged: Resources = dict(topic)
    for part in parts:
        merged |= part
    return {"Resources": merged}


def admit(service: str, action: str, on: Any, source: Any = None, *, account: bool = False) -> Any:
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": source}}
    if account:
        condition = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": on,
        "Condition": condition,
    }


def only_tls(action: str, on: Any) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": on,
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }


def allow(action: Any, on: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on}


def role(service: str, *statements: Any, managed: tuple[str, ...] = ()) -> dict[str, Any]:
    trust = {"Service": f"{service}.amazonaws.com"}
    policy = {"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}
    return resource(
        "AWS::IAM::Role",
        AssumeRolePolicyDocument={
            "Statement": [{"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}]
        },
        **({"ManagedPolicyArns": list(managed)} if managed else {}),
        **({"Policies": [policy]} if statements else {}),
    )


def alarm(
    namespace: str, metric: str, dimension: str, value: Any, *more: dict[str, Any], **other: Any
) -> dict[str, Any]:
    tier, periods = ALARMS.get(metric, ("Page", 1))
    settings = {
        "AlarmDescription": f"{tier}: it fails. First: look why",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "Period": 60,
        "EvaluationPeriods": periods,
        "AlarmActions": [ref("Alarms")],
        "OKActions": [ref("Alarms")],
    }
    return resource(
        "AWS::CloudWatch::Alarm",
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": dimension, "Value": value}, *more],
        **settings | other,
    )


def query(
    metric_id: str, metric: tuple[str, str], dimension: str, value: Any, statistic: str = "Sum"
) -> dict[str, Any]:
    """Return a metric, by namespace and name, in the metric math of an alarm."""
    namespace, name = metric
    dimensions = [{"Name": dimension, "Value": value}]
    measured = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    stat = {"Metric": measured, "Stat": statistic, "Period": 60}
    return {"Id": metric_id, "MetricStat": stat, "ReturnData": False}


def of_queue(metric_id: str, name: str, queue_name: Any, statistic: str) -> dict[str, Any]:
    return query(metric_id, ("AWS/SQS", name), "QueueName", queue_name, statistic)


def share(
    metric: str,
    dimension: str,
    value: Any,
    *,
    total: str = "Count",
    of: str = "AWS/ApiGateway",
) -> dict[str, Any]:
    """Return the alarm on the share of requests that fail; by default those of an API."""

    calls, failed = (
        query(metric_id, (of, name), dimension, value)
        for metric_id, name in (("calls", total), ("failed", metric))
    )
    rate = {"Id": "rate", "Expression": "IF(calls >= 9, 100 * failed / calls, 0)"}
    return resource(
        "AWS::CloudWatch::Alarm",
        AlarmDescription="Page: requests fail. First: look why",
        Metrics=[rate, calls, failed],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=5,
        EvaluationPeriods=3,
        AlarmActions=[ref("Alarms")],
        OKActions=[ref("Alarms")],
    )


def shares(metric: str, dimension: str, value: Any) -> Resources:
    """Return the alarms on the requests to an API that fail: of many, and of few in an hour."""
    many, few = (share(metric, dimension, value) for _ in range(2))
    expression = "IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)"
    of_few = few["Properties"]
    of_few |= {"EvaluationPeriods": 1, "Threshold": 0}
    of_few["Metrics"][0]["Expression"] = expression
    for each in of_few["Metrics"][1:]:
        each["MetricStat"]["Period"] = 3600
    return {"ApiErrors": many, "ApiQuietErrors": few}


def undone(machine: str, rule: str) -> Resources:
    """Return the alarms on executions that have failed, and that a rule sends to no queue."""
    kept = query("kept", ("AWS/Events", "TriggeredRules"), "RuleName", ref(rule))
    ended = [
        query(each.lower(), ("AWS/States", f"Executions{each}"), "StateMachineArn", ref(machine))
        for each in ("Failed", "TimedOut", "Aborted", "Succeeded")
    ]
    bad = "failed + timedout + aborted - kept"
    few = f"(failed + succeeded) < 540 AND ({bad}) >= 3"
    all_of_them = {
        "Failed": (
            f"IF((failed + succeeded) >= 9, 100 * ({bad}) / (failed + succeeded), 0)",
            {"Threshold": 5, "EvaluationPeriods": 3},
        ),
        "QuietFailed": (
            f"IF({few} AND 4 * ({bad}) >= (failed + succeeded), 1, 0)",
            {"Threshold": 0, "EvaluationPeriods": 1},
        ),
        "Undone": (bad, {"Threshold": 0, "EvaluationPeriods": 1}),
    }
    found: Resources = {
        f"{machine}{name}": resource(
            "AWS::CloudWatch::Alarm",
            AlarmDescription=f"{'Ticket' if name == 'Undone' else 'Page'}: it fails. First: look",
            Metrics=[
                {"Id": "value", "Expression": expression},
                *deepcopy([kept, *ended[: 3 if name == "Undone" else 4]]),
            ],
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[ref("Alarms")],
            OKActions=[ref("Alarms")],
            **when,
        )
        for name, (expression, when) in all_of_them.items()
    }
    for each in found[f"{machine}QuietFailed"]["Properties"]["Metrics"][1:]:
        each["MetricStat"]["Period"] = 3600
    return found


def standstill(of: str) -> Resources:
    """Return the alarm on a queue of which no message is processed, or whose oldest is too old."""

    name = get(of, "QueueName")
    value = "IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)"
    return {
        f"{of}Age": resource(
            "AWS::CloudWatch::Alarm",
            AlarmDescription="Page: messages wait. First: look why",
            Metrics=[
                {"Id": "value", "Expression": value},
                of_queue("deleted", "NumberOfMessagesDeleted", name, "Sum"),
                of_queue("waiting", "ApproximateNumberOfMessagesVisible", name, "Maximum"),
                of_queue("hidden", "ApproximateNumberOfMessagesNotVisible", name, "Maximum"),
                of_queue("age", "ApproximateAgeOfOldestMessage", name, "Maximum"),
            ],
            ComparisonOperator="GreaterThanThreshold",
            Threshold=1500,
            EvaluationPeriods=4,
            AlarmActions=[ref("Alarms")],
            OKActions=[ref("Alarms")],
        )
    }


def rule_alarm(rule: str) -> dict[str, Any]:
    return alarm("AWS/Events", "FailedInvocations", "RuleName", ref(rule))


def function(name: str, *statements: Any, **properties: Any) -> Resources:
    return {
        name: resource(
            "AWS::Lambda::Function",
            Timeout=10,
            Role=get(f"{name}Role"),
            LoggingConfig={"LogGroup": ref(f"{name}Log")},
            **properties,
        ),
        f"{name}Role": role("lambda", *statements, managed=(BASIC_EXECUTION,)),
        f"{name}Log": resource("AWS::Logs::LogGroup", RetentionInDays=30),
        f"{name}Errors": alarm("AWS/Lambda", "Errors", "FunctionName", ref(name)),
    }


def queue(name: str, *statements: Any, **properties: Any) -> Resources:
    if "RedrivePolicy" not in properties:
        properties["RedriveAllowPolicy"] = {"redrivePermission": "allowAll"}
    return {
        name: resource("AWS::SQS::Queue", SqsManagedSseEnabled=True, **properties),
        f"{name}Policy": resource(
            "AWS::SQS::QueuePolicy",
            Queues=[ref(name)],
            PolicyDocument={"Statement": [*statements, only_tls("sqs:*", get(name))]},
        ),
    }


def dead_letters(name: str, *statements: Any, **properties: Any) -> Resources:
    return {
        **queue(name, *statements, MessageRetentionPeriod=1209600, **properties),
        f"{name}Alarm": alarm(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            get(name, "QueueName"),
            Statistic="Maximum",
        ),
    }


def topic(name: str, **properties: Any) -> Resources:
    return {
        name: resource("AWS::SNS::Topic", **properties),
        f"{name}Policy": resource(
            "AWS::SNS::TopicPolicy",
            Topics=[ref(name)],
            PolicyDocument={"Statement": [only_tls("sns:Publish", ref(name))]},
        ),
    }


def bucket(name: str, told: str, prefix: str = "") -> Resources:
    """Return a bucket of which a rule tells a queue: of every object created under the prefix."""
    only = {"object": {"key": [{"prefix": prefix}]}} if prefix else {}
    objects = {"Fn::Sub": f"${{{name}.Arn}}/*"}
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {
        name: {
            **resource(
                "AWS::S3::Bucket",
                BucketEncryption={"ServerSideEncryptionConfiguration": [encryption]},
                NotificationConfiguration={
                    "EventBridgeConfiguration": {"EventBridgeEnabled": True},
                },
            ),
            "DeletionPolicy": "Retain",
        },
        f"{name}Rule": resource(
            "AWS::Events::Rule",
            EventPattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [ref(name)]}, **only},
            },
            Targets=[{"Id": "told", "Arn": get(told), "RetryPolicy": DELIVERED_FOR_A_DAY}],
        ),
        f"{name}RuleAlarm": rule_alarm(f"{name}Rule"),
        f"{name}Policy": resource(
            "AWS::S3::BucketPolicy",
            Bucket=ref(name),
            PolicyDocument={"Statement": [only_tls("s3:*", [get(name), objects])]},
        ),
    }


def permission(name: str, service: str, source: Any) -> dict[str, Any]:
    return resource(
        "AWS::Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName=ref(name),
        Principal=f"{service}.amazonaws.com",
        SourceArn=source,
    )


def asynchronous(name: str, *statements: Any) -> Resources:
    """Return a function whose asynchronous invokes end in `Failed` (E2)."""
    return {
        **function(name, *statements, allow("sqs:SendMessage", get("Failed"))),
        **dead_letters("Failed"),
        f"{name}Invokes": resource(
            "AWS::Lambda::EventInvokeConfig",
            FunctionName=ref(name),
            Qualifier="$LATEST",
            MaximumRetryAttempts=2,
            MaximumEventAgeInSeconds=3600,
            DestinationConfig={"OnFailure": {"Destination": get("Failed")}},
        ),
        f"{name}Unkept": unkept(name),
    }


def kept_whole() -> dict[str, Any]:
    """Return E2 with a function whose failed events end in a bucket."""
    return template(
        function(
            "Work",
            allow("s3:PutObject", {"Fn::Sub": "${Bad.Arn}/*"}),
            allow("s3:ListBucket", get("Bad")),
        ),
        bucket("Bad", "Told"),
        dead_letters("Told", admit("events", "sqs:SendMessage", get("Told"), get("BadRule"))),
        {
            "WorkInvokes": resource(
                "AWS::Lambda::EventInvokeConfig",
                FunctionName=ref("Work"),
                Qualifier="$LATEST",
                MaximumRetryAttempts=2,
                MaximumEventAgeInSeconds=3600,
                DestinationConfig={"OnFailure": {"Destination": get("Bad")}},
            ),
            "WorkUnkept": unkept("Work"),
        },
    )


def unkept(function: str) -> dict[str, Any]:
    return alarm("AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", ref(function))


def e1() -> dict[str, Any]:
    """Return a queue and its consumer."""
    polling = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    return template(
        queue(
            "Orders",
            VisibilityTimeout=65,
            MessageRetentionPeriod=345600,
            RedrivePolicy={"deadLetterTargetArn": get("Dead"), "maxReceiveCount": 5},
        ),
        dead_letters("Dead"),
        standstill("Orders"),
        function("Store", allow(polling, get("Orders"))),
        {
            "Mapping": resource(
                "AWS::Lambda::EventSourceMapping",
                EventSourceArn=get("Orders"),
                FunctionName=ref("Store"),
                MaximumBatchingWindowInSeconds=5,
                FunctionResponseTypes=["ReportBatchItemFailures"],
                ScalingConfig={"MaximumConcurrency": 2},
            )
        },
    )


def poison() -> dict[str, Any]:
    """Return a queue whose consumer sends to its dead-letter queue what can never be processed."""
    made = e1()
    resources = made["Resources"]
    resources["Orders"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] = 61
    resources["Mapping"]["Properties"]["BatchSize"] = 1
    resources["Store"]["Properties"] |= {
        "Environment": {"Variables": {"AWS_MAX_ATTEMPTS": "2", "DEAD": ref("Dead")}}
    }
    document = resources["StoreRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    document["Statement"].append(allow(["sqs:SendMessage"], get("Dead")))
    return made


def effect() -> dict[str, Any]:
    """Return a consumer that calls an HTTP system, and records what it did there."""
    made = e1()
    expires = {"AttributeName": "expires_at", "Enabled": True}
    done = table()
    done["Properties"]["TimeToLiveSpecification"] = expires
    store, store_role = made["Resources"]["Store"], made["Resources"]["StoreRole"]
    store["Properties"] |= {
        "Timeout": 15,
        "Environment": {
            "Variables": {
                "AWS_MAX_ATTEMPTS": "2",
                "DONE_TABLE_NAME": ref("Done"),
                "DONE_DAYS": "23",
                "PAYMENTS_URL": ref("PaymentsUrl"),
            }
        },
    }
    made["Resources"]["Orders"]["Properties"]["VisibilityTimeout"] = 95
    statements = store_role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements.append(allow("dynamodb:PutItem", get("Done")))
    made["Resources"]["Done"] = done
    address = {"Type": "String", "AllowedPattern": "https?://.+"}
    return {**made, "Parameters": {"PaymentsUrl": address}}


def e2() -> dict[str, Any]:
    """Return a function that a log group's subscription filter invokes."""
    return template(
        asynchronous("Work"),
        {
            "AppLog": resource("AWS::Logs::LogGroup", RetentionInDays=30),
            "Filter": resource(
                "AWS::Logs::SubscriptionFilter",
                LogGroupName=ref("AppLog"),
                DestinationArn=get("Work"),
                FilterPattern="",
            ),
            "Permit": permission("Work", "logs", get("AppLog")),
            **{
                f"AppLog{metric}": alarm(
                    "AWS/Logs",
                    metric,
                    "LogGroupName",
                    ref("AppLog"),
                    {"Name": "DestinationType", "Value": "Lambda"},
                    {"Name": "FilterName", "Value": ref("Filter")},
                )
                for metric in ("DeliveryErrors", "DeliveryThrottling")
            },
        },
    )


def e10() -> dict[str, Any]:
    """Return E2 with a function that sends lines which it cannot read to its dead-letter queue."""
    stack = e2()
    stack["Resources"]["Work"]["Properties"]["Environment"] = {
        "Variables": {"AWS_MAX_ATTEMPTS": "2", "APP_LOG_DEAD_LETTER_QUEUE_URL": ref("Failed")}
    }
    return stack


def e3() -> dict[str, Any]:
    """Return a rule of a custom bus with a queue as its target."""
    target = {
        "Id": "inbox",
        "Arn": get("Inbox"),
        "DeadLetterConfig": {"Arn": get("Dead")},
        "RetryPolicy": DELIVERED_FOR_A_DAY,
    }
    return template(
        queue("Inbox", admit("events", "sqs:SendMessage", get("Inbox"), get("Rule"))),
        dead_letters("Dead", admit("events", "sqs:SendMessage", get("Dead"), get("Rule"))),
        {
            "InboxAlarm": alarm(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "QueueName",
                get("Inbox", "QueueName"),
                Statistic="Maximum",
            ),
            "Bus": resource("AWS::Events::EventBus", Name="orders"),
            "Rule": resource(
                "AWS::Events::Rule",
                EventBusName=ref("Bus"),
                EventPattern={"source": ["orders"]},
                Targets=[target],
            ),
            "RuleUnkept": alarm(
                "AWS/Events",
                "InvocationsFailedToBeSentToDlq",
                "RuleName",
                {"Fn::Select": [1, {"Fn::Split": ["|", ref("Rule")]}]},
                {"Name": "EventBusName", "Value": ref("Bus")},
            ),
        },
    )


def e4() -> dict[str, Any]:
    """Return a topic with a queue and a function as its subscribers."""
    dead = {"deadLetterTargetArn": get("Dead")}
    return template(
        topic("News"),
        queue("Inbox", admit("sns", "sqs:SendMessage", get("Inbox"), ref("News"))),
        dead_letters("Dead", admit("sns", "sqs:SendMessage", get("Dead"), ref("News"))),
        asynchronous("Work"),
        {
            "ToInbox": resource(
                "AWS::SNS::Subscription",
                TopicArn=ref("News"),
                Protocol="sqs",
                Endpoint=get("Inbox"),
                FilterPolicy={"version": ["1"]},
                RedrivePolicy=dead,
            ),
            "ToWork": resource(
                "AWS::SNS::Subscription",
                TopicArn=ref("News"),
                Protocol="lambda",
                Endpoint=get("Work"),
                RedrivePolicy=dead,
            ),
            "Permit": permission("Work", "sns", ref("News")),
            "NewsUnkept": alarm(
                "AWS/SNS",
                "NumberOfNotificationsFailedToRedriveToDlq",
                "TopicName",
                get("News", "TopicName"),
            ),
        },
    )


def e5() -> dict[str, Any]:
    """Return a stream and the function that reads it."""
    polling = [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ]
    return template(
        {
            "Clicks": resource(
                "AWS::Kinesis::Stream",
                StreamEncryption={"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
            ),
            "Mapping": resource(
                "AWS::Lambda::EventSourceMapping",
                EventSourceArn=get("Clicks"),
                FunctionName=ref("Read"),
                MaximumRetryAttempts=10000,
                MaximumRecordAgeInSeconds=21600,
                BisectBatchOnFunctionError=True,
                FunctionResponseTypes=["ReportBatchItemFailures"],
                DestinationConfig={"OnFailure": {"Destination": get("Bad")}},
            ),
        },
        function(
            "Read",
            allow(polling, get("Clicks")),
            allow("s3:PutObject", {"Fn::Sub": "${Bad.Arn}/*"}),
            allow("s3:ListBucket", get("Bad")),
        ),
        bucket("Bad", "Told"),
        dead_letters("Told", admit("events", "sqs:SendMessage", get("Told"), get("BadRule"))),
        {
            "ReadUnkept": unkept("Read"),
            "ReadAge": alarm(
                "AWS/Lambda",
                "IteratorAge",
                "FunctionName",
                ref("Read"),
                Statistic="Maximum",
                Threshold=900000,
            ),
        },
    )


def e6() -> dict[str, Any]:
    """Return a schedule that invokes a function."""
    return template(
        asynchronous("Work"),
        dead_letters("Dead"),
        {
            "Hourly": resource(
                "AWS::Scheduler::Schedule",
                GroupName=ref("Group"),
                ScheduleExpression="rate(1 hour)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={
                    "Arn": get("Work"),
                    "RoleArn": get("HourlyRole"),
                    "DeadLetterConfig": {"Arn": get("Dead")},
                    "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
                },
            ),
            "Group": resource("AWS::Scheduler::ScheduleGroup"),
            "GroupUnkept": alarm(
                "AWS/Scheduler",
                "InvocationsFailedToBeSentToDeadLetterCount",
                "ScheduleGroup",
                ref("Group"),
            ),
            "HourlyRole": role(
                "scheduler",
                allow("lambda:InvokeFunction", get("Work")),
                allow("sqs:SendMessage", get("Dead")),
            ),
        },
    )


def _machine(**properties: Any) -> Resources:
    throttled = {
        "ErrorEquals": ["Lambda.TooManyRequestsException"],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxAttempts": 6,
        "JitterStrategy": "FULL",
    }
    failed = {
        "ErrorEquals": ["States.ALL"],
        "BackoffRate": 2,
        "MaxAttempts": 6,
        "JitterStrategy": "FULL",
    }
    task = {
        "Type": "Task",
        "Resource": "${charge}",
        "TimeoutSeconds": 15,
        "Retry": [throttled, failed],
    }
    charge = task | {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Refund"}], "End": True}
    definition = {
        "StartAt": "Charge",
        "TimeoutSeconds": 300,
        "States": {
            "Charge": charge,
            "Refund": task | {"Next": "Failed"},
            "Failed": {"Type": "Fail", "Error": "CancelledError"},
        },
    }
    return {
        **function("Pay"),
        "Saga": resource(
            "AWS::StepFunctions::StateMachine",
            RoleArn=get("SagaRole"),
            Definition=definition,
            DefinitionSubstitutions={"charge": get("Pay")},
            **properties,
        ),
        "SagaRole": role("states", allow("lambda:InvokeFunction", get("Pay"))),
    }


def e7() -> dict[str, Any]:
    """Return a standard state machine that a function starts."""
    return template(
        _machine(),
        function("Start", allow("states:StartExecution", ref("Saga"))),
        dead_letters("Broken", admit("events", "sqs:SendMessage", get("Broken"), get("Rule"))),
        {
            **undone("Saga", "Rule"),
            "Rule": resource(
                "AWS::Events::Rule",
                EventPattern={
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {
                        "stateMachineArn": [ref("Saga")],
                        "$or": [
                            {"status": ["FAILED"], "error": [{"anything-but": "CancelledError"}]},
                            {"status": ["TIMED_OUT", "ABORTED"]},
                        ],
                    },
                },
                Targets=[
                    {"Id": "broken", "Arn": get("Broken"), "RetryPolicy": DELIVERED_FOR_A_DAY}
                ],
            ),
            "RuleAlarm": rule_alarm("Rule"),
        },
    )


def e9() -> dict[str, Any]:
    """Return a standard state machine that maps items which it reads from a bucket."""
    stack = e7()
    for each in undone("Saga", "Rule"):  # nothing is undone
        del stack["Resources"][each]
    retry = {"ErrorEquals": ["States.ALL"], "BackoffRate": 2, "JitterStrategy": "FULL"}
    pay = {
        "Type": "Task",
        "Resource": "${pay}",
        "TimeoutSeconds": 15,
        "Retry": [THROTTLED, retry],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Keep"}],
        "End": True,
    }
    keep = {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "${unpaid}", "MessageBody.$": "$"},
        "TimeoutSeconds": 5,
        "Retry": [retry],
        "End": True,
    }
    items = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:${Partition}:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "${items}", "Key.$": "$.key"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "Pay",
            "States": {"Pay": pay, "Keep": keep},
        },
        "ResultWriter": {
            "Resource": "arn:${Partition}:states:::s3:putObject",
            "Parameters": {"Bucket": "${items}", "Prefix": "results"},
        },
        "End": True,
    }
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution"
    writing = ["s3:GetObject", "s3:PutObject"]
    in_parts = ["s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"]
    controls = ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"]
    stack["Resources"]["Saga"]["Properties"] |= {
        "Definition": {"StartAt": "Items", "TimeoutSeconds": 300, "States": {"Items": items}},
        "DefinitionSubstitutions": {
            "pay": get("Pay"),
            "items": ref("Items"),
            "unpaid": ref("Unpaid"),
            "Partition": ref("AWS::Partition"),
        },
    }
    stack["Resources"]["Rule"]["Properties"]["EventPattern"]["detail"] = {
        "stateMachineArn": [ref("Saga")],
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
    }
    stack["Resources"] |= dead_letters("Unpaid")
    stack["Resources"] |= {
        name: part
        for name, part in bucket("Items", "Broken").items()
        if name in {"Items", "ItemsPolicy"}
    }
    stack["Resources"]["SagaRole"] = role(
        "states",
        allow("lambda:InvokeFunction", get("Pay")),
        allow("sqs:SendMessage", get("Unpaid")),
        allow([*writing, *in_parts], {"Fn::Sub": "${Items.Arn}/*"}),
        allow("states:StartExecution", ref("Saga")),
        allow(controls, {"Fn::Sub": f"{place}:${{Saga.Name}}/*"}),
    )
    return stack


def e11() -> dict[str, Any]:
    """Return a standard state machine that maps batches of lines, and tolerates some failures."""
    stack = e9()
    resources = stack["Resources"]
    saga = resources["Saga"]["Properties"]
    items = saga["Definition"]["States"]["Items"]
    items["ItemReader"]["ReaderConfig"]["InputType"] = "JSONL"
    items |= {
        "ItemBatcher": {"MaxItemsPerBatch": 100, "MaxInputBytesPerBatch": 200_000},
        "ToleratedFailurePercentage": 5,
    }
    items["ResultWriter"]["WriterConfig"] = {"Transformation": "FLATTEN", "OutputType": "JSONL"}
    processor = items["ItemProcessor"]
    processor["ProcessorConfig"]["ExecutionType"] = "STANDARD"
    del processor["States"]["Keep"], processor["States"]["Pay"]["Catch"]
    del saga["DefinitionSubstitutions"]["unpaid"]
    for name in dead_letters("Unpaid"):
        del resources[name]
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution"
    statements = resources["SagaRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements[1] = allow("states:DescribeExecution", {"Fn::Sub": f"{place}:${{Saga.Name}}:*"})
    return stack


def vended(service: str, name: str) -> dict[str, Any]:
    """Return a log group that a service writes to by the account's resource policy."""
    named = {"Fn::Sub": f"/aws/vendedlogs/{service}/${{AWS::StackName}}-{name}"}
    return resource("AWS::Logs::LogGroup", LogGroupName=named, RetentionInDays=30)


def table() -> dict[str, Any]:
    """Return a table that is protected."""
    return resource(
        "AWS::DynamoDB::Table",
        DeletionProtectionEnabled=True,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def e7x() -> dict[str, Any]:
    """Return an express state machine."""
    group = {"CloudWatchLogsLogGroup": {"LogGroupArn": get("SagaLog")}}
    logging = {"Level": "ERROR", "Destinations": [group]}
    delivering = [
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ]
    machine = {
        **_machine(StateMachineType="EXPRESS", LoggingConfiguration=logging),
        **{
            f"Saga{status}": alarm(
                "AWS/States", f"Executions{status}", "StateMachineArn", ref("Saga")
            )
            for status in ("Failed", "TimedOut")
        },
    }
    machine["SagaFailed"]["Properties"]["AlarmDescription"] = "Ticket: it fails. First: look why"
    saga = machine["Saga"]["Properties"]
    saga["DefinitionSubstitutions"] |= {"orders": ref("Orders"), "Partition": ref("AWS::Partition")}
    saga["DefinitionSubstitutions"] |= {"broken": ref("Broken")}
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Keep"}]}
    saga["Definition"]["States"]["Keep"] = {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::sqs:sendMessage",
        "Arguments": {
            "QueueUrl": "${broken}",
            "MessageBody": {
                "name": "{% $states.context.Execution.Name %}",
                "input": "{% $states.context.Execution.Input %}",
            },
        },
        "TimeoutSeconds": 5,
        "Retry": [
            {
                "ErrorEquals": ["States.ALL"],
                "BackoffRate": 2,
                "MaxAttempts": 9,
                "JitterStrategy": "FULL",
            }
        ],
        "End": True,
    }
    saga["Definition"]["States"]["Refund"] |= caught | {"Next": "Refunded"}
    saga["Definition"]["States"]["Refunded"] = caught | {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::dynamodb:updateItem",
        "Arguments": {"TableName": "${orders}"},
        "TimeoutSeconds": 5,
        "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 2, "JitterStrategy": "FULL"}],
        "Next": "Failed",
    }
    return template(
        machine,
        dead_letters("Broken"),
        {
            "Orders": table(),
            "SagaLog": vended("states", "saga"),
            "SagaRole": role(
                "states",
                allow("lambda:InvokeFunction", get("Pay")),
                allow(delivering, "*"),
                allow("dynamodb:UpdateItem", get("Orders")),
                allow("sqs:SendMessage", get("Broken")),
            ),
        },
    )


def e8() -> dict[str, Any]:
    """Return Firehose that delivers a stream's records to a bucket through a function."""
    parameters = {"LambdaArn": get("Change"), "BufferSizeInMBs": "1"}
    processor = {
        "Type": "Lambda",
        "Parameters": [
            {"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    }
    source = {"KinesisStreamARN": get("Clicks"), "RoleARN": get("DeliveryRole")}
    reading = [
        "kinesis:DescribeStream",
        "kinesis:GetShardIterator",
        "kinesis:GetRecords",
        "kinesis:ListShards",
    ]
    writing = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    finding = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    changing = ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]
    success = {"Statistic": "Average", "ComparisonOperator": "LessThanThreshold", "Threshold": 1}
    late = {"Statistic": "Maximum", "Threshold": 900}

    def delivery_alarm(metric: str, **other: Any) -> Any:
        return alarm("AWS/Firehose", metric, "DeliveryStreamName", ref("Delivery"), **other)

    return template(
        function("Change"),
        bucket("Lake", "Told", "errors/"),
        dead_letters("Told", admit("events", "sqs:SendMessage", get("Told"), get("LakeRule"))),
        {
            "Clicks": resource(
                "AWS::Kinesis::Stream",
                StreamEncryption={"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
            ),
            "Delivery": resource(
                "AWS::KinesisFirehose::DeliveryStream",
                DeliveryStreamType="KinesisStreamAsSource",
                KinesisStreamSourceConfiguration=source,
                ExtendedS3DestinationConfiguration={
                    "BucketARN": get("Lake"),
                    "RoleARN": get("DeliveryRole"),
                    "Prefix": "clicks/",
                    "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
                    "ProcessingConfiguration": {"Enabled": True, "Processors": [processor]},
                },
            ),
            "DeliveryRole": role(
                "firehose",
                allow(writing, {"Fn::Sub": "${Lake.Arn}/*"}),
                allow(changing, get("Change")),
                allow(reading, get("Clicks")),
                allow(finding, get("Lake")),
            ),
            "Late": delivery_alarm("DeliveryToS3.DataFreshness", **late),
            "Undelivered": delivery_alarm("DeliveryToS3.Success", **success),
            "Unchanged": delivery_alarm("ExecuteProcessing.Success", **success),
            "Throttled": delivery_alarm("ThrottledGetRecords"),
            "Behind": delivery_alarm("KinesisMillisBehindLatest", **late),
        },
    )


def rows() -> dict[str, Any]:
    """Return Firehose that writes a stream's records into a table of Apache Iceberg."""
    resources = e8()["Resources"]
    delivery = resources["Delivery"]["Properties"]
    destination = delivery.pop("ExtendedS3DestinationConfiguration")
    own = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:"
    delivery["IcebergDestinationConfiguration"] = {
        "RoleARN": get("DeliveryRole"),
        "AppendOnly": True,
        "CatalogConfiguration": {"CatalogArn": {"Fn::Sub": f"{own}catalog"}},
        "DestinationTableConfigurationList": [
            {"DestinationDatabaseName": ref("Lakes"), "DestinationTableName": ref("Rows")}
        ],
        "RetryOptions": {"DurationInSeconds": 7200},
        "s3BackupMode": "FailedDataOnly",
        "ProcessingConfiguration": destination.pop("ProcessingConfiguration"),
        "S3Configuration": {name: value for name, value in destination.items() if name != "Prefix"},
    }
    granted = resources["DeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    granted.append(allow("s3:DeleteObject", {"Fn::Sub": "${Lake.Arn}/*"}))
    for part in ("catalog", "database/${Lakes}", "table/${Lakes}/clicks"):
        actions = ["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"]
        granted.append(allow(actions, {"Fn::Sub": f"{own}{part}"}))
    late = resources["Late"]["Properties"]
    late["MetricName"] = "DeliveryToIceberg.DataFreshness"
    late["AlarmDescription"] = late["AlarmDescription"].replace("DeliveryToS3", "DeliveryToIceberg")
    resources["Undelivered"] = alarm(
        "AWS/Firehose", "DeliveryToIceberg.FailedRowCount", "DeliveryStreamName", ref("Delivery")
    )
    return template(
        resources,
        {
            "Lakes": resource("AWS::Glue::Database", DatabaseInput={"Name": "lakes"}),
            "Rows": resource(
                "AWS::Glue::Table",
                DatabaseName=ref("Lakes"),
                OpenTableFormatInput={
                    "IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}
                },
                TableInput={
                    "Name": "clicks",
                    "StorageDescriptor": {"Location": {"Fn::Sub": "s3://${Lake}/clicks"}},
                },
            ),
        },
    )


def load() -> dict[str, Any]:
    """Return Firehose that loads a stream's records into a warehouse."""
    resources = e8()["Resources"]
    delivery = resources["Delivery"]["Properties"]
    destination = delivery.pop("ExtendedS3DestinationConfiguration")
    delivery["RedshiftDestinationConfiguration"] = {
        "RoleARN": get("DeliveryRole"),
        "ClusterJDBCURL": {
            "Fn::Sub": "jdbc:redshift://${Warehouse.Workgroup.Endpoint.Address}:5439/lake"
        },
        "SecretsManagerConfiguration": {"Enabled": True, "SecretARN": ref("Loader")},
        "CopyCommand": {"DataTableName": "clicks", "CopyOptions": "JSON 'auto' GZIP"},
        "RetryOptions": {"DurationInSeconds": 7200},
        "ProcessingConfiguration": destination.pop("ProcessingConfiguration"),
        "S3Configuration": {
            **{name: value for name, value in destination.items() if name != "Prefix"},
            "CompressionFormat": "GZIP",
            "BufferingHints": {"IntervalInSeconds": 900},
        },
    }
    granted = resources["DeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    granted.append(allow("secretsmanager:GetSecretValue", ref("Loader")))
    loads = ["s3:GetBucketLocation", "s3:ListBucket"]
    loading = role(
        "redshift", allow("s3:GetObject", {"Fn::Sub": "${Lake.Arn}/*"}), allow(loads, get("Lake"))
    )
    trust = loading["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    trust["Principal"] = {
        "Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    }
    success: dict[str, Any] = {
        "Statistic": "Average",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1,
    }
    return template(
        resources,
        _public_network(),
        {
            "Unloaded": alarm(
                "AWS/Firehose",
                "DeliveryToRedshift.Success",
                "DeliveryStreamName",
                ref("Delivery"),
                **success,
            ),
            "Loader": resource(
                "AWS::SecretsManager::Secret",
                GenerateSecretString={
                    "SecretStringTemplate": '{"username": "loader"}',
                    "GenerateStringKey": "password",
                },
            ),
            "Loading": loading,
            "Namespace": {
                **resource(
                    "AWS::RedshiftServerless::Namespace",
                    NamespaceName="clicks",
                    DbName="lake",
                    ManageAdminPassword=True,
                    IamRoles=[get("Loading")],
                    DefaultIamRoleArn=get("Loading"),
                ),
                "DeletionPolicy": "Retain",
            },
            "Warehouse": {
                **resource(
                    "AWS::RedshiftServerless::Workgroup",
                    NamespaceName=ref("Namespace"),
                    BaseCapacity=8,
                    MaxCapacity=16,
                    ConfigParameters=[{"ParameterKey": "require_ssl", "ParameterValue": "true"}],
                    PubliclyAccessible=True,
                    SubnetIds=[ref("Public0"), ref("Public1"), ref("Public2")],
                    SecurityGroupIds=[ref("Admitted")],
                ),
                "DependsOn": ["PublicRoute"],
            },
        },
    )


def vpc_with_internet() -> Resources:
    """Return a VPC with an internet gateway, and nothing that leads there."""
    return {
        "Vpc": resource("AWS::EC2::VPC"),
        "Internet": resource("AWS::EC2::InternetGateway"),
        "Attachment": resource(
            "AWS::EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Internet")
        ),
    }


def _public_network() -> Resources:
    """Return three subnets in three zones that lead to the Internet, and who is admitted there."""
    found: Resources = {
        **vpc_with_internet(),
        "PublicTable": resource("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
        "PublicRoute": {
            **resource(
                "AWS::EC2::Route",
                RouteTableId=ref("PublicTable"),
                DestinationCidrBlock="0.0.0.0/0",
                GatewayId=ref("Internet"),
            ),
            "DependsOn": ["Attachment"],
        },
        "Admitted": resource(
            "AWS::EC2::SecurityGroup",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5439,
                    "ToPort": 5439,
                    "CidrIp": {"Fn::FindInMap": ["FirehoseAddresses", ref("AWS::Region"), "Block"]},
                }
            ],
        ),
    }
    for zone in range(3):
        found[f"Public{zone}"] = resource(
            "AWS::EC2::Subnet",
            VpcId=ref("Vpc"),
            CidrBlock=f"10.0.{zone}.0/24",
            AvailabilityZone={"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
        )
        found[f"Public{zone}Table"] = resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            SubnetId=ref(f"Public{zone}"),
            RouteTableId=ref("PublicTable"),
        )
    return found


ACCESS = (
    '{"id":"$context.requestId","apiId":"$context.apiId","status":"$context.status",'
    '"error":"$context.integrationErrorMessage",'
    '"path":"$context.path","invocation":"$context.awsEndpointRequestId",'
    '"ip":"$context.identity.sourceIp",'
    '"agent":"$context.identity.userAgent"}'
)


def put() -> dict[str, Any]:
    """Return Firehose into which a REST API puts by itself, without a stream."""
    resources = e8()["Resources"]
    del resources["Clicks"], resources["Behind"]
    delivery = resources["Delivery"]["Properties"]
    del delivery["KinesisStreamSourceConfiguration"]
    delivery["DeliveryStreamType"] = "DirectPut"
    delivery["DeliveryStreamEncryptionConfigurationInput"] = {"KeyType": "AWS_OWNED_CMK"}
    del resources["DeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][2]
    resources["Throttled"]["Properties"]["MetricName"] = "ThrottledRecords"
    integration = {
        "type": "aws",
        "uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:firehose:action/PutRecord"},
        "credentials": get("ApiRole"),
        "requestParameters": {
            "integration.request.header.Content-Type": "'application/x-amz-json-1.1'"
        },
        "responses": _answering(),
    }
    calling = _calling_by_itself(integration, allow("firehose:PutRecord", get("Delivery")))
    integration["passthroughBehavior"] = "never"
    calling["Api"]["Properties"]["Body"] |= {
        "x-amazon-apigateway-request-validators": {"body": {"validateRequestBody": True}},
        "x-amazon-apigateway-request-validator": "body",
        "components": {"schemas": {"Click": {"type": "object"}}},
    }
    schema = {"$ref": "#/components/schemas/Click"}
    operation = calling["Api"]["Properties"]["Body"]["paths"]["/"]["post"]
    operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return template(resources, calling, refused_data())


def refused_data() -> Resources:
    """Return the alarm on the share of what a REST API refuses for its form, and its filter."""
    expression = "IF(refused >= 3, 100 * refused / (requests - errors + refused), 0)"
    of_api = "ApiName", ref("AWS::StackName")
    metrics = [
        {"Id": "rate", "Expression": expression},
        query("refused", ("Shop", "RefusedData"), "ApiId", ref("Api")),
        query("errors", ("AWS/ApiGateway", "4XXError"), *of_api),
        query("requests", ("AWS/ApiGateway", "Count"), *of_api),
    ]
    for each in metrics[1:]:
        each["MetricStat"]["Period"] = 3600
    refused = share("4XXError", *of_api)
    refused["Properties"] |= {
        "AlarmDescription": "Ticket: data is refused. First: look why",
        "Metrics": metrics,
        "EvaluationPeriods": 1,
    }
    transformed = {
        "MetricNamespace": "Shop",
        "MetricName": "RefusedData",
        "MetricValue": "1",
        "Dimensions": [{"Key": "ApiId", "Value": "$.apiId"}],
    }
    counting = resource(
        "AWS::Logs::MetricFilter",
        LogGroupName=ref("ApiLog"),
        FilterPattern='{$.status = "400" && $.apiId = *}',
        MetricTransformations=[transformed],
    )
    return {"ApiRefusedData": refused, "ApiRefusedDataFilter": counting}


def rest() -> dict[str, Any]:
    """Return a REST API that sends to a queue by itself."""
    integration = {
        "type": "aws",
        "uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:sqs:path/1/${Inbox.QueueName}"},
        "credentials": get("ApiRole"),
        "responses": _answering() | {"413": {"statusCode": "413"}},
    }
    calling = _calling_by_itself(integration, allow("sqs:SendMessage", get("Inbox")))
    return template(queue("Inbox"), calling)


def front() -> dict[str, Any]:
    """Return a REST API with a web ACL and a domain name in front of it."""
    stage = "arn:aws:apigateway:us-east-1::/restapis/${Api}/stages/${ApiStage}"
    acl = resource(
        "AWS::WAFv2::WebACLAssociation",
        ResourceArn={"Fn::Sub": stage},
        WebACLArn="arn:aws:wafv2:us-east-1:111122223333:regional/webacl/shop/a1",
    )
    mapping = resource(
        "AWS::ApiGatewayV2::ApiMapping",
        ApiId=ref("Api"),
        DomainName="api.example.com",
        Stage=ref("ApiStage"),
    )
    return template(rest()["Resources"], {"Acl": acl, "Mapping": mapping})


def _answering() -> dict[str, Any]:
    """Return the integration responses of an API that answers what callers cause with 400."""
    caused_by_us = "$input.body.contains('AccessDenied')"
    template = f"#if({caused_by_us})#else#set($context.responseOverride.status = 400)#end"
    errors = {"statusCode": "502", "responseTemplates": {"application/json": template}}
    return {"default": {"statusCode": "202"}, r"(?!413)[45]\d{2}": errors}


def _calling_by_itself(integration: dict[str, Any], granted: Any) -> Resources:
    body = {
        "info": {"title": ref("AWS::StackName")},
        "paths": {"/": {"post": {"x-amazon-apigateway-integration": integration}}},
    }
    return {
        "Api": resource("AWS::ApiGateway::RestApi", Body=body),
        "ApiRole": role("apigateway", granted),
        "ApiStage": resource(
            "AWS::ApiGateway::Stage",
            RestApiId=ref("Api"),
            AccessLogSetting={"DestinationArn": get("ApiLog"), "Format": ACCESS},
        ),
        "ApiLog": vended("apis", "api"),
        **shares("5XXError", "ApiName", ref("AWS::StackName")),
    }


def sync() -> dict[str, Any]:
    """Return a REST API that answers with what an express state machine makes of a service."""
    page = e7x()["Resources"]
    ask = {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "Arguments": {"FunctionName": "${stock}"},
        "TimeoutSeconds": 2,
        "Retry": [
            {
                "ErrorEquals": ["Lambda.TooManyRequestsException"],
                "MaxAttempts": 1,
                "JitterStrategy": "FULL",
            }
        ],
        "Catch": [
            {"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Missing"},
            {"ErrorEquals": ["States.ALL"], "Next": "Missing"},
        ],
        "End": True,
    }
    page["Saga"]["Properties"] |= {
        "Definition": {
            "StartAt": "Ask",
            "TimeoutSeconds": 10,
            "States": {"Ask": ask, "Missing": {"Type": "Pass", "End": True}},
        },
        "DefinitionSubstitutions": {
            "stock": ref("StockFunctionArn"),
            "Partition": ref("AWS::Partition"),
        },
    }
    (policy,) = page["SagaRole"]["Properties"]["Policies"]
    invokes, delivers, *_ = policy["PolicyDocument"]["Statement"]
    invokes["Resource"] = ref("StockFunctionArn")
    policy["PolicyDocument"]["Statement"] = [invokes, delivers]
    for name in ("Orders", *dead_letters("Broken")):
        del page[name]
    page["SagaFailed"]["Properties"]["AlarmDescription"] = "Page: it fails. First: look why"
    answer = "#set($context.responseOverride.status = $input.path('$.status'))"
    integration = {
        "type": "aws",
        "uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:states:action/StartSyncExecution"},
        "credentials": get("ApiRole"),
        "requestTemplates": {"application/json": {"Fn::Sub": '{"stateMachineArn": "${Saga}"}'}},
        "responses": _answering()
        | {"default": {"statusCode": "200", "responseTemplates": {"application/json": answer}}},
    }
    body = {
        "info": {"title": ref("AWS::StackName")},
        "paths": {"/": {"get": {"x-amazon-apigateway-integration": integration}}},
    }
    made = template(
        {name: page[name] for name in page if not name.startswith("Pay")},
        {
            "Api": resource("AWS::ApiGateway::RestApi", Body=body),
            "ApiRole": role("apigateway", allow("states:StartSyncExecution", ref("Saga"))),
            "ApiStage": resource(
                "AWS::ApiGateway::Stage",
                RestApiId=ref("Api"),
                AccessLogSetting={"DestinationArn": get("ApiLog"), "Format": ACCESS},
            ),
            "ApiLog": vended("apis", "api"),
            "PageMissingParts": missing_lines(),
            **shares("5XXError", "ApiName", ref("AWS::StackName")),
        },
    )
    return {**made, "Parameters": {"StockFunctionArn": {"Type": "String"}}}


def http() -> dict[str, Any]:
    """Return an HTTP API that starts a standard state machine by itself."""
    return template(
        e7()["Resources"],
        {
            "Api": resource("AWS::ApiGatewayV2::Api"),
            "ApiIntegration": resource(
                "AWS::ApiGatewayV2::Integration",
                ApiId=ref("Api"),
                IntegrationSubtype="StepFunctions-StartExecution",
                CredentialsArn=get("ApiRole"),
                RequestParameters={"StateMachineArn": ref("Saga")},
            ),
            "ApiRole": role("apigateway", allow("states:StartExecution", ref("Saga"))),
            "ApiStage": resource(
                "AWS::ApiGatewayV2::Stage",
                ApiId=ref("Api"),
                AccessLogSettings={"DestinationArn": get("ApiLog"), "Format": ACCESS},
            ),
            "ApiLog": vended("apis", "api"),
            **shares("5xx", "ApiId", ref("Api")),
        },
    )


def traced() -> dict[str, Any]:
    """Return E7, which sends traces."""
    stack = e7()
    sends = allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")
    policy = {"PolicyName": "traces", "PolicyDocument": {"Statement": [sends]}}
    for each in stack["Resources"].values():
        properties = each.get("Properties", {})
        match each["Type"]:
            case "AWS::Lambda::Function":
                properties["TracingConfig"] = {"Mode": "Active"}
            case "AWS::StepFunctions::StateMachine":
                properties["TracingConfiguration"] = {"Enabled": True}
            case "AWS::IAM::Role":
                properties["Policies"] = [policy, *properties.get("Policies", [])]
    return stack


def answering() -> dict[str, Any]:
    """Return an HTTP API whose function reads a table, and answers if this fails."""
    api = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}"
    return template(
        function(
            "Ask",
            allow("dynamodb:GetItem", get("Items")),
            Environment={"Variables": {"ITEMS": ref("Items"), "AWS_MAX_ATTEMPTS": "1"}},
        ),
        {
            "Items": table(),
            "Api": resource("AWS::ApiGatewayV2::Api"),
            "ApiIntegration": resource(
                "AWS::ApiGatewayV2::Integration", ApiId=ref("Api"), IntegrationUri=get("Ask")
            ),
            "Permit": permission("Ask", "apigateway", {"Fn::Sub": f"{api}/*/GET/items"}),
            **shares("5xx", "ApiId", ref("Api")),
        },
    )


def proxy() -> dict[str, Any]:
    """Return a REST API that hands requests on to an HTTP system."""
    handed_on = {"type": "http_proxy", "uri": "https://${stageVariables.LegacyHost}/{proxy}"}
    answered = {"type": "mock", "contentHandling": "CONVERT_TO_TEXT"}
    operation = "x-amazon-apigateway-integration"
    body = {
        "info": {"title": ref("AWS::StackName")},
        "paths": {
            "/{proxy+}": {"x-amazon-apigateway-any-method": {operation: handed_on}},
            "/health": {"get": {operation: answered}},
        },
        "x-amazon-apigateway-binary-media-types": ["*/*"],
    }
    return template(
        {
            "Api": resource("AWS::ApiGateway::RestApi", Body=body, Mode="overwrite"),
            "ApiStage": resource(
                "AWS::ApiGateway::Stage",
                RestApiId=ref("Api"),
                Variables={"LegacyHost": "legacy.example.org"},
                AccessLogSetting={"DestinationArn": get("ApiLog"), "Format": ACCESS},
            ),
            "ApiLog": vended("apis", "api"),
            **shares("5XXError", "ApiName", ref("AWS::StackName")),
        },
    )


def private_proxy() -> dict[str, Any]:
    """Return an HTTP API that hands requests on to a system in a VPC."""
    return template(
        {
            "Api": resource("AWS::ApiGatewayV2::Api", Name="api"),
            "Link": resource(
                "AWS::ApiGatewayV2::VpcLink", Name="link", SubnetIds=["subnet-0123456789abcdef0"]
            ),
            "Legacy": resource(
                "AWS::ApiGatewayV2::Integration",
                ApiId=ref("Api"),
                IntegrationType="HTTP_PROXY",
                ConnectionType="VPC_LINK",
                ConnectionId=ref("Link"),
                IntegrationUri="arn:aws:elasticloadbalancing:us-east-1:111122223333:"
                "listener/app/legacy/a1/b2",
                TlsConfig={"ServerNameToVerify": "legacy.example.org"},
                RequestParameters={
                    "overwrite:path": "$request.path",
                    "overwrite:header.host": "legacy.example.org",
                },
            ),
            "ApiStage": resource(
                "AWS::ApiGatewayV2::Stage",
                ApiId=ref("Api"),
                StageName="$default",
                AccessLogSettings={"DestinationArn": get("ApiLog"), "Format": ACCESS},
            ),
            "ApiLog": vended("apis", "api"),
            **shares("5xx", "ApiId", ref("Api")),
        },
    )


def jwt() -> dict[str, Any]:
    """Return an HTTP API that checks tokens, from a definition."""
    authorizer = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["shop"]},
    }
    scheme = {"type": "oauth2", "x-amazon-apigateway-authorizer": authorizer}
    body = {
        "paths": {"/orders": {"get": {"security": [{"Issuer": ["orders:read"]}]}}},
        "components": {"securitySchemes": {"Issuer": scheme}},
    }
    return template(
        {"Api": resource("AWS::ApiGatewayV2::Api", Body=body, FailOnWarnings=True)},
    )


def cors() -> dict[str, Any]:
    """Return an HTTP API that checks the tokens of pages of another origin, from a definition."""
    stack = jwt()
    stack["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"] = {
        "allowOrigins": ["https://www.example.com"],
        "allowHeaders": ["Authorization"],
    }
    return stack


def cors_resources() -> dict[str, Any]:
    """Return an HTTP API that checks the tokens of pages of another origin, as resources."""
    stack = jwt_resources()
    stack["Resources"]["Api"]["Properties"] = {
        "CorsConfiguration": {"AllowOrigins": ["*"], "AllowHeaders": ["authorization"]}
    }
    return stack


def authorizer() -> dict[str, Any]:
    """Return a REST API whose callers an authorizer checks."""
    asked = {
        "type": "request",
        "identitySource": "method.request.header.Authorization",
        "authorizerUri": {"Fn::Sub": "arn:aws:apigateway:lambda/${Authorize.Arn}/invocations"},
    }
    checked: dict[str, Any] = {"security": [{"Authorize": []}]}
    body = {
        "paths": {"/orders": {"get": checked, "post": checked}},
        "components": {"securitySchemes": {"Authorize": {"x-amazon-apigateway-authorizer": asked}}},
    }
    return template(
        function("Authorize"),
        {
            "Api": resource("AWS::ApiGateway::RestApi", Body=body),
            "Permit": resource(
                "AWS::Lambda::Permission",
                Action="lambda:InvokeFunction",
                FunctionName=get("Authorize"),
                Principal="apigateway.amazonaws.com",
                SourceArn={"Fn::Sub": "arn:aws:execute-api:::${Api}/authorizers/*"},
            ),
        },
    )


def signed() -> dict[str, Any]:
    """Return a REST API whose callers sign their requests."""
    return template(
        {
            "Api": resource("AWS::ApiGateway::RestApi"),
            "Unknown": resource(
                "AWS::ApiGateway::GatewayResponse",
                RestApiId=ref("Api"),
                ResponseType="MISSING_AUTHENTICATION_TOKEN",
                StatusCode="403",
            ),
            **{
                method.capitalize(): resource(
                    "AWS::ApiGateway::Method",
                    RestApiId=ref("Api"),
                    HttpMethod=method,
                    AuthorizationType="AWS_IAM",
                    Integration={"Type": "MOCK"},
                )
                for method in ("GET", "POST")
            },
        },
    )


def rest_cors() -> dict[str, Any]:
    """Return a REST API whose callers may be pages of other origins, from a definition."""
    stack = authorizer()
    body = stack["Resources"]["Api"]["Properties"]["Body"]
    body["paths"]["/{proxy+}"] = {
        "options": {"x-amazon-apigateway-integration": {"type": "mock"}},
    }
    body["x-amazon-apigateway-gateway-responses"] = {
        f"DEFAULT_{kind}": {"responseParameters": {**READABLE}} for kind in ("4XX", "5XX")
    }
    return stack


def rest_cors_resources() -> dict[str, Any]:
    """Return a REST API whose callers may be pages of other origins, as resources."""
    stack = signed()
    stack["Resources"]["Unknown"]["Properties"]["ResponseParameters"] = {**READABLE}
    stack["Resources"] |= {
        **{
            f"Refused{kind}": resource(
                "AWS::ApiGateway::GatewayResponse",
                RestApiId=ref("Api"),
                ResponseType=f"DEFAULT_{kind}",
                ResponseParameters={**READABLE},
            )
            for kind in ("4XX", "5XX")
        },
        "Options": resource(
            "AWS::ApiGateway::Method",
            RestApiId=ref("Api"),
            HttpMethod="OPTIONS",
            AuthorizationType="NONE",
            Integration={"Type": "MOCK"},
        ),
    }
    return stack


def jwt_resources() -> dict[str, Any]:
    """Return an HTTP API that checks tokens, as resources."""
    return template(
        {
            "Api": resource("AWS::ApiGatewayV2::Api"),
            "Issuer": resource(
                "AWS::ApiGatewayV2::Authorizer",
                ApiId=ref("Api"),
                AuthorizerType="JWT",
                IdentitySource=["$request.header.Authorization"],
                JwtConfiguration={"Issuer": "https://issuer.example", "Audience": ["shop"]},
            ),
            "Orders": resource(
                "AWS::ApiGatewayV2::Route",
                ApiId=ref("Api"),
                RouteKey="GET /orders",
                AuthorizationType="JWT",
                AuthorizationScopes=["orders:read"],
                AuthorizerId=ref("Issuer"),
            ),
        },
    )


def sdk() -> dict[str, Any]:
    """Return a function whose alias an account invokes through the SDK."""
    made = template(
        function("Quote", MemorySize=ref("MemorySize")),
        {
            "QuoteVersion": resource(
                "AWS::Lambda::Version",
                FunctionName=ref("Quote"),
                Description={"Fn::Sub": "${MemorySize} MB"},
            ),
            "QuoteLive": resource(
                "AWS::Lambda::Alias",
                FunctionName=ref("Quote"),
                FunctionVersion=get("QuoteVersion", "Version"),
                Name="live",
            ),
            "Permit": resource(
                "AWS::Lambda::Permission",
                Action="lambda:InvokeFunction",
                FunctionName=ref("QuoteLive"),
                Principal="arn:aws:iam::111122223333:root",
            ),
        },
    )
    return {**made, "Parameters": {"MemorySize": {"Type": "Number"}}}


def canary() -> dict[str, Any]:
    """Return a queue's consumer that is deployed gradually: an alarm on its records stops it."""
    stack = e1()
    mapping = stack["Resources"]["Mapping"]["Properties"]
    mapping |= {"FunctionName": ref("StoreLive"), "MetricsConfig": {"Metrics": ["EventCount"]}}
    by = ("EventSourceMappingUUID", ref("Mapping"))
    records = share("FailedInvokeEventCount", *by, total="InvokedEventCount", of="AWS/Lambda")
    records["Properties"]["AlarmName"] = {"Fn::Sub": "${AWS::StackName}-StoreRecords"}
    alias = resource(
        "AWS::Lambda::Alias",
        FunctionName=ref("Store"),
        FunctionVersion=get("StoreVersion", "Version"),
        Name="live",
    )
    names = {"ApplicationName": ref("Application"), "DeploymentGroupName": ref("StoreGroup")}
    policies = "arn:aws:iam::aws:policy/service-role"
    return template(
        stack["Resources"],
        {
            "StoreVersion": resource("AWS::Lambda::Version", FunctionName=ref("Store")),
            "StoreLive": {**alias, "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": names}},
            "StoreRecords": records,
            "StoreVersionAlarm": of_version(),
            "Application": resource("AWS::CodeDeploy::Application", ComputePlatform="Lambda"),
            "ShiftingRole": role(
                "codedeploy", managed=(f"{policies}/AWSCodeDeployRoleForLambdaLimited",)
            ),
            "StoreGroup": resource(
                "AWS::CodeDeploy::DeploymentGroup",
                ApplicationName=ref("Application"),
                ServiceRoleArn=get("ShiftingRole"),
                DeploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
                AlarmConfiguration={
                    "Enabled": True,
                    "Alarms": [
                        {"Name": ref("StoreVersionAlarm")},
                        {"Name": {"Fn::Sub": "${AWS::StackName}-StoreRecords"}},
                    ],
                },
                AutoRollbackConfiguration={"Enabled": True},
            ),
        },
    )


def of_version() -> dict[str, Any]:
    """Return the alarm on the version of the consumer that is being deployed."""
    version = get("StoreVersion", "Version")
    others = [
        {"Name": "Resource", "Value": {"Fn::Sub": "${Store}:live"}},
        {"Name": "ExecutedVersion", "Value": version},
    ]
    watched = [
        query(each, ("AWS/Lambda", name), "FunctionName", ref("Store"))
        for each, name in (("calls", "Invocations"), ("failed", "Errors"))
    ]
    for each in watched:
        each["MetricStat"]["Period"] = 300
        each["MetricStat"]["Metric"]["Dimensions"] += others
    expression = "IF(failed >= 3, 20 * failed > calls, failed >= 2 AND failed == calls)"
    return resource(
        "AWS::CloudWatch::Alarm",
        AlarmName={"Fn::Sub": ["${AWS::StackName}-Store-${Version}", {"Version": version}]},
        AlarmDescription="Deployment: it fails. First: look why",
        Metrics=[{"Id": "value", "Expression": expression}, *watched],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
    )


def circuit() -> dict[str, Any]:
    """Return a function that reports the circuit which guards its calls, and how it signs in."""

    def reported(metric: str, by: str = "circuit", **other: Any) -> dict[str, Any]:
        named = [{"Name": "service", "Value": "shop"}, {"Name": by, "Value": "carrier"}]
        return alarm("Shop", metric, "FunctionName", ref("Track"), *named, **other)

    variables = {
        "POWERTOOLS_METRICS_NAMESPACE": "Shop",
        "POWERTOOLS_SERVICE_NAME": "shop",
        "AWS_MAX_ATTEMPTS": "2",
    }
    return template(
        function("Track", Environment={"Variables": variables}),
        {
            "CarrierCircuitOpen": reported(
                "CircuitOpen", Statistic="Minimum", TreatMissingData="ignore"
            ),
            "CarrierCircuitUnguarded": reported("CircuitStateUnavailable"),
            "CarrierSignIn": reported("SignInFailed", "system", Threshold=1),
            "CarrierMissingPart": missing_part(),
        },
    )


def missing_part() -> dict[str, Any]:
    """Return the alarm on a part that pages lack, unless its token is refused."""
    metrics: tuple[tuple[str, str, str, dict[str, str]], ...] = (
        ("calls", "AWS/Lambda", "Invocations", {}),
        ("carrier", "Shop", "PartMissing", {"service": "shop", "part": "carrier"}),
        ("refused", "Shop", "SignInFailed", {"service": "shop", "system": "carrier"}),
    )
    queries = [
        query(each, (of, name), "FunctionName", ref("Track")) for each, of, name, _ in metrics
    ]
    for each, (*_, others) in zip(queries, metrics, strict=True):
        each["MetricStat"]["Metric"]["Dimensions"] += [
            {"Name": name, "Value": value} for name, value in others.items()
        ]
    return _by_the_hour("IF(calls + 2 * refused - 2 * carrier <= 0, 1, 0)", queries)


def missing_lines() -> dict[str, Any]:
    """Return the alarm on parts that pages lack, by the lines of an express machine's log."""
    queries = [
        query("calls", ("AWS/States", "ExecutionsStarted"), "StateMachineArn", ref("Saga")),
        query("lines", ("AWS/Logs", "IncomingLogEvents"), "LogGroupName", ref("SagaLog")),
        query("unserved", ("AWS/ApiGateway", "5XXError"), "ApiName", ref("AWS::StackName")),
    ]
    return _by_the_hour("IF(calls + 2 * unserved - 2 * lines <= 0, 1, 0)", queries)


def _by_the_hour(lacking: str, queries: list[dict[str, Any]]) -> dict[str, Any]:
    for each in queries:
        each["MetricStat"]["Period"] = 3600
    return resource(
        "AWS::CloudWatch::Alarm",
        AlarmDescription="Ticket: pages lack a part. First: look which",
        Metrics=[{"Id": "value", "Expression": f"IF(calls >= 3, {lacking})"}, *queries],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        EvaluationPeriods=6,
        DatapointsToAlarm=1,
        TreatMissingData="ignore",
        AlarmActions=[ref("Alarms")],
        OKActions=[ref("Alarms")],
    )


def dashboard() -> dict[str, Any]:
    """Return E1 with a dashboard."""
    stack = e1()
    body = """\
{"widgets": [
  {"type": "alarm", "width": 24, "properties": {"title": "Alarms", "alarms": ["${DeadAlarm.Arn}"]}},
  {"type": "metric", "y": 6, "width": 24, "properties": {
    "title": "Orders come", "region": "${AWS::Region}",
    "metrics": [["AWS/SQS", "NumberOfMessagesSent", "QueueName", "${Orders.QueueName}"]]}}
]}
"""
    stack["Resources"]["Dashboard"] = resource(
        "AWS::CloudWatch::Dashboard",
        DashboardName={"Fn::Sub": "shop-${AWS::Region}"},
        DashboardBody={"Fn::Sub": body},
    )
    return stack


def cluster() -> dict[str, Any]:
    """Return what brings the schema to a database in a cluster of another stack."""
    place = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser"
    stack = template(
        asynchronous(
            "Migrate", allow("rds-db:connect", {"Fn::Sub": f"{place}:${{Cluster}}/${{User}}"})
        ),
        {
            "Clients": resource("AWS::EC2::SecurityGroup"),
            "LetIn": resource(
                "AWS::EC2::SecurityGroupIngress",
                GroupId=ref("Group"),
                FromPort=ref("Port"),
                ToPort=ref("Port"),
                SourceSecurityGroupId=ref("Clients"),
            ),
            "Schema": {
                **resource(
                    "Custom::Schema",
                    ServiceToken=get("Migrate"),
                    ServiceTimeout=300,
                    ClusterResourceId=ref("Cluster"),
                    Database=ref("Database"),
                    Digest="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
                ),
                "Metadata": {"ComesAfter": ref("LetIn")},
            },
        },
    )
    stack["Parameters"] = {
        "Cluster": {"Type": "String", "AllowedPattern": "none|cluster-[A-Z0-9]+"},
        "Subnet": {"Type": "String", "AllowedPattern": "none|subnet-[0-9a-f]{17}"},
        "Database": {"Type": "String", "AllowedPattern": r"none|\w+"},
        **{name: {"Type": "String"} for name in ("Host", "Port", "Group", "User")},
    }
    resources = stack["Resources"]
    resources["MigrateInvokes"]["Properties"]["MaximumRetryAttempts"] = 0
    resources["MigrateRole"]["Properties"]["ManagedPolicyArns"] = [VPC_EXECUTION]
    resources["Migrate"]["Properties"] |= {
        "Timeout": 240,
        "VpcConfig": {"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [ref("Clients")]},
        "Environment": {
            "Variables": {
                "PGHOST": ref("Host"),
                "PGPORT": ref("Port"),
                "PGDATABASE": ref("Database"),
                "PGUSER": ref("User"),
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": "/var/task/rds-ca.pem",
                "PGCONNECT_TIMEOUT": "180",
            }
        },
    }
    return stack


EXAMPLES = {
    "E1": e1,
    "E2": e2,
    "E3": e3,
    "E4": e4,
    "E5": e5,
    "E6": e6,
    "E7": e7,
    "E7x": e7x,
    "E8": e8,
    "PUT": put,
    "LOAD": load,
    "ROWS": rows,
    "E9": e9,
    "E10": e10,
    "E11": e11,
    "KEPT": kept_whole,
    "REST": rest,
    "SYNC": sync,
    "HTTP": http,
    "TRACED": traced,
    "ANSWERS": answering,
    "PROXY": proxy,
    "PRIVATE": private_proxy,
    "JWT": jwt,
    "JWT resources": jwt_resources,
    "FRONT": front,
    "CORS": cors,
    "CORS resources": cors_resources,
    "REST CORS": rest_cors,
    "REST CORS resources": rest_cors_resources,
    "AUTHORIZER": authorizer,
    "SIGNED": signed,
    "SDK": sdk,
    "CANARY": canary,
    "CIRCUIT": circuit,
    "DASHBOARD": dashboard,
    "CLUSTER": cluster,
    "EFFECT": effect,
    "POISON": poison,
}


def as_definition_string(saga: dict[str, Any]) -> dict[str, Any]:
    """Return E7 with its definition written as `cdk synth` writes it: a Join of texts."""
    machine = saga["Resources"]["Saga"]["Properties"]
    del machine["DefinitionSubstitutions"]
    first, *others = json.dumps(machine.pop("Definition")).split("${charge}")
    parts = [first, *(part for text in others for part in (get("Pay"), text))]
    machine["DefinitionString"] = {"Fn::Join": ["", parts]}
    return saga
