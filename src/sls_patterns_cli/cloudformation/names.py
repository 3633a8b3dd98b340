"""Logical ids changed throughout a template, so that templates can be put into one another."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.document import Template

REFERENCE = re.compile(r"\$\{([^!{}.]+)((?:\.[^{}]+)?)\}")


def replaced(value: Any, given: Mapping[str, Any], attributes: Callable[[str, str], Any]) -> Any:
    """Return the value with references replaced.

    `given` has a value for what `Ref` names; `attributes` returns one for a resource's attribute,
    or None where the reference stays.
    """
    if isinstance(value, list):
        return [replaced(inner, given, attributes) for inner in value]
    if not isinstance(value, dict):
        return value
    result: Any = None
    match value:
        case {"Ref": str() as name}:
            result = given.get(name)
        case {"Fn::GetAtt": reference}:
            name, attribute = _attribute(reference)
            result = attributes(name, attribute) if name else None
        case {"Fn::Sub": str() as text}:
            result = _substituted(text, {}, given, attributes)
        case {"Fn::Sub": [str() as text, dict() as variables]}:
            inner = {key: replaced(each, given, attributes) for key, each in variables.items()}
            result = _substituted(text, inner, given, attributes)
    if result is None:
        result = {key: replaced(inner, given, attributes) for key, inner in value.items()}
    return result


def renamed(
    template: Template, names: Mapping[str, str], conditions: Mapping[str, str]
) -> Template:
    """Return the template with resources and conditions under their new names."""

    def attribute(name: str, of: str) -> Any:
        return {"Fn::GetAtt": [names[name], of]} if name in names else None

    given = {old: {"Ref": new} for old, new in names.items()}
    result = dict(template)
    for section in ("Resources", "Outputs", "Conditions"):
        if isinstance(template.get(section), dict):
            changed = _with_conditions(template[section], conditions)
            result[section] = replaced(changed, given, attribute)
    result["Resources"] = {
        names.get(name, name): _depending(resource, names)
        for name, resource in result["Resources"].items()
    }
    if isinstance(result.get("Conditions"), dict):
        result["Conditions"] = {
            conditions.get(name, name): value for name, value in result["Conditions"].items()
        }
    return result


def _depending(resource: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(resource, dict) or "DependsOn" not in resource:
        return resource
    on = resource["DependsOn"]
    on = [on] if isinstance(on, str) else on
    known = [names.get(str(each), str(each)) for each in on if isinstance(on, list)]
    return {**resource, "DependsOn": known}


def _with_conditions(value: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, list):
        return [_with_conditions(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _with_conditions(inner, names) for key, inner in value.items()}
    if isinstance(changed.get("Condition"), str):
        changed["Condition"] = names.get(changed["Condition"], changed["Condition"])
    match changed.get("Fn::If"):
        case [str() as name, *rest]:
            changed["Fn::If"] = [names.get(name, name), *rest]
    return changed


def _attribute(reference: Any) -> tuple[str, str]:
    match reference:
        case str():
            name, _, attribute = reference.partition(".")
            return name, attribute
        case [str() as name, attribute]:
            return name, str(attribute)
    return "", ""


def _substituted(
    text: str,
    variables: Mapping[str, Any],
    given: Mapping[str, Any],
    attributes: Callable[[str, str], Any],
) -> Any:
    """Return Fn::Sub with its references replaced; what is no plain text becomes a variable."""
    inner = dict(variables)

    def new(match: re.Match[str]) -> str:
        name, attribute = match[1], match[2].removeprefix(".")
        if name in variables:
            return match[0]
        value = attributes(name, attribute) if attribute else given.get(name)
        match value:
            case None:
                return f"${{{name}.{attribute}}}" if attribute else f"${{{name}}}"
            case str() | int():
                return str(value)
            case {"Ref": str() as other}:
                return f"${{{other}}}"
            case {"Fn::GetAtt": [other, of]}:
                return f"${{{other}.{of}}}"
        key = f"Variable{len(inner)}"
        inner[key] = value
        return f"${{{key}}}"

    filled = REFERENCE.sub(new, text)
    return {"Fn::Sub": [filled, inner] if inner else filled}
