"""CloudFormation as a stack of resources that refer to each other.

Takes what the SAM transform or `cdk synth` made: plain CloudFormation.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from synthesis import template_file

from sls_patterns_cli.local import cloudformation
from sls_patterns_cli.local.flavours import cdk

Template = dict[str, Any]

MOST_CONDITIONS = 8

# Properties of a function that follow from its runtime.
OF_CODE = {"Code", "Environment", "Handler", "Runtime"}

# What `Ref` returns for the resources whose `Ref` is their ARN, and the attributes that are ARNs.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
REF_IS_ARN = {
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
    "AWS::IAM::ManagedPolicy",
}
ARN_ATTRIBUTES = {"Arn", "AliasArn", "FunctionArn", "Id", "PolicyArn", "StreamArn", "TopicArn"}

# The ARN of a log group as CDK writes it where a service wants it without its `:*`.
LOG_GROUP_ARN = re.compile(
    r"arn:\$\{AWS::Partition\}:logs:\$\{AWS::Region\}:\$\{AWS::AccountId\}:log-group:(?=\$\{\w+\}$)"
)
ONE_REFERENCE = re.compile(r"\$\{(\w+)(?:\.([\w.]+))?\}")


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

    @cached_property
    def referred_to(self) -> set[str]:
        """The names that it refers to or depends on: of resources, parameters and the like."""
        return {*self.depends_on, *references(self.properties)}

    def get(self, *path: str) -> Any:
        """Return the property at the path; None where it is missing."""
        value: Any = self.properties
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


class Stack:
    """What one choice of a template's conditions deploys."""

    def __init__(self, resources: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.worked_out: dict[tuple[str, ...], Any] = {}
        """What `once_a_stack` remembers."""
        self.resources = {
            name: Resource(
                name,
                resource["Type"],
                resource.get("Properties", {}),
                _names(resource.get("DependsOn")),
                resource.get("DeletionPolicy"),
            )
            for name, resource in resources.items()
        }

    def of_type(self, *types: str) -> Iterator[Resource]:
        return (resource for resource in self.resources.values() if resource.type in types)

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
            case ("Fn::Select", [index, {"Fn::Split": [str() as separator, whole]}]):
                said = f"{self.text(whole)} split at {separator}, part {index}"
            case ("Fn::Sub", str() as template):
                said = template.replace("${!", "${")
            case ("Fn::Sub", [str() as template, dict() as variables]):
                for name, inner in variables.items():
                    template = template.replace(f"${{{name}}}", self.text(inner))
                said = template.replace("${!", "${")
        return said

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
        """Return a number; of a parameter, the one it has unless whoever deploys says otherwise."""
        if isinstance(value, dict) and value.get("Ref") in self.parameters:
            value = self.parameters[value["Ref"]].get("Default")
        try:
            return default if value is None else int(value)
        except (TypeError, ValueError):
            return default

    def named(self, value: Any, *types: str) -> Resource | None:
        """Return the resource whose name or ARN the value is, if it is of one of these types."""
        match = ONE_REFERENCE.fullmatch(LOG_GROUP_ARN.sub("", self.text(value)))
        resource = self.resources.get(match[1]) if match else None
        return resource if resource and (not types or resource.type in types) else None

    def by_arn(self, value: Any, *types: str) -> Resource | None:
        """Return the resource whose ARN the value is, if it is of one of these types."""
        resource = self.named(value, *types)
        return resource if resource and self.text(value) in self.arns(resource) else None

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
        resource = self.named(
            value, "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
        )
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

    The contract asks the same hundreds of times, and is itself asked for hundreds of templates.
    """

    @wraps(find)
    def found(stack: Stack, *resources: Resource) -> list[T]:
        asked = (find.__name__, *(resource.name for resource in resources))
        if asked not in stack.worked_out:
            stack.worked_out[asked] = list(find(stack, *resources))
        result: list[T] = stack.worked_out[asked]
        return result

    return found


def stacks(template: Template) -> Iterator[Stack]:
    """Return every stack that the template may become: one for each choice of its conditions.

    Each comparison may come out either way, so some of the choices may never be deployed; what
    must hold must hold in all of them. Raises ValueError for more than MOST_CONDITIONS.
    """
    conditions: Mapping[str, Any] = template.get("Conditions", {})
    comparisons = sorted(
        {json.dumps(found, sort_keys=True) for found in _comparisons(list(conditions.values()))}
    )
    if len(comparisons) > MOST_CONDITIONS:
        raise ValueError(f"{len(comparisons)} conditions are too many to try all choices of")
    for outcome in product((True, False), repeat=len(comparisons)):
        holds = _Conditions(conditions, dict(zip(comparisons, outcome, strict=True)))
        yield _stack_of(template, holds)


def _stack_of(template: Template, holds: "_Conditions") -> Stack:
    resources = {
        name: holds.apply({key: resource[key] for key in resource if key != "Condition"})
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds.named(resource["Condition"])
    }
    return Stack(resources, template.get("Parameters", {}))


def default_stack(template: Template) -> Stack:
    """Return the stack that the template becomes with the defaults of its parameters."""
    given = {
        name: str(parameter["Default"])
        for name, parameter in template.get("Parameters", {}).items()
        if "Default" in parameter
    }

    def by_default(comparison: Mapping[str, Any]) -> bool:
        texts = [
            given.get(str(each.get("Ref"))) if isinstance(each, dict) else str(each)
            for each in comparison.get("Fn::Equals", [])
        ]
        return None in texts or len(set(texts)) == 1

    conditions = template.get("Conditions", {})
    outcome = {
        json.dumps(each, sort_keys=True): by_default(each)
        for each in _comparisons(list(conditions.values()))
    }
    return _stack_of(template, _Conditions(conditions, outcome))


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
        yield str(found[0] if isinstance(found, list) else found.split(".")[0])
    for found in find_all(value, "Fn::Sub"):
        text = found[0] if isinstance(found, list) else found
        yield from re.findall(r"\$\{(\w+)", text)


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def load(project: Path) -> Template:
    """Return a rendered project's infrastructure as CloudFormation."""
    file = template_file(project)
    if file.suffix == ".json":
        return cdk.read(file.parent).template
    template = cloudformation.read(file)
    shared = template.get("Globals", {}).get("Function", {})
    for function in (shared, *(r.get("Properties", {}) for r in template["Resources"].values())):
        if "CodeUri" in function:
            function["CodeUri"] = "s3://packaged/code.zip"  # as `sam package` does
        if isinstance(function.get("DefinitionUri"), str):
            definition = (project / function.pop("DefinitionUri")).read_text()
            function["Definition"] = json.loads(definition)
    return expand(template)


def expand(template: Template) -> Template:
    """Return SAM as CloudFormation; plain CloudFormation stays as it is."""
    return cloudformation.expand(template, "eu-west-1") if "Transform" in template else template


def without_code(template: Template) -> str:
    """Return the template but for what its functions run and are told, as JSON.

    That is what runtimes differ in, and not the contract's.
    """
    bare = {
        name: {
            **{key: value for key, value in resource.items() if key != "Metadata"},
            "Properties": {
                key: value
                for key, value in resource.get("Properties", {}).items()
                if resource["Type"] != "AWS::Lambda::Function" or key not in OF_CODE
            },
        }
        for name, resource in template["Resources"].items()
    }
    return json.dumps({**template, "Resources": bare}, sort_keys=True)


@dataclass(frozen=True)
class _Conditions:
    declared: Mapping[str, Any]
    outcome: Mapping[str, bool]

    def named(self, name: str) -> bool:
        return self.holds(self.declared[name])

    def holds(self, condition: Mapping[str, Any]) -> bool:
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.named(argument)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))
        return self.outcome[json.dumps(condition, sort_keys=True)]

    def apply(self, value: Any) -> Any:
        """Return the value with each Fn::If decided and what is AWS::NoValue left out."""
        text = json.dumps(value)
        return self._applied(value) if "Fn::If" in text or "AWS::NoValue" in text else value

    def _applied(self, value: Any) -> Any:
        if isinstance(value, list):
            return [done for done in map(self._applied, value) if done != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Fn::If"}:
            name, then, otherwise = value["Fn::If"]
            return self._applied(then if self.named(name) else otherwise)
        applied = {key: self._applied(inner) for key, inner in value.items()}
        return {key: done for key, done in applied.items() if done != {"Ref": "AWS::NoValue"}}


def _comparisons(value: Any) -> Iterator[Mapping[str, Any]]:
    """Return what conditions are made of: Fn::Equals, Fn::Contains and the like."""
    if isinstance(value, list):
        for inner in value:
            yield from _comparisons(inner)
        return
    ((function, argument),) = value.items()
    if function in {"Fn::Not", "Fn::And", "Fn::Or"}:
        yield from _comparisons(argument)
    elif function != "Condition":
        yield value
