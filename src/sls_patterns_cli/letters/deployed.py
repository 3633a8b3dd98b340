"""A deployed stack: its template, as CloudFormation has it, and what became of each resource."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sls_patterns_cli.cloudformation.conditions import Choice
from sls_patterns_cli.cloudformation.document import Template, problem_of, template_of
from sls_patterns_cli.cloudformation.names import replaced
from sls_patterns_cli.cloudformation.nesting import put_into
from sls_patterns_cli.cloudformation.stack import Resource, Stack, stack_of
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import Clients, explained
from sls_patterns_cli.letters.targets import name_of
from sls_patterns_cli.wiring.model import MACHINE, QUEUE

NESTED = "AWS::CloudFormation::Stack"
ALWAYS, NEVER = {"Fn::Equals": ["", ""]}, {"Fn::Equals": ["", "never"]}
CDK_HASH = re.compile(r"[0-9A-F]{8}$")
GONE = {"DELETE_COMPLETE", "DELETE_SKIPPED"}


@dataclass(frozen=True)
class Deployed:
    """A stack with those that are nested in it; `ids` has the physical id of each resource."""

    name: str
    arn: str
    stack: Stack
    ids: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of the stack itself."""


def read(name: str, clients: Clients, template: Template | None = None) -> Deployed:
    """Read a deployed stack; a template that is given takes the place of its own.

    Raises UserError for a stack that does not exist, or that nobody lets us read.
    """
    described, read_template, ids = _read(name, clients, template)
    stack = stack_of(read_template, Choice({}, {}))
    for machine in machines_in_s3(stack):
        machine.properties["DefinitionString"] = _definition(stack, machine, ids, clients)
    tags = {each["Key"]: each["Value"] for each in described.get("Tags", [])}
    return Deployed(name, described["StackId"], stack, ids, tags)


def machines_in_s3(stack: Stack) -> list[Resource]:
    """Return the state machines whose definition SAM or CDK has left in S3.

    Only the definition says what a machine itself keeps: executions, or items of a map.
    """
    return [each for each in stack.of_type(MACHINE) if each.get("DefinitionS3Location")]


def _definition(stack: Stack, machine: Resource, ids: Mapping[str, str], clients: Clients) -> str:
    """Return the definition that AWS has, with the logical ids of queues instead of their URLs."""
    with explained(f"The state machine {machine.name}"):
        asked = clients("stepfunctions")
        described = asked.describe_state_machine(stateMachineArn=ids[machine.name])
    text: str = described["definition"]
    for queue in stack.of_type(QUEUE):
        text = text.replace(ids[queue.name], f"${{{queue.name}}}")
    return text


def resource_of(deployed: Deployed, kind: str, type_: str, given: str) -> str:
    """Return the logical id of the resource that somebody names; raises UserError for none.

    Its logical id is a name, with or without the hash that CDK adds, and so is what AWS calls it.
    """
    known = [each.name for each in deployed.stack.of_type(type_) if each.name in deployed.ids]
    exact = [each for each in known if given in {each, name_of(deployed.ids[each])}]
    meant = exact or [each for each in known if given == CDK_HASH.sub("", each)]
    if len(meant) != 1:
        named = ", ".join(known) or "there is none"
        raise UserError(f"{given} is no {kind} of {deployed.name}: {named}.")
    return meant[0]


def _read(
    name: str, clients: Clients, template: Template | None = None, *, is_nested: bool = False
) -> tuple[Mapping[str, Any], Template, dict[str, str]]:
    cloudformation = clients("cloudformation")
    with explained(f"The stack {name}"):
        (described,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        ids = dict(physical_ids(cloudformation, name))
        if template is None:
            answer = cloudformation.get_template(StackName=name, TemplateStage="Processed")
            template = _template(answer["TemplateBody"], name)
    deployed = _of_what_is_there(template, described, ids, is_nested=is_nested)
    for nested in [each for each in deployed["Resources"] if _type(deployed, each) == NESTED]:
        _, inner, inner_ids = _read(ids[nested], clients, is_nested=True)
        names = put_into(deployed, nested, inner)
        ids |= {names[each]: id_ for each, id_ in inner_ids.items() if each in names}
    return described, deployed, ids


def physical_ids(cloudformation: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield the logical id of each resource of a stack that is there, and its physical one."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            if resource.get("PhysicalResourceId") and resource["ResourceStatus"] not in GONE:
                yield resource["LogicalResourceId"], resource["PhysicalResourceId"]


def _template(body: Any, name: str) -> Template:
    """The SDK parses JSON, and returns YAML as text (fact X24)."""
    if isinstance(body, str):
        return template_of(body, name)
    template: Template = json.loads(json.dumps(body))
    if problem := problem_of(template):
        raise UserError(f"The template of the stack {name}: {problem}.")
    return template


def _of_what_is_there(
    template: Template, described: Mapping[str, Any], ids: Mapping[str, str], *, is_nested: bool
) -> Template:
    """Return the template with the resources that are deployed, its conditions decided.

    What a condition came to shows by the resources that depend on it. References to parameters
    become their values, but for those of a nested stack, which its parent says.
    """
    values = {
        each["ParameterKey"]: each.get("ResolvedValue") or each.get("ParameterValue") or ""
        for each in described.get("Parameters", [])
    }
    region, account = described["StackId"].split(":")[3:5]
    pseudo = {"AWS::Region": region, "AWS::AccountId": account}
    conditions = dict(template.get("Conditions") or {})
    for name, resource in template["Resources"].items():
        if isinstance(resource.get("Condition"), str):
            conditions[resource["Condition"]] = ALWAYS if name in ids else NEVER
    choice = Choice(conditions, values | pseudo)
    resources = {
        name: choice.apply({key: each[key] for key in each if key != "Condition"})
        for name, each in template["Resources"].items()
        if name in ids
    }
    outputs = choice.apply(template.get("Outputs") or {})
    parameters = template.get("Parameters") or {}
    if is_nested:
        return {"Resources": resources, "Outputs": outputs, "Parameters": parameters}
    texts = {
        name: value
        for name, value in values.items()
        if isinstance(parameters.get(name), dict)
        and not parameters[name].get("NoEcho")
        and "List" not in str(parameters[name].get("Type"))
    }
    return {"Resources": replaced(resources, texts, lambda *_: None), "Parameters": parameters}


def _type(template: Template, name: str) -> Any:
    return template["Resources"][name]["Type"]
