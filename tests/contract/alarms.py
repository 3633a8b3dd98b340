"""Alarms that ring, and that somebody hears."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from operator import ge, gt, le, lt
from typing import Any, Literal

from contract import bodies, letters, parts, versions
from contract.standstills import allowed, misread, of_calls, standstills, tell, used
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.alarms import ALARM, PUBLISHER, Query, is_dimension, queries
from sls_patterns_cli.wiring.edges.executions import kept_by_express
from sls_patterns_cli.wiring.model import QUEUE, RULE, TOPIC
from sls_patterns_cli.wiring.policies import resource_policy, statements

# What fits into a minute or two: SQS metrics come every minute, a longer period rings later.
LONGEST_PERIOD, HOUR = 300, 3600

COMPARISONS = {
    "GreaterThanThreshold": gt,
    "GreaterThanOrEqualToThreshold": ge,
    "LessThanThreshold": lt,
    "LessThanOrEqualToThreshold": le,
}


Tier = Literal["page", "ticket"]

# Of one alarm: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
MOST_METRICS = 10
# In fewer requests a failure is no rate, and one request of a stranger could set off the alarm.
FEWEST_REQUESTS = 9
# Of fewer than that so many in an hour have failed, and no stranger's request fails.
FEWEST_FAILED = 3
# Of a share: an outage pages within five minutes.
LATEST = 5


@dataclass(frozen=True)
class Metric:
    """A metric to be watched: rings for `bad`, is silent for `good`, by one of the statistics.

    It is published by `dimension`, which names the resource, and by the `others`, together.

    By itself, or in a sum, it is of the `tier`, and rings after `periods`; None where it may not be
    watched so. As a share of what `total` counts it is of the tier `share`.
    """

    namespace: str
    name: str
    dimension: str
    statistics: tuple[str, ...] = ("Sum",)
    good: float = 0
    bad: float = float("inf")
    others: tuple[str, ...] = ()
    tier: Tier | None = "page"
    periods: int = 1
    share: Tier | None = None
    total: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
DEAD_LETTERS = Metric(
    "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", ("Maximum",), bad=1
)
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# AWS recommends how long: errors are retried, or told by a status, and old records are read late.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
ERRORS = Metric(
    "AWS/Lambda",
    "Errors",
    "FunctionName",
    tier="ticket",
    periods=3,
    share="page",
    total=("Invocations",),
)
# https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
FAILED_EXECUTIONS = Metric(
    "AWS/Lambda",
    "DurableExecutionFailed",
    "FunctionName",
    tier=None,
    periods=3,
    share="page",
    total=("DurableExecutionStarted",),
)
THROTTLES = Metric("AWS/Lambda", "Throttles", "FunctionName", tier="ticket", periods=5)
ITERATOR_AGE = Metric("AWS/Lambda", "IteratorAge", "FunctionName", ("Maximum",), periods=15)
# The end of a failure can itself fail, and nothing but these metrics tells (fact B1).
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#asynchronous-invocation-metrics
DESTINATION = Metric("AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", bad=1)
LAMBDA_DEAD_LETTER = Metric("AWS/Lambda", "DeadLetterErrors", "FunctionName", bad=1)
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
RULE_TARGET = Metric("AWS/Events", "FailedInvocations", "RuleName", bad=1)
RULE_DEAD_LETTER = Metric("AWS/Events", "InvocationsFailedToBeSentToDlq", "RuleName", bad=1)
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
SCHEDULE_DEAD_LETTER = Metric(
    "AWS/Scheduler", "InvocationsFailedToBeSentToDeadLetterCount", "ScheduleGroup", bad=1
)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
BY_SUBSCRIPTION = ("DestinationType", "FilterName")
LOG_SUBSCRIPTION = [
    Metric("AWS/Logs", "DeliveryErrors", "LogGroupName", bad=1, others=BY_SUBSCRIPTION),
    Metric(
        "AWS/Logs",
        "DeliveryThrottling",
        "LogGroupName",
        bad=1,
        others=BY_SUBSCRIPTION,
        tier="ticket",
        periods=5,
    ),
]
# Each line of a log that has errors only is one (fact C38).
LOG_LINES = Metric("AWS/Logs", "IncomingLogEvents", "LogGroupName", tier=None)
# https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
SUBSCRIPTION_DEAD_LETTER = Metric(
    "AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq", "TopicName", bad=1
)
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
# One that a queue keeps is told by that, so what fails of itself has undone its work.
UNDONE = Metric(
    "AWS/States",
    "ExecutionsFailed",
    "StateMachineArn",
    bad=1,
    tier="ticket",
    share="page",
    total=("ExecutionsSucceeded",),
)
STANDARD = [
    UNDONE,
    *(
        Metric("AWS/States", name, "StateMachineArn", bad=1)
        for name in ("ExecutionsTimedOut", "ExecutionsAborted")
    ),
]
# Whoever started an express execution has got its error.
EXPRESS = [replace(each, tier="ticket", periods=3, share=None) for each in STANDARD[:2]]
# One that keeps what it leaves half done cannot keep what times out (fact C26).
KEEPING = [replace(UNDONE, share=None), STANDARD[1]]
# The executions that a rule sends to a queue.
KEPT = Metric("AWS/Events", "TriggeredRules", "RuleName", tier=None)
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
_SHARE: dict[str, Any] = {"tier": None, "total": ("Count",), "periods": 3}
API = {
    "AWS::ApiGateway::RestApi": Metric(
        "AWS/ApiGateway", "5XXError", "ApiName", share="page", **_SHARE
    ),
    "AWS::ApiGatewayV2::Api": Metric("AWS/ApiGateway", "5xx", "ApiId", share="page", **_SHARE),
}
REFUSED = [
    Metric("AWS/ApiGateway", "4XXError", "ApiName", share="ticket", **_SHARE),
    Metric("AWS/ApiGateway", "4xx", "ApiId", share="ticket", **_SHARE),
]
LATENCY = [
    Metric("AWS/ApiGateway", "Latency", dimension, ("p90",), tier="ticket", periods=5)
    for dimension in ("ApiName", "ApiId")
]
# Of a function whose callers wait, as those of an API do.
DURATION = Metric("AWS/Lambda", "Duration", "FunctionName", ("p90",), tier="ticket", periods=5)
# What others are a share of.
TOTALS = [
    Metric("AWS/ApiGateway", "Count", "ApiName", tier=None),
    Metric("AWS/ApiGateway", "Count", "ApiId", tier=None),
    Metric("AWS/Lambda", "Invocations", "FunctionName", tier=None),
    Metric("AWS/Lambda", "DurableExecutionStarted", "FunctionName", tier=None),
    Metric("AWS/Lambda", "InvokedEventCount", "EventSourceMappingUUID", tier=None),
]
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
FAILED_RECORDS = Metric(
    "AWS/Lambda",
    "FailedInvokeEventCount",
    "EventSourceMappingUUID",
    tier=None,
    periods=3,
    share="page",
    total=("InvokedEventCount",),
)
# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
_SUCCESS = (("Average", "Minimum"), 1, 0)
DELIVERY = [
    Metric(
        "AWS/Firehose",
        "DeliveryToS3.DataFreshness",
        "DeliveryStreamName",
        ("Maximum",),
        periods=5,
    ),
    Metric("AWS/Firehose", "DeliveryToS3.Success", "DeliveryStreamName", *_SUCCESS, periods=3),
]
# DeliveryToIceberg.Success is the sum of commits, and no share (fact O57).
DELIVERY_OF_ROWS = [
    Metric(
        "AWS/Firehose",
        "DeliveryToIceberg.DataFreshness",
        "DeliveryStreamName",
        ("Maximum",),
        periods=5,
    ),
    Metric("AWS/Firehose", "DeliveryToIceberg.FailedRowCount", "DeliveryStreamName", tier="ticket"),
]
# Of a delivery stream that reads a data stream ThrottledRecords says nothing (fact C4).
DELIVERY_FROM_STREAM = [
    Metric("AWS/Firehose", "ThrottledGetRecords", "DeliveryStreamName", tier="ticket", periods=5),
    Metric(
        "AWS/Firehose",
        "KinesisMillisBehindLatest",
        "DeliveryStreamName",
        ("Maximum",),
        periods=15,
    ),
]
DELIVERY_BY_PUT = [
    Metric("AWS/Firehose", "ThrottledRecords", "DeliveryStreamName", tier="ticket", periods=5)
]
# The share of COPY commands that succeed (fact U8).
LOAD, TRANSFORM = (
    Metric("AWS/Firehose", name, "DeliveryStreamName", *_SUCCESS, tier="ticket", periods=3)
    for name in ("DeliveryToRedshift.Success", "ExecuteProcessing.Success")
)

# A serverless cache has one dimension, unlike a cluster of nodes (fact M6).
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
CACHE_THROTTLES = Metric("AWS/ElastiCache", "ThrottledCmds", "clusterId", tier="ticket", periods=5)

# What only dashboards show: each by itself says nothing that somebody must act on.
# The pages of each service are above; of tables, data streams and clusters they are
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
# https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
ON_DASHBOARDS = {
    ("AWS/SQS", "QueueName"): (
        "NumberOfMessagesSent",
        "NumberOfMessagesDeleted",
        "ApproximateNumberOfMessagesNotVisible",
    ),
    ("AWS/Lambda", "FunctionName"): ("AsyncEventsReceived", "AsyncEventAge"),
    # The latencies of starts and ends have another spelling, IngestiontoInvocation… (fact Z4).
    ("AWS/Events", "RuleName"): (
        "MatchedEvents",
        "SuccessfulInvocationAttempts",
        "InvocationsSentToDlq",
        "IngestionToInvocationSuccessLatency",
    ),
    ("AWS/Scheduler", "ScheduleGroup"): (
        "InvocationAttemptCount",
        "TargetErrorCount",
        "InvocationDroppedCount",
    ),
    ("AWS/SNS", "TopicName"): (
        "NumberOfMessagesPublished",
        "NumberOfNotificationsDelivered",
        "NumberOfNotificationsFilteredOut",
        "NumberOfNotificationsFailed",
        "NumberOfNotificationsRedrivenToDlq",
    ),
    ("AWS/Kinesis", "StreamName"): ("IncomingRecords", "WriteProvisionedThroughputExceeded"),
    ("AWS/Firehose", "DeliveryStreamName"): (
        "IncomingRecords",
        "DataReadFromKinesisStream.Records",
        "SucceedProcessing.Records",
        "DeliveryToS3.Records",
        "DeliveryToRedshift.Records",
        "DeliveryToIceberg.SuccessfulRowCount",
    ),
    ("AWS/Logs", "LogGroupName", *BY_SUBSCRIPTION): ("ForwardedLogEvents",),
    ("AWS/States", "StateMachineArn"): (
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "ExecutionTime",
    ),
    ("AWS/DynamoDB", "TableName"): (
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    ),
    ("AWS/DynamoDB", "TableName", "Operation"): ("SuccessfulRequestLatency",),
    ("AWS/RDS", "DBClusterIdentifier"): (
        "CPUUtilization",
        "DatabaseConnections",
        "FreeableMemory",
        "ServerlessDatabaseCapacity",
    ),
    ("AWS/ElastiCache", "clusterId"): (
        "BytesUsedForCache",
        "Evictions",
        "SuccessfulReadRequestLatency",
        "SuccessfulWriteRequestLatency",
        "TotalCmdsCount",
    ),
}

# Every metric that an alarm may watch (fact C6): one that no service publishes, or by other
# dimensions, is an alarm that never rings.
KNOWN = {
    (metric.namespace, metric.name, metric.dimension): metric
    for metric in (
        DEAD_LETTERS,
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", ("Maximum",), periods=3),
        # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
        Metric(
            "AWS/RDS",
            "ACUUtilization",
            "DBClusterIdentifier",
            ("Average",),
            tier="ticket",
            periods=3,
        ),
        CACHE_THROTTLES,
        ERRORS,
        FAILED_EXECUTIONS,
        THROTTLES,
        ITERATOR_AGE,
        DESTINATION,
        LAMBDA_DEAD_LETTER,
        RULE_TARGET,
        RULE_DEAD_LETTER,
        SCHEDULE_DEAD_LETTER,
        SUBSCRIPTION_DEAD_LETTER,
        *LOG_SUBSCRIPTION,
        LOG_LINES,
        *STANDARD,
        KEPT,
        *API.values(),
        *REFUSED,
        *LATENCY,
        DURATION,
        *TOTALS,
        FAILED_RECORDS,
        *DELIVERY,
        *DELIVERY_OF_ROWS,
        *DELIVERY_FROM_STREAM,
        *DELIVERY_BY_PUT,
        LOAD,
        TRANSFORM,
        *(
            Metric(namespace, name, dimension, others=tuple(others), tier=None)
            for (namespace, dimension, *others), names in ON_DASHBOARDS.items()
            for name in names
        ),
    )
}
# What a function reports of the circuit that guards its calls, in the namespace of its service.
# Another stack of the service has the same namespace, so the function is a dimension (fact F4).
CIRCUIT = {
    metric.name: metric
    for metric in (
        Metric(
            "",
            "CircuitOpen",
            "FunctionName",
            ("Minimum",),
            0,
            1,
            ("circuit", "service"),
            tier="ticket",
            periods=10,
        ),
        Metric(
            "",
            "CircuitStateUnavailable",
            "FunctionName",
            others=("circuit", "service"),
            tier="ticket",
            periods=3,
        ),
    )
}
# What a function reports that works without its cache, and so puts all load on the database.
WITHOUT_CACHE = Metric(
    "", "CacheUnavailable", "FunctionName", bad=1, others=("service",), tier="ticket", periods=3
)
# What a function reports of reads that it compares with the system that it replaces: each
# difference counts, and so does a datastore that lets no read be compared.
COMPARED = (
    Metric("", "ShadowDifference", "FunctionName", others=("service",), tier="ticket"),
    Metric("", "ShadowFailure", "FunctionName", others=("service",), tier="ticket", periods=3),
)
# The requests that a function checked and refused: 1 for each, or 0 for one that it did not.
REFUSALS = Metric(
    "",
    "RefusedDeliveries",
    "FunctionName",
    ("Sum", "SampleCount"),
    others=("service",),
    tier=None,
    periods=3,
    share="ticket",
    total=("Invocations", "RefusedDeliveries"),
)
# What a sender has signed and a function refuses is lost: each is a ticket.
SIGNED = Metric(
    "", "RefusedSignedDeliveries", "FunctionName", bad=1, others=("service",), tier="ticket"
)
# What a REST API refuses for its form, as its access log tells (fact C30).
REFUSED_DATA = Metric("", "RefusedData", "ApiId", tier=None, share="ticket", total=("Count",))
# A token that does not sign in: it is refused, or cannot be read. A single time may pass. Where the
# function has nothing else to answer with, the alarm on its calls or messages pages.
SIGN_INS = Metric(
    "", "SignInFailed", "FunctionName", good=1, others=("service", "system"), tier="ticket"
)
# A part that a page lacks, for which its caller gets a status of success.
PART_MISSING = Metric("", parts.MISSING, "FunctionName", others=("part", "service"), tier=None)
OWN = {
    **CIRCUIT,
    **{
        metric.name: metric
        for metric in (
            WITHOUT_CACHE,
            *COMPARED,
            REFUSALS,
            SIGNED,
            REFUSED_DATA,
            SIGN_INS,
            PART_MISSING,
        )
    },
}
SOURCES = {
    "ApiId": "AWS::ApiGatewayV2::Api",
    "ApiName": "AWS::ApiGateway::RestApi",
    "DBClusterIdentifier": "AWS::RDS::DBCluster",
    "clusterId": "AWS::ElastiCache::ServerlessCache",
    "DeliveryStreamName": "AWS::KinesisFirehose::DeliveryStream",
    "EventSourceMappingUUID": "AWS::Lambda::EventSourceMapping",
    "FunctionName": "AWS::Lambda::Function",
    "LogGroupName": "AWS::Logs::LogGroup",
    "QueueName": "AWS::SQS::Queue",
    "RuleName": "AWS::Events::Rule",
    "ScheduleGroup": "AWS::Scheduler::ScheduleGroup",
    "StateMachineArn": "AWS::StepFunctions::StateMachine",
    "StreamName": "AWS::Kinesis::Stream",
    "TableName": "AWS::DynamoDB::Table",
    "TopicName": TOPIC,
}


def known(stack: Stack, alarm: Resource) -> Iterator[Violation]:
    """Say why an alarm watches what no service publishes, or not as its tier wants it."""
    found = queries(alarm)
    if len(found) > MOST_METRICS:
        says = f"watches {len(found)} metrics, of at most {MOST_METRICS}"
        yield Violation("alarm", alarm.name, says)
    for query in found:
        yield from published(stack, "alarm", alarm.name, query)
        metric = _metric(stack, query)
        compared = metric is PART_MISSING or not parts.is_of_parts(alarm)
        if compared and metric in OWN.values() and not any(_by(stack, "alarm", alarm.name, query)):
            yield from _of_own_metric(stack, alarm, query)
    if parts.is_of_parts(alarm):
        yield from parts.misses(stack, alarm, expression_of(alarm))
    else:
        yield from _math(stack, alarm)
        yield from _tier(stack, alarm)


def _math(stack: Stack, alarm: Resource) -> Iterator[Violation]:
    """Say why the expression of an alarm has no value, or one that means something else.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html: + takes a
    missing value for 0, which SUM need not do in an alarm (fact C15).
    """
    found, share, expression = queries(alarm), share_of(alarm), expression_of(alarm)
    grown = letters.used(expression)
    of_refused = share is not None and share.is_of_refused
    named = share.ids if share else used(letters.rest(expression)) | grown
    subtracted = re.findall(r"- (\w+)", expression)
    kept = {
        query.id
        for query in found
        if _metric(stack, query) is KEPT or (of_refused and _metric(stack, query) in REFUSED)
    }
    if named != {query.id for query in found} or not kept.issuperset(subtracted):
        must = f"a sum by + of all metrics, {SHARE} or {SHARE_OF_FEW}"
        yield is_but("alarm", alarm.name, "Expression", expression, must)
    watched_metrics = [_metric(stack, query) for query in found]
    missing = [str(each) for each in STANDARD if each not in watched_metrics]
    if KEPT in watched_metrics and missing:
        # Its rule counts them however they ended, so one of another end would hide one undone.
        yield Violation("alarm", alarm.name, f"subtracts what it does not count: {missing[0]}")
    for query in found:
        begin = of_calls(expression).get(query.id, "")
        right = query.namespace == "AWS/ApiGateway" and query.name.startswith(begin)
        if begin and not (right and query.statistic == "Sum"):
            must = "the calls of an API, and those that it fails to serve"
            yield is_but("alarm", alarm.name, f"Metric of {query.id}", str(query), must)
    limits = {
        stack.text(each.get("Threshold"))
        for each in stack.of_type(ALARM)
        if any(query.name == "Count" for query in queries(each)) and share_of(each)
    }
    percent = allowed(expression)
    if percent is not None and percent not in limits:
        must = f"that of the API's own alarm, {' or '.join(sorted(limits))}"
        yield is_but("alarm", alarm.name, "Percent of Expression", percent, must)
    yield from misread(alarm, expression)
    yield from letters.growth(stack, alarm, expression)
    least, of_what = (
        (FEWEST_FAILED, "failures")
        if share and (share.is_of_few or share.is_of_refused)
        else (FEWEST_REQUESTS, "requests")
    )
    if share and share.least < least:
        says = f"is a share of {share.least} {of_what}, but must be of at least {least}"
        yield Violation("alarm", alarm.name, says)
    for query in found:
        counts = query.statistic in {"Sum", "SampleCount"}
        of_ends = KEPT in watched_metrics and _metric(stack, query) in STANDARD
        if (
            of_ends
            or query.id in kept | {*of_calls(expression)} | (share.ids_of_total if share else set())
        ) and not counts:
            yield is_but("alarm", alarm.name, f"Stat of {query.id}", query.statistic, "Sum")
        period = stack.number(query.period)
        # A single message fails once while it is hidden.
        of_single = any(each.instead == 0 for each in standstills(expression))
        of_few = share and (share.is_of_few or least == FEWEST_FAILED)
        by_the_hour = of_single or of_few or query.name == SIGN_INS.name
        longest = HOUR if by_the_hour else LONGEST_PERIOD
        if period is None or period > longest or query.period != found[0].period:
            must = f"at most {longest}, and the same for all metrics"
            yield is_but("alarm", alarm.name, f"Period of {query.id}", query.period, must)


def keeps(stack: Stack, machine: Resource) -> bool:
    """Tell whether an express machine keeps the executions that it leaves half done."""
    return any(edge.target == machine.name for edge in kept_by_express(stack))


@cache
def _known(namespace: str, name: str) -> list[Metric]:
    """Return what AWS publishes by this name: by one dimension, or by several."""
    return [each for (*key, _), each in KNOWN.items() if key == [namespace, name]]


def _metric(stack: Stack, query: Query) -> Metric | None:
    machine = stack.named(query.dimensions.get("StateMachineArn"))
    is_express = machine and machine.get("StateMachineType") == "EXPRESS"
    if machine and is_express and query.name in {each.name for each in STANDARD}:
        of_machine = KEEPING if keeps(stack, machine) else EXPRESS
        return next((each for each in of_machine if each.name == query.name), None)
    if not query.namespace.startswith("AWS/"):
        return OWN.get(query.name)
    of = _known(query.namespace, query.name)
    fitting = (each for each in of if each.dimension in query.dimensions)
    return next(fitting, of[0] if of else None)


def published(stack: Stack, rule: str, name: str, query: Query) -> Iterator[Violation]:
    """Say why the metric that an alarm watches or a dashboard shows will never come."""
    if _metric(stack, query) is None:
        yield Violation(rule, name, f"no service is known to publish {query}")
        return
    wrong = list(_by(stack, rule, name, query))
    yield from wrong or _reported(stack, rule, name, query)


def _by(stack: Stack, rule: str, name: str, query: Query) -> Iterator[Violation]:
    """Say why no metric with these dimensions will ever come."""
    metric = _metric(stack, query)
    assert metric
    dimensions = query.dimensions
    expected = {metric.dimension, *metric.others} - {""}
    if query.namespace == "AWS/Events":  # by the bus as well, unless it is the default one
        expected |= {"EventBusName"} & dimensions.keys()
    if dimensions.keys() != expected:
        by = " and ".join(sorted(expected)) or "nothing"
        yield Violation(rule, name, f"{query} is published by {by}")
    elif empty := sorted(each for each, value in dimensions.items() if not value):
        yield Violation(rule, name, f"{', '.join(empty)} has no value")
    elif metric is REFUSED_DATA:
        api = stack.named(dimensions["ApiId"], "AWS::ApiGateway::RestApi")
        if api is None:
            yield is_but(rule, name, "ApiId", stack.text(dimensions["ApiId"]), "a REST API's")
    elif metric.dimension and not any(
        _is_dimension(stack, source, dimensions[metric.dimension])
        for source in stack.of_type(SOURCES[metric.dimension])
    ):
        must = f"that of a resource {SOURCES[metric.dimension]} of this stack"
        value = stack.text(dimensions[metric.dimension])
        yield is_but(rule, name, metric.dimension, value, must)
    elif metric.dimension == "EventSourceMappingUUID":
        mapping = stack.named(dimensions[metric.dimension])
        if mapping and "EventCount" not in (mapping.get("MetricsConfig", "Metrics") or []):
            given = mapping.get("MetricsConfig")
            yield is_but(rule, mapping.name, "MetricsConfig", given, "EventCount (fact I8)")


def _reported(stack: Stack, rule: str, name: str, query: Query) -> Iterator[Violation]:
    """Say why the function itself does not report the metric."""
    if query.namespace.startswith("AWS/"):
        return
    if _metric(stack, query) is REFUSED_DATA:
        yield from bodies.counted(
            stack, rule, name, (query.namespace, query.name), query.dimensions.keys()
        )
        return
    function = stack.named(query.dimensions.get("FunctionName"), "AWS::Lambda::Function")
    variables = function.get("Environment", "Variables") or {} if function else {}
    for what, value, variable in (
        ("Namespace", query.namespace, "POWERTOOLS_METRICS_NAMESPACE"),
        ("service", query.dimensions.get("service"), "POWERTOOLS_SERVICE_NAME"),
    ):
        if value != variables.get(variable):
            must = f"that of the function, {variables.get(variable)}"
            yield is_but(rule, name, what, value, must)


def _of_own_metric(stack: Stack, alarm: Resource, query: Query) -> Iterator[Violation]:
    """Say why the alarm forgets what a function reports, or does not ring for it."""
    missing = alarm.get("TreatMissingData")
    if query.name == "CircuitOpen" and missing != "ignore":
        must = "ignore: an open circuit that nobody calls reports nothing"
        yield is_but("alarm", alarm.name, "TreatMissingData", missing, must)
    yield from _rings(stack, alarm, query, _beside(alarm, OWN[query.name]))


def _tier(stack: Stack, alarm: Resource) -> Iterator[Violation]:
    """Say why the alarm does not tell its tier, or does not ring as the tier wants it.

    Only what is lost, or kept after all retries, wakes people at once (fact Y25).
    """
    told, _, text = str(alarm.get("AlarmDescription")).partition(": ")
    watched_metrics = [
        (query, metric) for query in queries(alarm) if (metric := _metric(stack, query)) is not None
    ]
    share = share_of(alarm)
    of_queues = {name for each in standstills(expression_of(alarm)) for name in each.named.values()}
    expression = expression_of(alarm)
    hidden = {
        each.id for each in queries(alarm) if (each.name, each.statistic) == letters.HIDDEN
    } & letters.used(expression)
    of_queues |= {*of_calls(expression)}
    less_kept = any(found is KEPT for _, found in watched_metrics)
    for query, found in watched_metrics:
        of_total = share.ids_of_total if share else set()
        if query.id in of_queues | hidden | of_total or found is KEPT:
            continue
        of_machine = UNDONE if less_kept and found in STANDARD else found
        metric = _as_told(stack, query, _beside(alarm, of_machine), told)
        tier = metric.share if share else metric.tier
        if tier is None:
            of = " or ".join(metric.total) or "another metric"
            says = f"{query} must be watched as a share, with {of}"
            yield Violation("alarm", alarm.name, says)
            continue
        if told.lower() != tier or "First: " not in text:
            must = f"'{tier.capitalize()}: …. First: …'"
            yield is_but(
                "alarm", alarm.name, "AlarmDescription", alarm.get("AlarmDescription"), must
            )
        if not letters.is_growth(expression):
            least = 1 if share and share.is_of_few else metric.periods
            soon = bool(share) or found is SIGN_INS
            yield from _duration(stack, alarm, least, soon=soon)


def _duration(stack: Stack, alarm: Resource, least: int, *, soon: bool) -> Iterator[Violation]:
    """Say why it rings for what may pass, or later than it must: after `least` bad periods."""
    periods = stack.number(alarm.get("EvaluationPeriods"))
    needed = stack.number(alarm.get("DatapointsToAlarm"))
    if least == 1 and (needed or periods) != 1:
        yield is_but("alarm", alarm.name, "EvaluationPeriods", periods, "1")
    elif needed is not None and needed < least:
        yield is_but("alarm", alarm.name, "DatapointsToAlarm", needed, f"at least {least}")
    elif needed is None and soon and (periods or 0) > LATEST:
        must = f"at most {LATEST}, or it rings late: DatapointsToAlarm may be less"
        yield is_but("alarm", alarm.name, "EvaluationPeriods", periods, must)
    elif periods is not None and periods < least:
        yield is_but("alarm", alarm.name, "EvaluationPeriods", periods, f"at least {least}")


def _beside(alarm: Resource, metric: Metric) -> Metric:
    """Return what is asked of sign-ins that count only while no other alarm tells of an outage."""
    expression = expression_of(alarm)
    if metric is SIGN_INS and (of_calls(expression) or standstills(expression)):
        return replace(metric, good=0, periods=2)
    return metric


def _as_told(stack: Stack, query: Query, metric: Metric, told: str) -> Metric:
    """Return what is asked of a metric that may be of either tier, by what it is of."""
    if metric is UNDONE and told == "Page":
        return replace(metric, periods=3)
    # One that leaves work half done pages, whoever has got its error.
    if metric in EXPRESS and told == "Page":
        return replace(metric, tier="page", periods=1)
    queue = stack.named(query.dimensions.get("QueueName"), QUEUE)
    if metric is DEAD_LETTERS and told == "Ticket" and queue and _is_set_aside(stack, queue):
        return replace(metric, tier="ticket")
    return metric


def _is_set_aside(stack: Stack, queue: Resource) -> bool:
    """Tell whether a rule delivers to it what it could send to a dead-letter queue: no failure."""
    return any(
        target.get("DeadLetterConfig") and stack.named(target.get("Arn")) == queue
        for rule in stack.of_type(RULE)
        for target in rule.get("Targets") or []
    )


def watched(
    stack: Stack, resource: Resource, metric: Metric, *, as_share: bool | None = None
) -> Iterator[Violation]:
    """Say what keeps anybody from hearing of a metric of the resource.

    It may be watched as a share or by itself; with `as_share`, it must be so, or must not.
    """
    alarms = [
        (alarm, query)
        for alarm in stack.of_type(ALARM)
        for query in queries(alarm)
        if query.namespace == metric.namespace
        and query.name == metric.name
        and query.dimensions.keys() == {metric.dimension, *metric.others}
        and _is_dimension(stack, resource, query.dimensions[metric.dimension])
        and as_share in {None, share_of(alarm) is not None}
        and not parts.is_of_parts(alarm)
    ]
    if not alarms:
        yield Violation("alarm", resource.name, f"no alarm watches {metric}")
        return
    for what, alike in _by_calls(alarms).items():
        if not alike:
            yield Violation("alarm", resource.name, f"no alarm watches {metric}{what}")
        complaints = [list(_rings(stack, alarm, query, metric)) for alarm, query in alike]
        if complaints and all(complaints):
            yield from complaints[0]


def consumption(stack: Stack, queue: Resource) -> Iterator[Violation]:
    """Say why nobody is told that no message of a queue is processed."""
    yield from tell(
        stack, queue, {alarm.name: expression_of(alarm) for alarm in stack.of_type(ALARM)}
    )


def _by_calls(alarms: list[tuple[Resource, Query]]) -> dict[str, list[tuple[Resource, Query]]]:
    """Return the alarms that stand in for each other, by what of the calls they tell.

    A share by the minute says nothing of few calls, and one of few nothing of many (fact C20).
    """
    shares = [(share_of(alarm), (alarm, query)) for alarm, query in alarms]
    if by_itself := [each for share, each in shares if share is None]:
        return {"": by_itself}
    return {
        what: [each for share, each in shares if share and share.is_of_few is of_few]
        for what, of_few in ((" of many calls", False), (" of few calls", True))
    }


def expression_of(alarm: Resource) -> str:
    """Return the expression that an alarm watches; of a metric by itself it is its id."""
    metrics = alarm.get("Metrics") or []
    returned = [each for each in metrics if each.get("ReturnData", True) is not False]
    if not metrics:
        return "metric"
    return Stack({}, {}).text(returned[0].get("Expression")) if len(returned) == 1 else ""


SHARE = "IF(total >= least, 100 * part / total, 0)"
SHARE_OF_REFUSED = "IF(part >= least, 100 * part / (total - all refused + part), 0)"
SHARE_OF_FEW = "IF(total < most AND part >= least AND n * part >= total, 1, 0)"


@dataclass(frozen=True)
class Share:
    """A part of a total in percent, where the total is large enough to be a share of it.

    Of few it is 1 where the part is large enough, and an n-th of the total.
    """

    total: str
    part: str
    least: int
    is_of_few: bool = False
    is_of_refused: bool = False
    """Whether the total is without what is refused for other reasons, such as who calls."""

    @property
    def ids(self) -> set[str]:
        """The metrics of both."""
        return {*re.findall(r"\w+", f"{self.total} {self.part}")}

    @property
    def ids_of_total(self) -> set[str]:
        """Those of the total alone."""
        return self.ids - {*re.findall(r"\w+", self.part)}


def share_of(alarm: Resource) -> Share | None:
    """Return the share that an alarm watches, if it does."""
    expression = expression_of(alarm)
    some = r"(\w+|\(\w+(?: [+-] \w+)+\))"
    form = re.fullmatch(rf"IF\({some} >= (\d+), 100 \* {some} / {some}, 0\)", expression)
    if form and form[1] == form[4]:
        return Share(form[1], form[3], int(form[2]))
    refused = re.fullmatch(
        r"IF\((\w+) >= (\d+), 100 \* \1 / \((\w+ - \w+ \+ \1)\), 0\)", expression
    )
    if refused:
        return Share(refused[3], refused[1], int(refused[2]), is_of_refused=True)
    few = re.fullmatch(
        rf"IF\({some} < \d+ AND {some} >= (\d+) AND \d+ \* {some} >= {some}, 1, 0\)", expression
    )
    if few and (few[1], few[2]) == (few[5], few[4]):
        return Share(few[1], few[2], int(few[3]), is_of_few=True)
    return None


def _rings(stack: Stack, alarm: Resource, query: Query, metric: Metric) -> Iterator[Violation]:
    """Say why the alarm would not ring, or would ring always."""

    def wrong(name: str, must: str, value: Any) -> Violation:
        return is_but("alarm", alarm.name, name, value, must)

    if query.statistic not in metric.statistics:
        yield wrong("Statistic", " or ".join(metric.statistics), query.statistic)
    if stack.number(alarm.get("EvaluationPeriods")) is None:
        yield wrong("EvaluationPeriods", "a number", alarm.get("EvaluationPeriods"))
    if alarm.get("TreatMissingData") == "breaching":
        must = "notBreaching, since no data is no failure"
        yield wrong("TreatMissingData", must, "breaching")
    yield from _tells_bad_from_good(stack, alarm, metric)


def _tells_bad_from_good(stack: Stack, alarm: Resource, metric: Metric) -> Iterator[Violation]:
    operator, share = alarm.get("ComparisonOperator"), share_of(alarm)
    compare, threshold = COMPARISONS.get(operator), stack.number(alarm.get("Threshold"))
    bad, good = (metric.bad, metric.good)
    if share:
        bad, good = (1.0 if share.is_of_few else 100.0), 0.0
    if compare is None:
        must = "a comparison with the threshold"
        yield is_but("alarm", alarm.name, "ComparisonOperator", operator, must)
    elif threshold is None:
        yield is_but("alarm", alarm.name, "Threshold", alarm.get("Threshold"), "a number")
    elif not compare(bad, threshold) or compare(good, threshold):
        says = f"{operator} {threshold} must ring for {bad:g} and not for {good:g}"
        yield Violation("alarm", alarm.name, says)


def _is_dimension(stack: Stack, resource: Resource, value: Any) -> bool:
    """Tell whether it names the resource: a REST API by its name, which OpenAPI calls a title."""
    if resource.type == "AWS::ApiGateway::RestApi":
        name = resource.get("Name") or resource.get("Body", "info", "title")
        return stack.text(value) == stack.text(name)
    return is_dimension(stack, resource, value)


def is_page(alarm: Resource) -> bool:
    return str(alarm.get("AlarmDescription")).startswith("Page: ")


def heard(stack: Stack, alarm: Resource) -> Iterator[Violation]:
    """Say why nobody hears the alarm when it rings."""
    if alarm.get("ActionsEnabled") in (False, "false"):
        yield is_but("alarm", alarm.name, "ActionsEnabled", "false", "true")
    actions = alarm.get("AlarmActions") or []
    topics = [stack.by_arn(action, TOPIC) for action in actions]
    given = [stack.text(action)[2:-1] in stack.parameters for action in actions]
    if not any(topics) and not any(given):
        must = "a topic of this stack or a parameter"
        yield is_but("alarm", alarm.name, "AlarmActions", alarm.get("AlarmActions"), must)
    # Whoever was woken learns that it is over (fact C7).
    elif letters.is_growth(expression_of(alarm)):
        pass  # what has come is not gone when no more comes
    elif (ok := alarm.get("OKActions")) != alarm.get("AlarmActions"):
        yield is_but("alarm", alarm.name, "OKActions", ok, "the same as AlarmActions")
    if is_page(alarm) and any("Ticket" in stack.text(action) for action in actions):
        says = "pages somebody, but goes where nobody looks at night"
        yield Violation("alarm", alarm.name, says)
    like = next(
        each
        for each in stack.of_type(ALARM)
        if is_page(each) == is_page(alarm) and not versions.is_of_version(each)
    )
    if actions != (like.get("AlarmActions") or []):
        says = f"goes elsewhere than {like.name}, which is of the same tier"
        yield Violation("alarm", alarm.name, says)
    for topic in topics:
        if topic:
            yield from _deaf(stack, topic)


def _deaf(stack: Stack, topic: Resource) -> Iterator[Violation]:
    """Say why CloudWatch cannot publish to the topic.

    https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger and
    https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    """
    key_id = topic.get("KmsMasterKeyId")
    if "alias/aws/sns" in stack.text(key_id):
        must = "none or a customer key: CloudWatch cannot publish with the key of SNS"
        yield is_but("alarm", topic.name, "KmsMasterKeyId", key_id, must)
    key = stack.named(key_id, "AWS::KMS::Key") if key_id else None
    if key:
        document = key.get("KeyPolicy")
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            if not any(
                s.allow and PUBLISHER in s.services and s.covers(action, "*")
                for s in statements(stack, document)
            ):
                says = f"the key's policy must let {PUBLISHER} call {action}"
                yield Violation("alarm", key.name, says)
    policy = list(resource_policy(stack, topic))
    # A topic without a policy admits its own account; one that has a policy only what this says.
    admitted = [
        s
        for s in policy
        if s.allow
        and PUBLISHER in s.services
        and any(s.covers("sns:Publish", arn) for arn in stack.arns(topic))
    ]
    if policy and not admitted:
        says = f"the topic's policy must let {PUBLISHER} call sns:Publish"
        yield Violation("alarm", topic.name, says)
    for statement in admitted:
        if "${AWS::AccountId}" not in statement.values("aws:SourceAccount"):
            says = f"the topic's policy must let {PUBLISHER} in for aws:SourceAccount only"
            yield Violation("alarm", topic.name, says)
