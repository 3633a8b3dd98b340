"""One form of a template on the emulator, with the ARNs of what it has made."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.parameters import DYNAMIC, UNKNOWN_VALUE, settled_parameters
from sls_patterns_cli.cloudformation.stack import Resource, Stack, inside, mappings
from sls_patterns_cli.letters.deployed import physical_ids
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.names import ACCOUNT, REGION, attribute_of
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.prove import elsewhere
from sls_patterns_cli.wiring.edges.buckets import CDK_NOTIFICATIONS
from sls_patterns_cli.wiring.model import (
    BUCKET,
    BUS,
    BUS_V2,
    DELIVERY,
    FUNCTION,
    LOG_GROUP,
    MACHINE,
    MAPPING,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    STREAM,
    SUBSCRIBER,
    SUBSCRIPTION,
    TABLE,
    TOPIC,
)

STACK = "prove"

PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::Partition": "aws",
}
REFERENCE = re.compile(r"\$\{([\w.:]+)\}")
ENOUGH: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    FUNCTION: (
        (
            "DeadLetterConfig",
            "DurableConfig",
            "FunctionName",
            "Handler",
            "ReservedConcurrentExecutions",
            "Role",
            "Runtime",
            "Timeout",
        ),
        {"Code": {"ZipFile": " "}},
    ),
    MACHINE: (
        ("RoleArn", "StateMachineName", "StateMachineType"),
        {"DefinitionString": '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}'},
    ),
}
"""The properties on which edges depend, and what stands for the others: code that does not run."""


BY_NAME = {
    FUNCTION: "lambda:{region}:{account}:function:{name}",
    TABLE: "dynamodb:{region}:{account}:table/{name}",
    STREAM: "kinesis:{region}:{account}:stream/{name}",
    DELIVERY: "firehose:{region}:{account}:deliverystream/{name}",
    BUS: "events:{region}:{account}:event-bus/{name}",
    LOG_GROUP: "logs:{region}:{account}:log-group:{name}",
    PIPE: "pipes:{region}:{account}:pipe/{name}",
}
"""Of what has a name as its id: the ARN."""


Control = Callable[[dict[str, Any]], Any]
"""Asks the emulator for what no API of AWS offers."""


@dataclass(frozen=True)
class Deployment:
    """What a form of a template has become: physical ids by logical id.

    `inert` are the types that are there by name only, `parameters` the values that it has.
    """

    emulator: Emulator
    control: Control
    stack: Stack
    ids: Mapping[str, str]
    inert: frozenset[str]
    parameters: Mapping[str, str]

    def resource(self, name: str, *types: str) -> Resource | None:
        """Return a resource of the stack that really is there, of one of the types."""
        found = self.stack.resources.get(name)
        if found is None or name not in self.ids or (types and found.type not in types):
            return None
        return None if found.type in self.inert else found

    def arn(self, name: str) -> str:  # noqa: PLR0911 - one a form
        """Return the ARN of a resource, of a mapping its UUID; an empty one if it has none."""
        resource = self.resource(name)
        if resource is None:
            return ""
        id_ = self.ids[name]
        if resource.type == QUEUE:
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{id_.rpartition('/')[2]}"
        if resource.type == BUCKET:
            return f"arn:aws:s3:::{id_}"
        if resource.type in {TOPIC, MACHINE, SUBSCRIPTION, MAPPING, BUS_V2, SUBSCRIBER}:
            return id_
        if resource.type == SCHEDULE:
            group = self.literal(resource.get("GroupName")) or "default"
            return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{id_}"
        if resource.type == RULE:
            bus, _, rule = id_.rpartition("|")
            path = f"{bus}/{rule}" if bus else rule
            return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{path}"
        form = BY_NAME.get(resource.type)
        return f"arn:aws:{form.format(region=REGION, account=ACCOUNT, name=id_)}" if form else ""

    def literal(self, value: Any) -> Any:  # noqa: PLR0911 - one a form
        """Return a value with what it refers to: ids, ARNs, and texts that have them."""
        if isinstance(value, list):
            return [self.literal(each) for each in value]
        match value:
            case {"Ref": str() as name}:
                known = {**self.parameters, **PSEUDO, **self.ids}
                return known.get(name, UNKNOWN_VALUE)
            case {"Fn::GetAtt": [str() as name, str() as attribute]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": str() as text}:
                return REFERENCE.sub(lambda found: self._referred(found[1]), text)
            case {"Fn::Join": [str() as between, list() as parts]}:
                return between.join(str(self.literal(each)) for each in parts)
            case dict():
                return {key: self.literal(inner) for key, inner in value.items()}
        return value

    def _attribute(self, name: str, attribute: str) -> str:
        resource, id_ = self.stack.resources.get(name), self.ids.get(name, UNKNOWN_VALUE)
        if resource and resource.type in self.inert:
            return attribute_of(resource.type, id_, attribute)
        is_arn = attribute in {"Arn", "EventBusArn", "SubscriberArn"}
        return self.arn(name) if is_arn else id_.rpartition("/")[2]

    def _referred(self, reference: str) -> str:
        name, _, attribute = reference.partition(".")
        asked = {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}
        return str(self.literal(asked))

    @cached_property
    def _by_arn(self) -> dict[str, str]:
        return {self.arn(name): name for name in self.ids if self.arn(name)}

    def name(self, arn: str) -> str:
        """Return the logical id of what has an ARN, else the ARN."""
        return self._by_arn.get(arn, arn)

    def notes(self, since: int) -> list[dict[str, Any]]:
        """Return what the emulator has noted from a number on."""
        notes: list[dict[str, Any]] = self.control({"do": "journal", "since": since})
        return notes

    def next_note(self) -> int:
        """Return the number of what the emulator will note next."""
        return int(self.control({"do": "next-note"}))

    def client(self, service: str) -> Any:
        """Return a client of a service on the emulator."""
        return self.emulator.client(service)


def deployed(
    emulator: Emulator,
    control: Control,
    template: Template,
    stack: Stack,
    values: Mapping[str, str],
) -> Deployment:
    """Deploy a form; `values` are those that its parameters have in it. Raises UserError."""
    types = {resource.type for resource in stack.resources.values()}
    inert = frozenset(control({"do": "inert", "types": sorted(types)}))
    spelled = _spelled(template, stack, values, inert)
    elsewhere.make_queues(emulator)
    deploy.deploy(emulator, STACK, spelled)
    ids = dict(physical_ids(emulator.client("cloudformation"), STACK))
    given = {name: each["Default"] for name, each in spelled.get("Parameters", {}).items()}
    deployment = Deployment(emulator, control, stack, ids, inert, given)
    _notify(deployment)
    return deployment


def _notify(deployment: Deployment) -> None:
    """Configure the notifications of buckets, their own and those that CDK's function configures.

    Not while they are made: a bucket and the policy that lets it send may wait for each other. What
    leads to nothing that is here is left out.
    """
    configured = [
        *((bucket, {"Ref": bucket.name}) for bucket in deployment.stack.of_type(BUCKET)),
        *((each, each.get("BucketName")) for each in deployment.stack.of_type(CDK_NOTIFICATIONS)),
    ]
    for declared, bucket in configured:
        if given := declared.get("NotificationConfiguration"):
            with suppress(ClientError, ParamValidationError):
                deployment.client("s3").put_bucket_notification_configuration(
                    Bucket=deployment.literal(bucket),
                    NotificationConfiguration=_in_the_api(deployment.literal(given)),
                    SkipDestinationValidation=True,
                )


def _in_the_api(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as S3's API has it; CloudFormation's names differ."""
    found: dict[str, Any] = {}
    for kind, target, name in NOTICES:
        own = [_notice(each, target, name) for each in mappings(configuration.get(kind))]
        of_api = f"{name.removesuffix('Arn')}Configurations"
        found[of_api] = own or mappings(configuration.get(of_api))
    if "EventBridgeConfiguration" in configuration:
        found["EventBridgeConfiguration"] = {}
    return found


def _notice(given: Mapping[str, Any], target: str, name: str) -> dict[str, Any]:
    if name in given:
        return dict(given)
    notice = {name: given.get(target), "Events": [given.get("Event")]}
    rules = [
        {"Name": rule["Name"], "Value": rule["Value"]}
        for rule in mappings(inside(given, "Filter", "S3Key", "Rules"))
    ]
    return {**notice, "Filter": {"Key": {"FilterRules": rules}}} if rules else notice


NOTICES = (
    ("LambdaConfigurations", "Function", "LambdaFunctionArn"),
    ("QueueConfigurations", "Queue", "QueueArn"),
    ("TopicConfigurations", "Topic", "TopicArn"),
)
"""Of each kind of notification: CloudFormation's name, that of its target, and that of S3's API."""


def _spelled(
    template: Template, stack: Stack, values: Mapping[str, str], inert: frozenset[str]
) -> Template:
    """The form as a template of its own: without conditions, and with a value for each parameter.

    Outputs are nothing that an edge depends on, and neither are some properties.
    """
    resources = {
        name: {
            "Type": resource.type,
            "Properties": {} if resource.type in inert else _properties(stack, resource, inert),
            "DependsOn": [each for each in resource.depends_on if each in stack.resources],
        }
        for name, resource in stack.resources.items()
    }
    spelled = {
        "Resources": resources,
        "Parameters": settled_parameters(template, values),
        "Mappings": template.get("Mappings") or {},
    }
    return {part: content for part, content in spelled.items() if content}


def _properties(stack: Stack, resource: Resource, inert: frozenset[str]) -> dict[str, Any]:
    settled: dict[str, Any] = _settled(stack, elsewhere.settled(stack, resource), inert)
    if resource.type == BUCKET:
        settled.pop("NotificationConfiguration", None)
    if resource.type not in ENOUGH:
        return settled
    names, instead = ENOUGH[resource.type]
    return {**{name: value for name, value in settled.items() if name in names}, **instead}


def _settled(stack: Stack, value: Any, inert: frozenset[str]) -> Any:
    """A value without what only an account can resolve."""
    if isinstance(value, list):
        return [_settled(stack, each, inert) for each in value]
    match value:
        case str():
            return DYNAMIC.sub(UNKNOWN_VALUE, value)
        case {"Fn::ImportValue": _}:
            return UNKNOWN_VALUE
        case {"Fn::Select": [number, {"Fn::Split": [str() as at, {"Fn::GetAtt": [name, part]}]}]}:
            resource = stack.resources.get(name)
            if resource and resource.type in inert:
                # Nobody knows how many parts it has on AWS.
                parts = attribute_of(resource.type, f"{STACK}-{name}", part).split(at)
                return parts[min(int(number), len(parts) - 1)]
    if not isinstance(value, dict):
        return value
    return {key: _settled(stack, inner, inert) for key, inner in value.items()}


def unqualified(arn: str) -> str:
    """Return the ARN of a function without a version or alias, any other as it is."""
    parts = arn.split(":")
    return ":".join(parts[:7]) if parts[2:3] == ["lambda"] else arn
