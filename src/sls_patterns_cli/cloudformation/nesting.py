"""A nested stack's resources beside those of the stack that it is nested in.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html
"""

from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.names import renamed, replaced
from sls_patterns_cli.cloudformation.stack import inside


def put_into(parent: Template, name: str, nested: Template) -> dict[str, str]:
    """Put the resources of the nested stack `name` into its parent, under ids that are free there.

    The resource that is the stack goes. Returns the new id of each resource by its id in `nested`.
    """
    stack = parent["Resources"][name]
    parameters = inside(stack, "Properties", "Parameters")
    given = dict(parameters) if isinstance(parameters, dict) else {}
    for parameter, declared in (nested.get("Parameters") or {}).items():
        if parameter not in given and isinstance(declared, dict) and "Default" in declared:
            given[parameter] = declared["Default"]
    taken = {*parent["Resources"], *(parent.get("Parameters") or {})}
    names = {each: each if each not in taken else f"{name}{each}" for each in nested["Resources"]}
    conditions = {each: f"{name}{each}" for each in nested.get("Conditions") or {}}
    template = renamed(nested, names, conditions)
    template = {
        section: replaced(template.get(section) or {}, given, lambda *_: None)
        for section in ("Resources", "Outputs", "Conditions")
    }
    if "Condition" in stack:
        for resource in template["Resources"].values():
            resource.setdefault("Condition", stack["Condition"])
    outputs = template["Outputs"]

    def output(of: str, attribute: str) -> Any:
        if of != name or not attribute.startswith("Outputs."):
            return None
        return inside(outputs, attribute.removeprefix("Outputs."), "Value")

    others = {each: resource for each, resource in parent["Resources"].items() if each != name}
    parent["Resources"] = {
        **replaced(others, {}, output),
        **replaced(template["Resources"], {}, output),
    }
    if nested.get("Mappings"):
        parent["Mappings"] = {**nested["Mappings"], **(parent.get("Mappings") or {})}
    parent["Conditions"] = {**(parent.get("Conditions") or {}), **template["Conditions"]}
    return names
