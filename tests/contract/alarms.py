"""Alarms that ring, and that somebody hears."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from contract.iam import resource_policy, statements
from contract.stack import Resource, Stack
from contract.violations import Violation, is_but

# What fits into a minute or two: SQS metrics come every minute, a longer period rings later.
LONGEST_PERIOD = 300

COMPARISONS = {
    "GreaterThanThreshold": gt,
    "GreaterThanOrEqualToThreshold": ge,
    "LessThanThreshold": lt,
    "LessThanOrEqualToThreshold": le,
}


TOPIC = "AWS::SNS::Topic"


@dataclass(frozen=True)
class Metric:
    """A metric to be watched: rings for `bad`, is silent for `good`, by one of the statistics.

    It is published by `dimension`, which names the resource, and by the `others`, together.
    """

    namespace: str
    name: str
    dimension: str
    statistics: tuple[str, ...] = ("Sum",)
    good: float = 0
    bad: float = float("inf")
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html
DEAD_LETTERS = Metric(
    "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", ("Maximum",), bad=1
)
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
ERRORS = Metric("AWS/Lambda", "Errors", "FunctionName")
THROTTLES = Metric("AWS/Lambda", "Throttles", "FunctionName")
ITERATOR_AGE = Metric("AWS/Lambda", "IteratorAge", "FunctionName", ("Maximum",))
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
LOG_SUBSCRIPTION = [
    Metric("AWS/Logs", name, "LogGroupName", bad=1, others=("DestinationType", "FilterName"))
    for name in ("DeliveryErrors", "DeliveryThrottling")
]
# https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
SUBSCRIPTION_DEAD_LETTER = Metric(
    "AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq", "TopicName", bad=1
)
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
EXPRESS = [
    Metric("AWS/States", "ExecutionsFailed", "StateMachineArn", bad=1),
    Metric("AWS/States", "ExecutionsTimedOut", "StateMachineArn", bad=1),
]
STANDARD = [*EXPRESS, Metric("AWS/States", "ExecutionsAborted", "StateMachineArn", bad=1)]
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
API = {
    "AWS::ApiGateway::RestApi": Metric("AWS/ApiGateway", "5XXError", "ApiName", bad=1),
    "AWS::ApiGatewayV2::Api": Metric("AWS/ApiGateway", "5xx", "ApiId", bad=1),
}
# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
DELIVERY = [
    Metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", ("Maximum",)),
    Metric(
        "AWS/Firehose", "DeliveryToS3.Success", "DeliveryStreamName", ("Average", "Minimum"), 1, 0
    ),
]
# Of a delivery stream that reads a data stream ThrottledRecords says nothing (fact C4).
DELIVERY_FROM_STREAM = [
    Metric("AWS/Firehose", "ThrottledGetRecords", "DeliveryStreamName"),
    Metric("AWS/Firehose", "KinesisMillisBehindLatest", "DeliveryStreamName", ("Maximum",)),
]
DELIVERY_BY_PUT = [Metric("AWS/Firehose", "ThrottledRecords", "DeliveryStreamName")]
# The share of COPY commands that succeed (fact U8).
LOAD = Metric(
    "AWS/Firehose", "DeliveryToRedshift.Success", "DeliveryStreamName", ("Average", "Minimum"), 1, 0
)
TRANSFORM = Metric(
    "AWS/Firehose", "ExecuteProcessing.Success", "DeliveryStreamName", ("Average", "Minimum"), 1, 0
)

# A serverless cache has one dimension, unlike a cluster of nodes (fact M6).
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
CACHE_THROTTLES = Metric("AWS/ElastiCache", "ThrottledCmds", "clusterId")

# Every metric that an alarm may watch (fact C6): one that no service publishes, or by other
# dimensions, is an alarm that never rings.
KNOWN = {
    (metric.namespace, metric.name): metric
    for metric in (
        DEAD_LETTERS,
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"),
        # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
        Metric("AWS/RDS", "ACUUtilization", "DBClusterIdentifier"),
        CACHE_THROTTLES,
        ERRORS,
        THROTTLES,
        ITERATOR_AGE,
        DESTINATION,
        LAMBDA_DEAD_LETTER,
        RULE_TARGET,
        RULE_DEAD_LETTER,
        SCHEDULE_DEAD_LETTER,
        SUBSCRIPTION_DEAD_LETTER,
        *LOG_SUBSCRIPTION,
        *STANDARD,
        *API.values(),
        *DELIVERY,
        *DELIVERY_FROM_STREAM,
        *DELIVERY_BY_PUT,
        LOAD,
        TRANSFORM,
    )
}
# What a function reports of the circuit that guards its calls, in the namespace of its service.
# Another stack of the service has the same namespace, so the function is a dimension (fact F4).
CIRCUIT = {
    metric.name: metric
    for metric in (
        Metric("", "CircuitOpen", "FunctionName", ("Maximum",), 0, 1, ("circuit", "service")),
        Metric("", "CircuitStateUnavailable", "FunctionName", others=("circuit", "service")),
    )
}
# What a function reports that works without its cache, and so puts all load on the database.
WITHOUT_CACHE = Metric("", "CacheUnavailable", "FunctionName", bad=1, others=("service",))
OWN = {**CIRCUIT, WITHOUT_CACHE.name: WITHOUT_CACHE}
SOURCES = {
    "ApiId": "AWS::ApiGatewayV2::Api",
    "ApiName": "AWS::ApiGateway::RestApi",
    "DBClusterIdentifier": "AWS::RDS::DBCluster",
    "clusterId": "AWS::ElastiCache::ServerlessCache",
    "DeliveryStreamName": "AWS::KinesisFirehose::DeliveryStream",
    "FunctionName": "AWS::Lambda::Function",
    "LogGroupName": "AWS::Logs::LogGroup",
    "QueueName": "AWS::SQS::Queue",
    "RuleName": "AWS::Events::Rule",
    "ScheduleGroup": "AWS::Scheduler::ScheduleGroup",
    "StateMachineArn": "AWS::StepFunctions::StateMachine",
    "TopicName": TOPIC,
}


def known(stack: Stack, alarm: Resource) -> Iterator[Violation]:
    """Say why no service will ever publish what the alarm watches."""
    namespace, name = alarm.get("Namespace"), alarm.get("MetricName")
    own = not str(namespace).startswith("AWS/")
    metric = OWN.get(str(name)) if own else KNOWN.get((namespace, name))
    if metric is None:
        yield Violation("alarm", alarm.name, f"no service is known to publish {namespace} {name}")
        return
    dimensions = dimensions_of(alarm)
    expected = {metric.dimension, *metric.others}
    if namespace == "AWS/Events":  # by the bus as well, unless it is the default one
        expected |= {"EventBusName"} & dimensions.keys()
    if dimensions.keys() != expected:
        says = f"{namespace} {name} is published by {' and '.join(sorted(expected))}"
        yield Violation("alarm", alarm.name, says)
    elif empty := sorted(name for name, value in dimensions.items() if not value):
        yield Violation("alarm", alarm.name, f"{', '.join(empty)} has no value")
    elif not any(
        _is_dimension(stack, source, dimensions[metric.dimension])
        for source in stack.of_type(SOURCES[metric.dimension])
    ):
        must = f"that of a resource {SOURCES[metric.dimension]} of this stack"
        value = stack.text(dimensions[metric.dimension])
        yield is_but("alarm", alarm.name, metric.dimension, value, must)
    elif own:
        yield from _reported(stack, alarm, metric)


def _reported(stack: Stack, alarm: Resource, metric: Metric) -> Iterator[Violation]:
    """Say why the function does not report what the alarm watches, or the alarm forgets it."""
    dimensions = dimensions_of(alarm)
    function = stack.named(dimensions["FunctionName"], "AWS::Lambda::Function")
    variables = function.get("Environment", "Variables") or {} if function else {}
    for what, value, variable in (
        ("Namespace", alarm.get("Namespace"), "POWERTOOLS_METRICS_NAMESPACE"),
        ("service", dimensions["service"], "POWERTOOLS_SERVICE_NAME"),
    ):
        if value != variables.get(variable):
            must = f"that of the function, {variables.get(variable)}"
            yield is_but("alarm", alarm.name, what, value, must)
    missing = alarm.get("TreatMissingData")
    if metric.name == "CircuitOpen" and missing != "ignore":
        must = "ignore: an open circuit that nobody calls reports nothing"
        yield is_but("alarm", alarm.name, "TreatMissingData", missing, must)
    yield from _rings(stack, alarm, metric)


def watched(stack: Stack, resource: Resource, metric: Metric) -> Iterator[Violation]:
    """Say what keeps anybody from hearing of a metric of the resource."""
    alarms = [
        alarm
        for alarm in stack.of_type("AWS::CloudWatch::Alarm")
        if alarm.get("Namespace") == metric.namespace
        and alarm.get("MetricName") == metric.name
        and dimensions_of(alarm).keys() == {metric.dimension, *metric.others}
        and _is_dimension(stack, resource, dimensions_of(alarm)[metric.dimension])
    ]
    if not alarms:
        yield Violation("alarm", resource.name, f"no alarm watches {metric}")
    complaints = [list(_rings(stack, alarm, metric)) for alarm in alarms]
    if complaints and all(complaints):
        yield from complaints[0]


def dimensions_of(alarm: Resource) -> dict[str, Any]:
    """Return what an alarm's metric is published by: the values by the names."""
    return {each.get("Name"): each.get("Value") for each in alarm.get("Dimensions") or []}


def _is_dimension(stack: Stack, resource: Resource, value: Any) -> bool:
    """Tell whether it names the resource: an ARN or URL instead is a metric that never comes."""
    text = stack.text(value)
    if resource.type == "AWS::ApiGateway::RestApi":  # by its name, which OpenAPI calls a title
        return text == stack.text(resource.get("Name") or resource.get("Body", "info", "title"))
    if resource.type == "AWS::StepFunctions::StateMachine":
        return text in stack.arns(resource)
    if resource.type == "AWS::SQS::Queue":
        return text == f"${{{resource.name}.QueueName}}"
    if resource.type == TOPIC:
        return text == f"${{{resource.name}.TopicName}}"
    if resource.type == "AWS::Events::Rule" and resource.get("EventBusName"):
        # Its Ref is bus|rule, which is the name of no metric (fact C9).
        return text == f"${{{resource.name}}} split at |, part 1"
    return text == f"${{{resource.name}}}"


def _rings(stack: Stack, alarm: Resource, metric: Metric) -> Iterator[Violation]:
    """Say why the alarm would not ring, or would ring always."""

    def wrong(name: str, must: str) -> Violation:
        return is_but("alarm", alarm.name, name, alarm.get(name), must)

    if alarm.get("Statistic") not in metric.statistics:
        yield wrong("Statistic", " or ".join(metric.statistics))
    period = stack.number(alarm.get("Period"))
    if period is None or period > LONGEST_PERIOD:
        yield wrong("Period", f"at most {LONGEST_PERIOD}")
    if stack.number(alarm.get("EvaluationPeriods")) is None:
        yield wrong("EvaluationPeriods", "a number")
    if alarm.get("TreatMissingData") == "breaching":
        yield wrong("TreatMissingData", "notBreaching, since no data is no failure")
    compare = COMPARISONS.get(alarm.get("ComparisonOperator"))
    threshold = alarm.get("Threshold")
    if compare is None:
        yield wrong("ComparisonOperator", "a comparison with the threshold")
    elif not isinstance(threshold, int | float):
        yield wrong("Threshold", "a number")
    elif not compare(metric.bad, threshold) or compare(metric.good, threshold):
        says = f"{alarm.get('ComparisonOperator')} {threshold} must ring for {metric.bad:g}"
        yield Violation("alarm", alarm.name, f"{says} and not for {metric.good:g}")


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
    elif (ok := alarm.get("OKActions")) != alarm.get("AlarmActions"):
        yield is_but("alarm", alarm.name, "OKActions", ok, "the same as AlarmActions")
    for topic in topics:
        if topic:
            yield from _deaf(stack, topic)


def _deaf(stack: Stack, topic: Resource) -> Iterator[Violation]:
    """Say why CloudWatch cannot publish to the topic.

    https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger and
    https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    """
    publisher = "cloudwatch.amazonaws.com"
    key_id = topic.get("KmsMasterKeyId")
    if "alias/aws/sns" in stack.text(key_id):
        must = "none or a customer key: CloudWatch cannot publish with the key of SNS"
        yield is_but("alarm", topic.name, "KmsMasterKeyId", key_id, must)
    key = stack.named(key_id, "AWS::KMS::Key") if key_id else None
    if key:
        document = key.get("KeyPolicy")
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            if not any(
                s.allow and publisher in s.services and s.covers(action, "*")
                for s in statements(stack, document)
            ):
                says = f"the key's policy must let {publisher} call {action}"
                yield Violation("alarm", key.name, says)
    policy = list(resource_policy(stack, topic))
    # A topic without a policy admits its own account; one that has a policy only what this says.
    admitted = [
        s
        for s in policy
        if s.allow
        and publisher in s.services
        and any(s.covers("sns:Publish", arn) for arn in stack.arns(topic))
    ]
    if policy and not admitted:
        says = f"the topic's policy must let {publisher} call sns:Publish"
        yield Violation("alarm", topic.name, says)
    for statement in admitted:
        if "${AWS::AccountId}" not in statement.values("aws:SourceAccount"):
            says = f"the topic's policy must let {publisher} in for aws:SourceAccount only"
            yield Violation("alarm", topic.name, says)
