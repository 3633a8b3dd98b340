"""The asynchronous edges of a stack as the house counts them, E1 to E11, and where each ends.

`wiring` finds the edges. The house adds those of custom resources, of its own callers, of maps and
of transforms, and takes for an end only a queue of the stack.

What CloudFormation cannot tell: whether code that may `lambda:InvokeFunction` does so with
InvocationType Event. Such an edge is found where the function has an end for its failures;
where it has none, the comparison with the pattern's graph (graph.py) finds it missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from contract.maps import mapped_items, tolerated_items

from sls_patterns_cli.cloudformation.stack import Resource, Stack, once_a_stack
from sls_patterns_cli.wiring import edges as wiring
from sls_patterns_cli.wiring import model
from sls_patterns_cli.wiring.edges import invocations
from sls_patterns_cli.wiring.edges.executions import end_of, is_failure_rule
from sls_patterns_cli.wiring.model import (
    BUCKET,
    DELIVERY,
    INVOKE_CONFIG,
    LOG_FILTER,
    MACHINE,
    MAPPING,
    QUEUE,
    RULE,
    STREAM,
    TABLE,
)
from sls_patterns_cli.wiring.policies import may, role_of

GROUP = "AWS::Scheduler::ScheduleGroup"
CUSTOM_RESOURCES = ("AWS::CloudFormation::CustomResource", "Custom::")
EVENTS_OF_BUCKET = ("NotificationConfiguration", "EventBridgeConfiguration", "EventBridgeEnabled")

OUTSIDE = "CloudFormation"
CALLERS = "callers"

MECHANISMS = {
    "sqs": "E1",
    "lambda-async": "E2",
    "eventbridge": "E3",
    "sns": "E4",
    "stream": "E5",
    "scheduler": "E6",
    "step-functions": "E7",
    "firehose": "E8",
}
"""The house's names; of the others it has none."""


@dataclass(frozen=True)
class Edge:
    """From one resource to another, by logical ids, and how its failures are handled.

    `declared_by` is the resource that makes the edge; `end` the queue (where a bucket keeps what
    failed, the one that is told of it), None where there is none; `qualifier` what a function is
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
    # What others invoke is counted below, as their edge.
    here = (edge for edge in wiring.edges(stack) if edge.source != model.OUTSIDE)
    found = [*here, *_custom_resources(stack)]
    counted = [edge for each in found for edge in _counted(stack, each)]
    # Of a function that goes on with its own work, the first run is somebody else's.
    by_others = {e.target for e in counted if e.mechanism == "E2" and e.source != e.target}
    counted += [edge for each in _handed_off(stack, by_others) for edge in _counted(stack, each)]
    counted += [*_express_executions(stack), *_items(stack), *_transforms(stack)]
    return iter(dict.fromkeys(counted))


def _counted(stack: Stack, found: model.Edge) -> Iterator[Edge]:
    """Yield the edge in the house's terms; nothing where the house counts none."""
    declared_by = stack.resources[found.declared_by]
    mechanism = MECHANISMS.get(found.mechanism)
    if mechanism is None or _carries_failures(stack, declared_by):
        return
    end = stack.resources.get(found.end.name)
    queue = end.name if end and end.type == QUEUE else None
    edge = Edge(found.source, found.target, mechanism, declared_by.name, queue, found.qualifier)
    match mechanism:
        case "E1" if _is_polled(stack, edge):
            limit = stack.number(declared_by.get("ScalingConfig", "MaximumConcurrency"))
            yield replace(edge, limit=limit)
        case "E5" if _is_polled(stack, edge):
            yield replace(edge, end=told_of_objects(stack, end))
        case "E2" if edge.target in stack.resources:
            if end and end.type == BUCKET:
                edge = replace(edge, end=told_of_objects(stack, end))
            yield edge
            if _sets_lines_apart(stack, edge):
                yield replace(edge, mechanism="E10")
        case "E7":
            yield replace(edge, declared_by=edge.target)
        case "E8":
            # What goes to a warehouse is loaded from the bucket.
            target = end.name if end and edge.source == declared_by.name else edge.target
            yield replace(edge, target=target, end=delivery_end(stack, declared_by))
        case "E3" | "E4" | "E6":
            yield edge


def _is_polled(stack: Stack, edge: Edge) -> bool:
    """Tell whether a mapping connects two resources of the stack; standards.py refuses others."""
    source = event_source(stack, stack.resources[edge.declared_by])
    return source is not None and edge.target in stack.resources


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


def path_of(stack: Stack, resource_id: Any) -> str:
    """Return the path of a REST API's resource; of the root it is empty."""
    resource = stack.named(resource_id, "AWS::ApiGateway::Resource")
    if resource is None:
        return ""
    return f"{path_of(stack, resource.get('ParentId'))}/{resource.get('PathPart')}"


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


def _tells_of_what_failed(stack: Stack, rule: Resource) -> bool:
    """Tell whether the rule carries what a bucket keeps of failures (E2, E5, E8)."""
    keeping = [
        sender.get("DestinationConfig", "OnFailure", "Destination")
        for sender in stack.of_type(MAPPING, INVOKE_CONFIG)
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
    for kind in ("RedshiftDestinationConfiguration", "IcebergDestinationConfiguration"):
        if delivery.get(kind):
            return dict(delivery.get(kind, "S3Configuration") or {})
    return {}


def error_prefix(destination: dict[str, Any]) -> str:
    """Return what the names of all objects that hold errors begin with."""
    return str(destination.get("ErrorOutputPrefix", "")).split("!{")[0]


def delivery_end(stack: Stack, delivery: Resource) -> str | None:
    """Return the queue that is told of what Firehose could not deliver."""
    destination = delivery_destination(delivery)
    bucket = stack.by_arn(destination.get("BucketARN"), BUCKET)
    return told_of_objects(stack, bucket, error_prefix(destination))


def processors(delivery: Resource) -> Iterator[dict[str, Any]]:
    """Return the parameters of what changes what Firehose delivers."""
    for kind in ("ExtendedS3", "Redshift", "Iceberg"):
        destination = f"{kind}DestinationConfiguration"
        processing = delivery.get(destination, "ProcessingConfiguration") or {}
        if processing.get("Enabled") not in (True, "true"):
            continue
        for processor in processing.get("Processors") or []:
            yield {
                parameter.get("ParameterName"): parameter.get("ParameterValue")
                for parameter in processor.get("Parameters") or []
            }


def transforms(stack: Stack, delivery: Resource) -> Iterator[Resource]:
    """Return the functions that change what Firehose delivers, or the aliases that it invokes."""
    for parameters in processors(delivery):
        arn = parameters.get("LambdaArn")
        invoked = stack.named(arn) if stack.function(arn) else None
        if invoked:
            yield invoked


def _carries_failures(stack: Stack, declared_by: Resource) -> bool:
    """Tell whether a rule leads to the end of a failure, and so is none of the edges."""
    return declared_by.type == RULE and (
        is_failure_rule(declared_by) or _tells_of_what_failed(stack, declared_by)
    )


def _custom_resources(stack: Stack) -> Iterator[model.Edge]:
    for resource in stack.resources.values():
        if resource.type.startswith(CUSTOM_RESOURCES):
            yield from invocations.invocation(
                stack, OUTSIDE, resource.get("ServiceToken"), resource
            )


def _handed_off(stack: Stack, invoked: set[str]) -> Iterator[model.Edge]:
    """Functions that are ready to be invoked asynchronously, and nothing in the stack does."""
    for function in stack.functions:
        if function.name not in invoked:
            yield from invocations.of_others(stack, CALLERS, function)


def _sets_lines_apart(stack: Stack, edge: Edge) -> bool:
    """Tell whether a function that reads a log knows its own dead-letter queue.

    It does only to send there what it cannot read.
    """
    if edge.end is None or stack.resources[edge.declared_by].type != LOG_FILTER:
        return False
    variables = stack.resources[edge.target].get("Environment", "Variables") or {}
    return f"${{{edge.end}}}" in map(stack.text, variables.values())


def _express_executions(stack: Stack) -> Iterator[Edge]:
    for machine in stack.of_type(MACHINE):
        for function in stack.functions if machine.get("StateMachineType") == "EXPRESS" else ():
            if may(stack, role_of(stack, function), "states:StartExecution", machine):
                yield Edge(function.name, machine.name, "E7x", machine.name)


def _items(stack: Stack) -> Iterator[Edge]:
    """What distributed maps hand to functions."""
    for machine in stack.of_type(MACHINE):
        for _, function, queue in mapped_items(stack, machine):
            end = queue.name if queue else None
            yield Edge(machine.name, function.name, "E9", function.name, end)
        for function in tolerated_items(stack, machine):
            found = stack.resources.get(end_of(stack, machine).name)
            end = found.name if found and found.type == QUEUE else None
            yield Edge(machine.name, function.name, "E11", machine.name, end)


def _transforms(stack: Stack) -> Iterator[Edge]:
    for delivery in stack.of_type(DELIVERY):
        for invoked in transforms(stack, delivery):
            function = stack.function({"Ref": invoked.name})
            if function:
                end = delivery_end(stack, delivery)
                yield Edge(delivery.name, function[0].name, "E8", delivery.name, end)


def mappings_of(stack: Stack, function: Resource) -> list[Resource]:
    """Return the event source mappings that invoke the function."""
    return [
        mapping
        for mapping in stack.of_type(MAPPING)
        if stack.means(mapping.get("FunctionName"), function)
    ]
