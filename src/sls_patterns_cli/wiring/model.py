"""An asynchronous edge, and where what fails on it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sls_patterns_cli.cloudformation.stack import Place, Resource, Stack, once_a_stack

Mechanism = Literal[
    "sqs",
    "lambda-async",
    "eventbridge",
    "eventbridge-v2",
    "sns",
    "stream",
    "kafka",
    "scheduler",
    "step-functions",
    "express",
    "firehose",
    "pipe",
    "iot",
    "logs",
    "other",
]

QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
TABLE = "AWS::DynamoDB::Table"
STREAM = "AWS::Kinesis::Stream"
BUCKET = "AWS::S3::Bucket"
FUNCTION = "AWS::Lambda::Function"
ALIAS = "AWS::Lambda::Alias"
MAPPING = "AWS::Lambda::EventSourceMapping"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
RULE = "AWS::Events::Rule"
BUS = "AWS::Events::EventBus"
BUS_V2 = "AWS::EventsV2::EventBus"
SUBSCRIBER = "AWS::EventsV2::Subscriber"
EVENT_SOURCE = "AWS::EventsV2::EventSource"
SCHEDULE = "AWS::Scheduler::Schedule"
SUBSCRIPTION = "AWS::SNS::Subscription"
MACHINE = "AWS::StepFunctions::StateMachine"
MACHINE_ALIAS = "AWS::StepFunctions::StateMachineAlias"
MACHINE_VERSION = "AWS::StepFunctions::StateMachineVersion"
DELIVERY = "AWS::KinesisFirehose::DeliveryStream"
LOG_GROUP = "AWS::Logs::LogGroup"
LOG_FILTER = "AWS::Logs::SubscriptionFilter"
PIPE = "AWS::Pipes::Pipe"

REF_IS_NO_ARN = QUEUE, TABLE, STREAM, BUCKET, DELIVERY
"""What Ref returns of these is a name, of a queue its address.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

OUTSIDE = "outside"


@dataclass(frozen=True)
class End:
    """Where failures end: in a resource of the stack, outside, nowhere, or nobody can say."""

    kind: Literal["resource", "outside", "unknown", "none"]
    name: str = ""
    """The logical id, or of what is outside what stands in the template."""


NOWHERE, UNKNOWN = End("none"), End("unknown")


@dataclass(frozen=True)
class Edge:
    """From one resource to another, by logical ids, or by what stands in the template.

    `declared_by` is the resource that makes the edge; `qualifier` what a function is invoked by;
    `can_end` whether AWS lets anybody configure an end; `is_enabled` whether anything is sent.
    """

    source: str
    target: str
    mechanism: Mechanism
    declared_by: str
    end: End = NOWHERE
    qualifier: str = "$LATEST"
    can_end: bool = True
    is_enabled: bool = True


def end_at(stack: Stack, value: Any) -> End:
    """Return the end that a property names; NOWHERE where it names none."""
    if value is None or value == "":
        return NOWHERE
    place = at_arn(stack, value)
    return End(place.kind, place.name)


def redrive_end(stack: Stack, queue: Resource) -> End:
    """Return where SQS moves what was received too often."""
    policy = redrive(queue)
    if policy and "deadLetterTargetArn" not in policy:
        return UNKNOWN  # a parameter, or a text that is put together
    return end_at(stack, policy.get("deadLetterTargetArn"))


@once_a_stack
def redriven(stack: Stack) -> Iterator[tuple[Resource, Resource]]:
    """Return each queue with the one to which SQS moves what was received too often."""
    for queue in stack.of_type(QUEUE):
        end = stack.found(redrive(queue).get("deadLetterTargetArn"), QUEUE)
        if end:
            yield queue, end


def redrive(resource: Resource) -> dict[str, Any]:
    """Return the RedrivePolicy of a queue or subscription, {} without; it may be a text of JSON."""
    policy = resource.get("RedrivePolicy")
    if isinstance(policy, str):
        return _parsed(policy)
    if not isinstance(policy, dict):
        return {}
    if isinstance(policy.get("Fn::Sub"), str):
        parsed = _parsed(policy["Fn::Sub"])
        return {
            key: {"Fn::Sub": value} if isinstance(value, str) else value
            for key, value in parsed.items()
        } or policy
    return policy


def _parsed(text: str) -> dict[str, Any]:
    import json

    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def function_at(stack: Stack, value: Any) -> tuple[Resource, str] | None:
    """Return the function of the stack that a value means, and the qualifier it is invoked by."""
    if value is None:
        return None
    text = stack.text(value)
    if "/functions/" in text:  # the address of an integration
        text = text.split("/functions/")[1].removesuffix("/invocations")
    if invoked := stack.function(text):
        return invoked
    if function := stack.found(text, FUNCTION):
        return function, _qualifier(text)
    owner, _, qualifier = text.rpartition(":")
    named = stack.function(owner)
    return (named[0], qualifier) if named else None


def _qualifier(text: str) -> str:
    parts = text.replace("${AWS::", "${AWS.").split(":")
    return parts[7] if parts[0] == "arn" and len(parts) > 7 else "$LATEST"


def machine_at(stack: Stack, value: Any) -> Resource | None:
    """Return the state machine that a value means, by itself, an alias or a version."""
    found = stack.found(value, MACHINE, MACHINE_ALIAS, MACHINE_VERSION)
    if found is None or found.type == MACHINE:
        return found
    if found.type == MACHINE_VERSION:
        return machine_at(stack, found.get("StateMachineArn"))
    routed = found.items("RoutingConfiguration") or [found.get("DeploymentPreference") or {}]
    return machine_at(stack, routed[0].get("StateMachineVersionArn"))


def place_of(stack: Stack, value: Any) -> Place:
    """Return where something is sent; of an alias or version the function or state machine."""
    invoked = function_at(stack, value)
    if invoked:
        return Place("resource", invoked[0].name)
    machine = machine_at(stack, value)
    return Place("resource", machine.name) if machine else at_arn(stack, value)


def at_arn(stack: Stack, value: Any, *types: str) -> Place:
    """Return where an ARN leads; nobody can say where AWS is given a name or address instead."""
    place = stack.place(value, *types)
    referred = f"${{{place.name}}}"
    if place.kind == "resource" and stack.resources[place.name].type in REF_IS_NO_ARN:
        return Place("unknown", referred) if stack.text(value) == referred else place
    return place
