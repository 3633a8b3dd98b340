"""CloudFormation as a stack of resources that refer to each other.

Takes plain CloudFormation: what the SAM transform or `cdk synth` made.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, Literal, TypeVar

from sls_patterns_cli.cloudformation.conditions import Choice

# What `Ref` returns for the resources whose `Ref` is their ARN, and the attributes that are ARNs.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
REF_IS_ARN = {
    "AWS::EventsV2::EventBus",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
    "AWS::IAM::ManagedPolicy",
}
ARN_ATTRIBUTES = {
    "Arn",
    "AliasArn",
    "EventBusArn",
    "FunctionArn",
    "Id",
    "PolicyArn",
    "StreamArn",
    "TopicArn",
}

# The ARN of a log group as CDK writes it where a service wants it without its `:*`.
LOG_GROUP_ARN = re.compile(
    r"arn:\$\{AWS::Partition\}:logs:\$\{AWS::Region\}:\$\{AWS::AccountId\}:log-group:(?=\$\{\w+\}$)"
)
ONE_REFERENCE = re.compile(r"\$\{(\w+)(?:\.([\w.]+))?\}")
# An ARN put together from the name of one resource, with what is inside of that behind it.
# What CDK makes of the ARN of an alias or version: the function's name, with a qualifier.
NAME_OF_QUALIFIER = re.compile(r"\$\{(\w+)\} split at :, part 6:[\w-]+")
ARN_OF_ONE = re.compile(
    r"arn:(?:[^$]|\$\{AWS::\w+\})*[:/]\$\{(\w+)(?:\.\w+)?\}(?:[:/](?:[^$]|\$\{AWS::\w+\})*)?"
)
OPAQUE = "AWS::CloudFormation::", "Custom::"
"""What these return is whatever somebody's code or another template makes of it."""

# The types that an ARN may be of, by its service and the first word of what it names.
TYPES_BY_ARN = {
    ("sqs", ""): "AWS::SQS::Queue",
    ("sns", ""): "AWS::SNS::Topic",
    ("s3", ""): "AWS::S3::Bucket",
    ("lambda", "function"): "AWS::Lambda::Function",
    ("dynamodb", "table"): "AWS::DynamoDB::Table",
    ("kinesis", "stream"): "AWS::Kinesis::Stream",
    ("firehose", "deliverystream"): "AWS::KinesisFirehose::DeliveryStream",
    ("states", "stateMachine"): "AWS::StepFunctions::StateMachine",
    ("events", "event-bus"): "AWS::Events::EventBus",
    ("logs", "log-group"): "AWS::Logs::LogGroup",
}
# The properties that give a resource its name.
NAMES = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Events::EventBus": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
}


@dataclass(frozen=True)
class Place:
    """Where a reference leads: to a resource of the stack, outside of it, or nobody can say.

    `name` is the logical id, or of what is outside what stands in the template.
    """

    kind: Literal["resource", "outside", "unknown"]
    name: str


@dataclass(frozen=True)
class Resource:
    """One resource of a stack, by its logical id."""

    name: str
    type: str
    properties: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    """The resources that DependsOn names."""
    deletion_policy: str | None = None
    """What becomes of it when it is no more in the template; None where it is deleted."""
    update_policy: Mapping[str, Any] = field(default_factory=dict)
    """How an update of it goes on."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What it says of itself, whose references CloudFormation follows as well (fact O16)."""

    @cached_property
    def referred_to(self) -> set[str]:
        """The names that it refers to or depends on: of resources, parameters and the like."""
        return {*self.depends_on, *references(self.properties), *references(self.metadata)}

    def get(self, *path: str) -> Any:
        """Return the property at the path; None where it is missing."""
        value: Any = self.properties
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def items(self, *path: str) -> list[dict[str, Any]]:
        """Return the mappings in the list at the path; [] where it is missing or something else."""
        return mappings(self.get(*path))

    def is_true(self, *path: str) -> bool:
        """Tell whether the property at the path is true, as CloudFormation reads it."""
        return self.get(*path) in (True, "true")


class Stack:
    """What one choice of a template's conditions deploys."""

    def __init__(self, resources: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters if isinstance(parameters, Mapping) else {}
        self.worked_out: dict[tuple[str, ...], Any] = {}
        """What `once_a_stack` remembers."""
        self.resources = {
            name: Resource(
                name,
                resource["Type"],
                resource.get("Properties") or {},
                tuple(map(str, listed(resource.get("DependsOn")))),
                resource.get("DeletionPolicy"),
                resource.get("UpdatePolicy") or {},
                resource.get("Metadata") or {},
            )
            for name, resource in resources.items()
        }

    def of_type(self, *types: str) -> Iterator[Resource]:
        return (resource for type_ in types for resource in self._by_type.get(type_, ()))

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources.values():
            found.setdefault(resource.type, []).append(resource)
        return found

    @cached_property
    def functions(self) -> list[Resource]:
        return list(self.of_type("AWS::Lambda::Function"))

    def text(self, value: Any) -> str:
        """Return the value as one text in which `${Name}` and `${Name.Attribute}` are references.

        Ref, GetAtt, Sub and Join that say the same give the same text; `${?}` stands for
        whatever else CloudFormation computes, and equals nothing.
        """
        if not isinstance(value, dict):
            return str(value)
        said = "${?}"
        match next(iter(value.items()), None) if len(value) == 1 else None:
            case ("Ref" | "Fn::GetAtt", str() as name):
                said = f"${{{name}}}"
            case ("Fn::GetAtt", [str() as name, str() as attribute]):
                said = f"${{{name}.{attribute}}}"
            case ("Fn::Join", [str() as separator, list() as parts]):
                said = separator.join(map(self.text, parts))
            case ("Fn::Join", [str() as new, {"Fn::Split": [str() as separator, whole]}]):
                said = f"{self.text(whole)} with {new} for {separator}"
            case ("Fn::Select", [index, {"Fn::Split": [str() as separator, whole]}]):
                said = f"{self.text(whole)} split at {separator}, part {index}"
            case ("Fn::Sub", str() as template):
                said = template.replace("${!", "${")
            case ("Fn::Sub", [str() as template, dict() as variables]):
                for name, inner in variables.items():
                    template = template.replace(f"${{{name}}}", self.text(inner))
                said = template.replace("${!", "${")
        return said

    def text_in_numbers(self, value: Any) -> str:
        """Return the value as `text`, with the number of each parameter that has one."""

        def given(found: re.Match[str]) -> str:
            number = self.number({"Ref": found[1]})
            return found[0] if number is None else str(number)

        return re.sub(r"\$\{(\w+)\}", given, self.text(value))

    def comes_after(self, resource: Resource) -> set[str]:
        """Return the resources that CloudFormation makes before this one: named or referred to."""
        found: set[str] = set()
        waiting = [resource]
        while waiting:
            named = waiting.pop().referred_to & self.resources.keys()
            waiting += [self.resources[name] for name in named - found]
            found |= named
        return found

    def number(self, value: Any, default: int | None = None) -> int | None:
        """Return a number, or `default` where none is given; None where nobody can say.

        A parameter has its default, unless whoever deploys says otherwise.
        """
        if value is None:
            return default
        if isinstance(value, dict):
            declared = self.parameters.get(str(value.get("Ref")))
            value = declared.get("Default") if isinstance(declared, dict) else None
        try:
            return int(value)
        except (TypeError, ValueError):
            return None

    def named(self, value: Any, *types: str) -> Resource | None:
        """Return the resource whose name or ARN the value is, if it is of one of these types."""
        match = ONE_REFERENCE.fullmatch(LOG_GROUP_ARN.sub("", self.text(value)))
        resource = self.resources.get(match[1]) if match else None
        return resource if resource and (not types or resource.type in types) else None

    def by_arn(self, value: Any, *types: str) -> Resource | None:
        """Return the resource whose ARN the value is, if it is of one of these types."""
        resource = self.named(value, *types)
        return resource if resource and self.text(value) in self.arns(resource) else None

    def found(self, value: Any, *types: str) -> Resource | None:
        """Return the resource that the value means, be it by reference, by name or by ARN.

        People write ARNs and addresses out of the name that they gave.
        """
        resource = self.named(value, *types)
        if resource or value is None:
            return resource
        text = self.text(value)
        type_, name = _of_arn(text)
        of_types = [type_] if type_ else types
        called = (each for of in of_types if (each := self._called(of, name)))
        resource = next(called, None)
        if resource is None and (match := ARN_OF_ONE.fullmatch(text)):
            resource = self.resources.get(match[1])
        return resource if resource and (not types or resource.type in types) else None

    def place(self, value: Any, *types: str) -> Place:
        """Return where the value leads."""
        resource = self.found(value, *types)
        if resource and not resource.type.startswith(OPAQUE):
            return Place("resource", resource.name)
        referred = set(references(value)) & self.resources.keys()
        text = self.outside(value)
        if text.endswith(":event-bus/default"):
            text = "default"
        return Place("unknown" if referred or is_unknown(value) else "outside", text)

    def outside(self, value: Any) -> str:
        """Return what stands in the template for something outside: a parameter, import or ARN."""
        match value:
            case {"Fn::ImportValue": inner} | {"Fn::Unknown": inner}:
                value = inner
        text = self.text(value)
        parameter = ONE_REFERENCE.fullmatch(text)
        return parameter[1] if parameter and not parameter[2] else text

    def _called(self, type_: str, name: str) -> Resource | None:
        """Return the one resource of a type with this name; ${Id} and ${Id.Name} are names, too."""
        reference = ONE_REFERENCE.fullmatch(name)
        if reference and reference[1] in self.resources:
            resource = self.resources[reference[1]]
            return resource if resource.type == type_ else None
        named = self._by_name.get((type_, name), [])
        return named[0] if len(named) == 1 else None

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[Resource]]:
        """The resources that have a name of their own, by type and name."""
        found: dict[tuple[str, str], list[Resource]] = {}
        for type_, property_ in NAMES.items():
            for resource in self._by_type.get(type_, ()):
                name = resource.get(property_)
                if name is not None:
                    found.setdefault((type_, self.text(name)), []).append(resource)
        return found

    def arns(self, resource: Resource) -> set[str]:
        """Return every text that is the ARN of the resource."""
        by_attribute = {f"${{{resource.name}.{attribute}}}" for attribute in ARN_ATTRIBUTES}
        by_ref = {f"${{{resource.name}}}"} if resource.type in REF_IS_ARN else set()
        if resource.type == "AWS::S3::Bucket":  # named, since its policy may not refer to it
            by_ref = {
                f"arn:{partition}:s3:::{name}"
                for partition in ("aws", "${AWS::Partition}")
                for name in (f"${{{resource.name}}}", self.text(resource.get("BucketName")))
            }
        if resource.type == "AWS::Events::Rule" and resource.get("Name"):
            # Named, since a policy that comes first may not refer to it (fact B37).
            bus, name = self.text(resource.get("EventBusName")), self.text(resource.get("Name"))
            account = "${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}"
            by_ref = {f"arn:{account}:rule/{bus}/{name}"}
        return by_attribute | by_ref

    def means(self, value: Any, function: Resource) -> bool:
        """Tell whether a name or ARN means the function, whatever the qualifier."""
        invoked = self.function(value)
        return invoked is not None and invoked[0] == function

    def function(self, value: Any) -> tuple[Resource, str] | None:
        """Return the function that a name or ARN means, and the qualifier it is invoked by."""
        types = ("AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version")
        resource = self.named(value, *types)
        if resource is None and (match := NAME_OF_QUALIFIER.fullmatch(self.text(value))):
            resource = self.resources.get(match[1])
            resource = resource if resource and resource.type in types else None
        if resource is None:
            return None
        if resource.type == "AWS::Lambda::Function":
            return resource, "$LATEST"
        owner = self.named(resource.get("FunctionName"), "AWS::Lambda::Function")
        if owner is None:
            return None
        if resource.type == "AWS::Lambda::Alias":
            return owner, self.text(resource.get("Name"))
        return owner, f"${{{resource.name}.Version}}"


T = TypeVar("T")


def once_a_stack(find: Callable[..., Iterator[T]]) -> Callable[..., list[T]]:
    """Work out what a stack has, as a whole or for one of its resources, once for each stack.

    Rules ask the same hundreds of times.
    """

    @wraps(find)
    def found(stack: Stack, *resources: Resource) -> list[T]:
        asked = (find.__module__, find.__name__, *(resource.name for resource in resources))
        if asked not in stack.worked_out:
            stack.worked_out[asked] = list(find(stack, *resources))
        result: list[T] = stack.worked_out[asked]
        return result

    return found


def stack_of(template: Mapping[str, Any], choice: Choice) -> Stack:
    """Return the stack that a template becomes by one choice of its conditions."""
    resources = {
        name: choice.apply({key: resource[key] for key in resource if key != "Condition"})
        if has_choices(resource)
        else resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or choice.named(resource["Condition"])
    }
    return Stack(resources, template.get("Parameters") or {})


def has_choices(value: Any) -> bool:
    """Tell whether something in the value depends on a condition, or is left out."""
    if isinstance(value, list):
        return any(map(has_choices, value))
    if not isinstance(value, dict):
        return False
    return (
        "Fn::If" in value
        or value.get("Ref") == "AWS::NoValue"
        or any(map(has_choices, value.values()))
    )


def is_unknown(value: Any) -> bool:
    """Tell whether only a macro decides what a value becomes, or the apply of a Terraform plan."""
    return any(True for key in ("Fn::Transform", "Fn::Unknown") for _ in find_all(value, key))


def find_all(value: Any, key: str) -> Iterator[Any]:
    """Return what stands under the key, wherever it is in the value."""
    if isinstance(value, list):
        for inner in value:
            yield from find_all(inner, key)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from find_all(inner, key)


def references(value: Any) -> Iterator[str]:
    """Return the names that Ref, GetAtt and Sub in the value refer to."""
    for found in find_all(value, "Ref"):
        yield str(found)
    for found in find_all(value, "Fn::GetAtt"):
        yield str(_first(found)).split(".")[0]
    for found in find_all(value, "Fn::Sub"):
        yield from re.findall(r"\$\{(\w+)", str(_first(found)))


def dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Return every dictionary in a value, itself included."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from dictionaries(inner)


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in a list; [] for anything else, such as what a macro would fill in."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def inside(value: Any, *path: str) -> Any:
    """Return what is in nested mappings at the path; None where it is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def listed(value: Any) -> list[Any]:
    """Return a value that may be one or many as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _first(value: Any) -> Any:
    """The first of a list; any other value as it is."""
    return next(iter(value), None) if isinstance(value, list) else value


def _of_arn(text: str) -> tuple[str, str]:
    """Return the type and name that a text names as ARN or address; ("", text) for another."""
    bare = re.sub(r"\$\{AWS::(\w+)\}", r"${AWS.\1}", text)
    match = re.fullmatch(r"https://(?:sqs\.[^/]+|[^/]*queue[^/]*)/[^/]+/(.+)", bare)
    if match:
        return "AWS::SQS::Queue", match[1]
    parts = bare.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return "", text
    kind, name = re.split(r"[:/]", f"{parts[5]}:", maxsplit=1)
    if (parts[2], "") in TYPES_BY_ARN:
        kind, name = "", parts[5]
    type_ = TYPES_BY_ARN.get((parts[2], kind), "")
    if type_ != "AWS::S3::Bucket":
        name = re.split(r"[:/]", name)[0]
    return type_, name.replace("${AWS.", "${AWS::")
