"""Values of a template's parameters where nobody gives them: on the emulator any will do."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.conditions import as_text
from sls_patterns_cli.cloudformation.document import Template

DYNAMIC = re.compile(r"\{\{resolve:[^}]*\}\}")
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""

UNKNOWN_VALUE = "sls-patterns"
"""What stands for a parameter without a default and for what another stack exports."""


def declared_parameters(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the parameters of a template by name."""
    declared = template.get("Parameters")
    for name, parameter in declared.items() if isinstance(declared, dict) else ():
        yield name, parameter if isinstance(parameter, dict) else {}


def settled_parameters(template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters as texts and lists of them, each with a default.

    That is one of the `values`, else the template's, else what its type and constraints allow.
    Nothing is looked up in an account, as the types of AWS would.
    """
    found = {}
    for name, given in declared_parameters(template):
        kind = str(given.get("Type", "String"))
        is_list = kind.startswith("List<") or kind == "CommaDelimitedList" or "<List<" in kind
        default = values.get(name, given.get("Default"))
        found[name] = {
            "Type": "CommaDelimitedList" if is_list else "String",
            "Default": as_text(_value(name, given, kind) if default is None else default),
        }
    return found


def _value(name: str, parameter: Mapping[str, Any], kind: str) -> Any:
    """A value for a parameter without a default that its type and its constraints allow.

    Each has its own, since two may be names of resources.
    """
    allowed = parameter.get("AllowedValues")
    if isinstance(allowed, list) and allowed:
        return allowed[0]
    if kind == "Number":
        return parameter.get("MinValue", 1)
    pattern = str(parameter.get("AllowedPattern", ""))
    own = re.sub(r"[^a-z0-9]", "", name.lower()) or UNKNOWN_VALUE
    if name.lower().endswith("arn"):
        own = f"arn:aws:sns:us-east-1:000000000000:{own}"
    for example in (own, *EXAMPLES):
        if pattern and _fits(pattern, example):
            return example
    least = parameter.get("MinLength", 0)
    return own.ljust(int(least) if str(least).isdigit() else 0, "x")


EXAMPLES = (
    "someone@example.com",
    "https://example.com",
    "example.com",
    "arn:aws:sns:us-east-1:000000000000:outside",
    "10.0.0.0/16",
    "123456789012",
    "1",
)
"""Values that the patterns of public templates allow, in the order in which they are tried."""


def _fits(pattern: str, example: str) -> bool:
    try:
        return re.fullmatch(pattern, example) is not None
    except re.error:
        return False
