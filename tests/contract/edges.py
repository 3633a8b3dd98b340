"""Finds every asynchronous edge of a stack, and the queue in which its failures end.

What CloudFormation cannot tell: whether code that may `lambda:InvokeFunction` does so with
InvocationType Event. Such an edge is found where the function has an end for its failures;
where it has none, the comparison with the pattern's graph (graph.py) finds it missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from contract.maps import mapped_items

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries, once_a_stack
from sls_patterns_cli.wiring.policies import may, role_of

QUEUE = "AWS::SQS::Queue"
TABLE = "AWS::DynamoDB::Table"
STREAM = "AWS::Kinesis::Stream"
TOPIC = "AWS::SNS::Topic"
BUCKET = "AWS::S3::Bucket"
RULE = "AWS::Events::Rule"
SCHEDULE = "AWS::Scheduler::Schedule"
GROUP = "AWS::Scheduler::ScheduleGroup"
SUBSCRIPTION = "AWS::SNS::Subscription"
MAPPING = "AWS::Lambda::EventSourceMapping"
MACHINE = "AWS::StepFunctions::StateMachine"
DELIVERY = "AWS::KinesisFirehose::DeliveryStream"
LOG_FILTER = "AWS::Logs::SubscriptionFilter"
CUSTOM_RESOURCES = ("AWS::CloudFormation::CustomResource", "Custom::")
APIS = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Method",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Integration",
)
EVENTS_OF_BUCKET = ("NotificationConfiguration", "EventBridgeConfiguration", "EventBridgeEnabled")
SAID_TO_PEOPLE = {"email", "email-json", "sms"}

DEFAULT_BUS = "default"
OUTSIDE = "CloudFormation"
CALLERS = "callers"


@dataclass(frozen=True)
class Edge:
    """From one resource to another, by logical ids, and how its failures are handled.

    `declared_by` is the resource that makes the edge; `end` the queue (of E5 and E8 the one that
    is told of what a bucket keeps), None where there is none; `qualifier` what a function is
    invoked by; `limit` the most consumers at a time, where the edge bounds them.
    """

    source: str
    target: str
    mechanism: str
    declared_by: str
    end: str | None = None
    qualifier: str = "$LATEST"
    limit: int | None = None


@once_a_stack
def edges(stack: Stack) -> Iterator[Edge]:
    """Return every asynchronous edge, with its end."""
    found = [
        *_mappings(stack),
        *_subscriptions(stack),
        *_rules(stack),
        *_schedules(stack),
        *_notifications(stack),
        *_log_filters(stack),
        *_custom_resources(stack),
        *_asynchronous_routes(stack),
        *_invokers(stack),
        *_executions(stack),
        *_deliveries(stack),
    ]
    # Of a function that goes on with its own work, the first run is somebody else's.
    by_others = {e.target for e in found if e.mechanism == "E2" and e.source != e.target}
    found += _handed_off(stack, by_others)
    return iter(dict.fromkeys(found))


def invoke_config(stack: Stack, function: str, qualifier: str) -> Resource | None:
    """Return what is configured for asynchronous invokes of just this qualifier."""
    for config in stack.of_type("AWS::Lambda::EventInvokeConfig"):
        owner = stack.function(config.get("FunctionName"))
        if owner and owner[0].name == function and stack.text(config.get("Qualifier")) == qualifier:
            return config
    return None


def queue_of(stack: Stack, arn: Any) -> str | None:
    """Return the queue with this ARN."""
    queue = stack.by_arn(arn, QUEUE) if arn else None
    return queue.name if queue else None


def event_source(stack: Stack, mapping: Resource) -> Resource | None:
    """Return what Lambda polls; a table is polled by the ARN of its stream, not by its own."""
    arn = mapping.get("EventSourceArn")
    source = stack.by_arn(arn, QUEUE, STREAM, TABLE)
    by_stream = stack.text(arn).endswith(".StreamArn}")
    return source if source and (source.type == TABLE) == by_stream else None


def target_name(stack: Stack, arn: Any) -> str:
    """Return the resource that something is sent to; of one outside the stack its ARN."""
    invoked = stack.function(arn)
    resource = invoked[0] if invoked else stack.by_arn(arn)
    return resource.name if resource else stack.text(arn)


def api_of(stack: Stack, part: Resource) -> Resource:
    """Return the API that a method or integration is part of; of an API itself."""
    return stack.named(part.get("ApiId") or part.get("RestApiId")) or part


def path_of(stack: Stack, resource_id: Any) -> str:
    """Return the path of a REST API's resource; of the root it is empty."""
    resource = stack.named(resource_id, "AWS::ApiGateway::Resource")
    if resource is None:
        return ""
    return f"{path_of(stack, resource.get('ParentId'))}/{resource.get('PathPart')}"


def failure_end(stack: Stack, function: str, qualifier: str) -> str | None:
    """Return the queue that an asynchronous invoke which failed for good ends in."""
    config = invoke_config(stack, function, qualifier)
    arn = config.get("DestinationConfig", "OnFailure", "Destination") if config else None
    return queue_of(stack, arn or stack.resources[function].get("DeadLetterConfig", "TargetArn"))


def rule_of_objects(stack: Stack, bucket: Resource | None, prefix: str = "") -> Resource | None:
    """Return the rule that tells of every object created under a prefix, and of no other.

    A notification of S3 itself is none: its first message is a test, so that an alarm would ring
    after each deployment (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
    """
    if not bucket or bucket.get(*EVENTS_OF_BUCKET) not in (True, "true"):
        return None
    for rule in stack.of_type(RULE):
        pattern = rule.get("EventPattern") or {}
        detail = pattern.get("detail") or {}
        names = {stack.text(name) for name in detail.get("bucket", {}).get("name", [])}
        keys = detail.get("object", {}).get("key")
        if (
            pattern.get("source") == ["aws.s3"]
            and pattern.get("detail-type") == ["Object Created"]
            and names == {f"${{{bucket.name}}}"}
            and keys == ([{"prefix": prefix}] if prefix else None)
            and rule.get("State") != "DISABLED"
        ):
            return rule
    return None


def told_of_objects(stack: Stack, bucket: Resource | None, prefix: str = "") -> str | None:
    """Return the queue that is told of every object created under a prefix, and of no other."""
    rule = rule_of_objects(stack, bucket, prefix)
    targets = rule.get("Targets") if rule else []
    return next((queue_of(stack, target.get("Arn")) for target in targets or []), None)


def is_failure_rule(rule: Resource) -> bool:
    """Tell whether the rule carries failed executions, so that its target is their end (E7)."""
    sources: list[str] = rule.get("EventPattern", "source") or []
    return "aws.states" in sources


def tells_of_failed_records(stack: Stack, rule: Resource) -> bool:
    """Tell whether the rule carries what a bucket keeps of failures (E5, E8)."""
    keeping = [
        mapping.get("DestinationConfig", "OnFailure", "Destination")
        for mapping in stack.of_type(MAPPING)
    ]
    keeping += [delivery_destination(each).get("BucketARN") for each in stack.of_type(DELIVERY)]
    kept_in = {bucket.name for arn in keeping if arn and (bucket := stack.by_arn(arn, BUCKET))}
    pattern = rule.get("EventPattern") or {}
    names = (pattern.get("detail") or {}).get("bucket", {}).get("name") or []
    told_of = {stack.text(name).strip("${}") for name in names}
    return pattern.get("source") == ["aws.s3"] and bool(told_of) and told_of <= kept_in


def delivery_destination(delivery: Resource) -> dict[str, Any]:
    """Return the S3 part of where Firehose delivers to."""
    for kind in ("ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"):
        if delivery.get(kind):
            return dict(delivery.get(kind))
    return dict(delivery.get("RedshiftDestinationConfiguration", "S3Configuration") or {})


def error_prefix(destination: dict[str, Any]) -> str:
    """Return what the names of all objects that hold errors begin with."""
    return str(destination.get("ErrorOutputPrefix", "")).split("!{")[0]


def integrations(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Return what may be an integration of an API, with the resource that it is in.

    The names in it are OpenAPI's: CloudFormation's begin with a capital.
    """
    for part in stack.of_type(*APIS):
        for given in dictionaries(part.properties):
            yield part, {name[:1].lower() + name[1:]: value for name, value in given.items()}


def processors(delivery: Resource) -> Iterator[dict[str, Any]]:
    """Return the parameters of what changes what Firehose delivers."""
    for kind in ("ExtendedS3DestinationConfiguration", "RedshiftDestinationConfiguration"):
        processing = delivery.get(kind, "ProcessingConfiguration") or {}
        if processing.get("Enabled") not in (True, "true"):
            continue
        for processor in processing.get("Processors") or []:
            yield {
                parameter.get("ParameterName"): parameter.get("ParameterValue")
                for parameter in processor.get("Parameters") or []
            }


def transforms(stack: Stack, delivery: Resource) -> Iterator[Resource]:
    """Return the functions that change what Firehose delivers."""
    for parameters in processors(delivery):
        invoked = stack.function(parameters.get("LambdaArn"))
        if invoked:
            yield invoked[0]


def _invoke(stack: Stack, source: str, arn: Any, declared_by: Resource) -> Iterator[Edge]:
    """An asynchronous invoke of a function (E2)."""
    invoked = stack.function(arn)
    if invoked:
        function, qualifier = invoked
        end = failure_end(stack, function.name, qualifier)
        yield Edge(source, function.name, "E2", declared_by.name, end, qualifier)


def _handed_off(stack: Stack, invoked: set[str]) -> Iterator[Edge]:
    """Functions that are ready to be invoked asynchronously, and nothing in the stack does."""
    for function in stack.functions:
        config = invoke_config(stack, function.name, "$LATEST")
        if function.name not in invoked and (config or function.get("DeadLetterConfig")):
            declared_by = config or function
            yield from _invoke(stack, CALLERS, {"Ref": function.name}, declared_by)


def _mappings(stack: Stack) -> Iterator[Edge]:
    for mapping in stack.of_type(MAPPING):
        source = event_source(stack, mapping)
        consumer = stack.function(mapping.get("FunctionName"))
        if source is None or consumer is None:
            continue
        edge = Edge(source.name, consumer[0].name, "E5", mapping.name, qualifier=consumer[1])
        if source.type == QUEUE:
            end = queue_of(stack, source.get("RedrivePolicy", "deadLetterTargetArn"))
            limit = stack.number(mapping.get("ScalingConfig", "MaximumConcurrency"))
            yield replace(edge, mechanism="E1", end=end, limit=limit)
        else:
            arn = mapping.get("DestinationConfig", "OnFailure", "Destination")
            yield replace(edge, end=told_of_objects(stack, stack.by_arn(arn, BUCKET)))


def _subscriptions(stack: Stack) -> Iterator[Edge]:
    for subscription in stack.of_type(SUBSCRIPTION):
        if subscription.get("Protocol") in SAID_TO_PEOPLE:
            continue
        topic = stack.text(subscription.get("TopicArn")).strip("${}")
        endpoint = subscription.get("Endpoint")
        end = queue_of(stack, subscription.get("RedrivePolicy", "deadLetterTargetArn"))
        yield Edge(topic, target_name(stack, endpoint), "E4", subscription.name, end)
        yield from _invoke(stack, topic, endpoint, subscription)
    for topic_ in stack.of_type(TOPIC):
        for subscription in topic_.get("Subscription") or []:
            # Declared inside the topic, it has no place for a RedrivePolicy.
            if subscription.get("Protocol") not in SAID_TO_PEOPLE:
                endpoint = subscription.get("Endpoint")
                yield Edge(topic_.name, target_name(stack, endpoint), "E4", topic_.name)
                yield from _invoke(stack, topic_.name, endpoint, topic_)


def _rules(stack: Stack) -> Iterator[Edge]:
    for rule in stack.of_type(RULE):
        if is_failure_rule(rule) or tells_of_failed_records(stack, rule):
            continue
        source = _source_of(stack, rule)
        for target in rule.get("Targets") or []:
            end = queue_of(stack, target.get("DeadLetterConfig", {}).get("Arn"))
            yield Edge(source, target_name(stack, target.get("Arn")), "E3", rule.name, end)
            yield from _invoke(stack, source, target.get("Arn"), rule)


def _source_of(stack: Stack, rule: Resource) -> str:
    """Return the bucket of this stack whose objects the rule is about, or else its bus."""
    if bucket := told_of_bucket(stack, rule):
        return bucket.name
    bus = rule.get("EventBusName")
    return stack.text(bus).strip("${}") if bus else DEFAULT_BUS


def told_of_bucket(stack: Stack, rule: Resource) -> Resource | None:
    """Return the one bucket of this stack whose objects the rule is about."""
    pattern = rule.get("EventPattern") or {}
    names = (pattern.get("detail") or {}).get("bucket", {}).get("name") or []
    if pattern.get("source") != ["aws.s3"] or len(names) != 1 or rule.get("EventBusName"):
        return None
    return stack.named(names[0], BUCKET)


def _schedules(stack: Stack) -> Iterator[Edge]:
    for schedule in stack.of_type(SCHEDULE):
        arn = schedule.get("Target", "Arn")
        end = queue_of(stack, schedule.get("Target", "DeadLetterConfig", "Arn"))
        yield Edge(schedule.name, target_name(stack, arn), "E6", schedule.name, end)
        yield from _invoke(stack, schedule.name, arn, schedule)


def _notifications(stack: Stack) -> Iterator[Edge]:
    for bucket in stack.of_type(BUCKET):
        for notification in bucket.get("NotificationConfiguration", "LambdaConfigurations") or []:
            yield from _invoke(stack, bucket.name, notification.get("Function"), bucket)


def _log_filters(stack: Stack) -> Iterator[Edge]:
    for log_filter in stack.of_type(LOG_FILTER):
        group = stack.text(log_filter.get("LogGroupName")).strip("${}")
        for edge in _invoke(stack, group, log_filter.get("DestinationArn"), log_filter):
            yield edge
            # It knows its own dead-letter queue only to send there what it cannot read.
            variables = stack.resources[edge.target].get("Environment", "Variables") or {}
            if edge.end and f"${{{edge.end}}}" in map(stack.text, variables.values()):
                yield replace(edge, mechanism="E10")


def _custom_resources(stack: Stack) -> Iterator[Edge]:
    for resource in stack.resources.values():
        if resource.type.startswith(CUSTOM_RESOURCES):
            yield from _invoke(stack, OUTSIDE, resource.get("ServiceToken"), resource)


def _asynchronous_routes(stack: Stack) -> Iterator[Edge]:
    """Routes that invoke with the header X-Amz-Invocation-Type: 'Event'.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-integration-async.html
    """
    for api, integration in integrations(stack):
        parameters = integration.get("requestParameters") or {}
        kind = parameters.get("integration.request.header.X-Amz-Invocation-Type")
        uri = stack.text(integration.get("uri"))
        if kind == "'Event'" and "/functions/" in uri:
            arn = uri.split("/functions/")[1].removesuffix("/invocations")
            yield from _invoke(stack, api_of(stack, api).name, arn, api)


def _invokers(stack: Stack) -> Iterator[Edge]:
    qualified = [*stack.functions, *stack.of_type("AWS::Lambda::Alias", "AWS::Lambda::Version")]
    for caller in stack.functions:
        role = role_of(stack, caller)
        for callee in qualified:
            for edge in _invoke(stack, caller.name, {"Ref": callee.name}, caller):
                if edge.end and may(stack, role, "lambda:InvokeFunction", callee):
                    yield edge


def _executions(stack: Stack) -> Iterator[Edge]:
    for machine in stack.of_type(MACHINE):
        express = machine.get("StateMachineType") == "EXPRESS"
        end = next(
            (
                queue_of(stack, target.get("Arn"))
                for rule in stack.of_type(RULE)
                if is_failure_rule(rule)
                and set(
                    map(stack.text, rule.get("EventPattern", "detail", "stateMachineArn") or [])
                )
                & stack.arns(machine)
                for target in rule.get("Targets") or []
            ),
            None,
        )
        starters = [
            function.name
            for function in stack.functions
            if may(stack, role_of(stack, function), "states:StartExecution", machine)
        ]
        starters += [
            api_of(stack, api).name
            for api, integration in integrations(stack)
            if stack.text(integration.get("uri")).endswith(":states:action/StartExecution")
            or integration.get("integrationSubtype") == "StepFunctions-StartExecution"
        ]
        for starter in starters:
            yield Edge(starter, machine.name, "E7x" if express else "E7", machine.name, end)
        for _, function, queue in mapped_items(stack, machine):
            yield Edge(
                machine.name, function.name, "E9", function.name, queue.name if queue else None
            )


def _deliveries(stack: Stack) -> Iterator[Edge]:
    for delivery in stack.of_type(DELIVERY):
        destination = delivery_destination(delivery)
        bucket = stack.by_arn(destination.get("BucketARN"), BUCKET)
        end = told_of_objects(stack, bucket, error_prefix(destination))
        arn = delivery.get("KinesisStreamSourceConfiguration", "KinesisStreamARN")
        source = stack.by_arn(arn, STREAM) if arn else None
        if source:
            yield Edge(source.name, delivery.name, "E8", delivery.name, end)
        name = bucket.name if bucket else stack.text(destination.get("BucketARN"))
        yield Edge(delivery.name, name, "E8", delivery.name, end)
        for function in transforms(stack, delivery):
            yield Edge(delivery.name, function.name, "E8", delivery.name, end)
