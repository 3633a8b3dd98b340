"""Broken templates: with something removed, or with something else in a place."""

import re
from collections.abc import Iterator
from typing import Any, cast

from sls_patterns_cli.cloudformation.document import Template

REMOVE = object()

# What says nothing of failures in any template, by the path of the property.
WITHOUT_MEANING = (
    r".*\.(\w*Description|Tags|Sid|PolicyName|Id|LogGroupName|LogFormat|Version)\b.*",
    r"\w+\.(Handler|Runtime|MemorySize|Architectures|BatchSize|BillingMode)\b.*",
    # Without it an alarm has insufficient data until there is a failure, and rings then.
    r"\w+\.TreatMissingData",
)


def changed(template: Template, path: str, value: Any) -> Template:
    """Return the template with another value, or none (REMOVE), at `Resource.Property.0.…`.

    What is not on the way there is shared with the template.
    """
    name, *keys = path.split(".")
    way = ["Resources", name, *(["Properties", *keys] if keys else [])]
    return cast("Template", _with(template, way, value))


def removals(template: Template, ignore: tuple[str, ...]) -> Iterator[tuple[str, Template]]:
    """Return the template without each of its resources, properties and list items in turn.

    Left out are those of which a pattern of `ignore` matches the path, whether it begins with
    the resource's name or with its type.
    """
    ignored = re.compile("|".join(f"(?:{pattern})" for pattern in ignore))
    for name, resource in template["Resources"].items():
        for path in [name, *_paths(resource.get("Properties", {}), name)]:
            by_type = resource["Type"] + path.removeprefix(name)
            if not ignored.fullmatch(path) and not ignored.fullmatch(by_type):
                yield path, changed(template, path, REMOVE)


def _paths(value: Any, prefix: str) -> Iterator[str]:
    """Return the path of everything inside; a reference is taken whole."""
    if isinstance(value, dict):
        if any(key == "Ref" or key.startswith("Fn::") for key in value):
            return
        keys = list(value)
    else:
        keys = list(map(str, range(len(value)))) if isinstance(value, list) else []
    for key in keys:
        if "." in key:  # cannot be told from a path
            continue
        yield f"{prefix}.{key}"
        inner = value[int(key)] if isinstance(value, list) else value[key]
        yield from _paths(inner, f"{prefix}.{key}")


def _with(holder: Any, way: list[str], value: Any) -> Any:
    """Return a copy with the value at the end of the way."""
    copied = list(holder) if isinstance(holder, list) else dict(holder)
    key: Any = int(way[0]) if isinstance(holder, list) else way[0]
    if len(way) > 1:
        copied[key] = _with(holder[key], way[1:], value)
    elif value is REMOVE:
        del copied[key]
    else:
        copied[key] = value
    return copied
