"""What an account would know of a template: here it is given, derived, or a stand-in, and said."""

from collections.abc import Callable, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.parameters import (
    DYNAMIC,
    UNKNOWN_VALUE,
    declared_parameters,
    settled_parameters,
)
from sls_patterns_cli.cloudformation.stack import Stack, references
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.workloads.functions import Function

Say = Callable[[str], None]

CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")

ANSWER_SECONDS = "60"
"""How long a custom resource may take to answer here, unless its template says how long.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
"""

_NOTHING = Stack({}, {})


def settle_parameters(template: Template, given: Mapping[str, str], say: Say) -> None:
    """Give each parameter a value; says those that are derived. Raises UserError for unknown names.

    Those that name a system's address and get a stand-in keep no value.
    """
    declared = dict(declared_parameters(template))
    for name in given:
        if name not in declared:
            names = ", ".join(declared) or "it has none"
            raise UserError(f"--parameter {name}: the template has no such parameter ({names})")
    settled = settled_parameters(template, given)
    for name, parameter in settled.items():
        if name not in given and "Default" not in declared[name]:
            value = parameter["Default"]
            say(f"The parameter {name} has no default; took {value!r} (--parameter {name}=VALUE)")
    if settled:
        template["Parameters"] = settled


def settle_outside(template: Template, say: Say) -> None:
    """Put a stand-in in the place of what other stacks export and of what an account resolves."""
    for section in ("Resources", "Outputs"):
        if section in template:
            template[section] = _settled(template[section], say)


def _settled(value: Any, say: Say) -> Any:
    if isinstance(value, list):
        return [_settled(inner, say) for inner in value]
    match value:
        case str():
            for found in DYNAMIC.findall(value):
                if "${" not in found:  # else it may name a resource of this stack
                    say(f"{found} is not here; took {UNKNOWN_VALUE!r}")
                    value = value.replace(found, UNKNOWN_VALUE)
        case {"Fn::ImportValue": name}:
            say(f"The import of {name} is not here; took {UNKNOWN_VALUE!r}")
            return UNKNOWN_VALUE
        case dict():
            return {key: _settled(inner, say) for key, inner in value.items()}
    return value


def settle_waits(template: Template) -> None:
    """Let no custom resource wait an hour, which is AWS's default, for what may never come."""
    for resource in template["Resources"].values():
        if resource["Type"].startswith(CUSTOM):
            resource.setdefault("Properties", {}).setdefault("ServiceTimeout", ANSWER_SECONDS)


def settle_layers(template: Template, function: Function, say: Say) -> list[str]:
    """Take layers of other accounts from a function, and return what names them."""
    layers = function.properties.get("Layers")
    here: list[Any] = []
    elsewhere: list[Any] = []
    for layer in layers if isinstance(layers, list) else ():
        refers = set(references(layer)) & template["Resources"].keys()
        (here if refers else elsewhere).append(layer)
    if layers:
        function.properties["Layers"] = here
    named = [_NOTHING.text(layer) for layer in elsewhere]
    for name in named:
        say(f"The layer {name} is not here: {function.name} runs without it")
    return named


def stand_in(function: Function, runtime: str, why: str) -> None:
    """Put a function that fails plainly in the place of one that cannot run here."""
    properties = function.properties
    for name in ("ImageConfig", "Layers", "PackageType", "SnapStart", "Architectures"):
        properties.pop(name, None)
    says = f"{function.name} does not run on the local stack: {why}"
    code = f"def handler(event, context):\n    raise RuntimeError({says!r})\n"
    properties |= {"Runtime": runtime, "Handler": "index.handler", "Code": {"ZipFile": code}}
