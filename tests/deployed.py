"""What a template becomes with values of its parameters."""

import re
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import Stack


def deployed(template: Template, **values: Any) -> Template:
    """Return the template with the values of its parameters, by default their defaults."""
    parameters = dict(template["Parameters"])
    for name, parameter in parameters.items():
        if parameter["Type"] == "Number" or parameter.get("Default") == "none":
            value = values.pop(name, parameter["Default"])
            value = int(value) if str(value).isdigit() else value
            # It has no other value, so that there are not too many stacks to try all of.
            parameters[name] = {**parameter, "Default": value, "AllowedValues": [value]}
    assert not values
    resources = _with_values(template["Resources"], parameters)
    outputs = {
        name: {**output, "Value": _decided(output["Value"], parameters)}
        for name, output in template["Outputs"].items()
    }
    return {**template, "Parameters": parameters, "Resources": resources, "Outputs": outputs}


def _decided(value: Any, parameters: dict[str, Any]) -> Any:
    match value:
        case {"Fn::If": ["HasDomainName", named, unnamed]}:
            return unnamed if parameters["DomainName"]["Default"] == "none" else named
        case {"Fn::If": ["CreateCluster", own, existing]}:
            return own if parameters["ClusterEndpoint"]["Default"] == "none" else existing
    return value


def _named(found: re.Match[str], parameters: dict[str, Any]) -> str:
    values = parameters.get(found[1], {}).get("AllowedValues", [])
    return str(values[0]) if len(values) == 1 else found[0]


def _with_values(part: Any, parameters: dict[str, Any]) -> Any:
    match part:
        case {"Ref": str(name)} if len(parameters.get(name, {}).get("AllowedValues", [])) == 1:
            return parameters[name]["Default"]
        case {"Fn::Sub": str(text)}:
            return {
                "Fn::Sub": re.sub(r"\$\{(\w+)\}", lambda found: _named(found, parameters), text)
            }
        case {"Fn::Split": [separator, whole]} if isinstance(
            text := _with_values(whole, parameters), str
        ):
            return text.split(separator)
        case dict():
            return {key: _with_values(value, parameters) for key, value in part.items()}
        case list():
            return [_with_values(each, parameters) for each in part]
    return part


def of_type(stack: Stack, kind: str) -> list[Any]:
    return [each.properties for each in stack.resources.values() if each.type == kind]
