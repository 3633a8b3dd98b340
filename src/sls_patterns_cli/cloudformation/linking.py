"""Stacks that import what others export, as one.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.names import renamed, replaced
from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.stack import Stack, find_all, inside

IMPORT = "Fn::ImportValue"
SECTIONS = ("Resources", "Parameters", "Conditions", "Mappings", "Outputs")
_NOTHING = Stack({}, {})


def linked(sources: list[Source]) -> list[Source]:
    """Return the stacks, those that import from one another joined into one."""
    owners = {name: owner for owner in sources for name in _exports(owner.template)}
    groups = [[source] for source in sources]
    for source in sources:
        for name in _imports(source.template):
            if name in owners and owners[name] is not source:
                _unite(groups, source, owners[name])
    return [group[0] if len(group) == 1 else joined(group) for group in groups]


def _exports(template: Template) -> Mapping[str, Any]:
    """Return what a stack exports, by name."""
    outputs = template.get("Outputs")
    found = {}
    for output in outputs.values() if isinstance(outputs, dict) else ():
        name = inside(output, "Export", "Name")
        if name is not None:
            found[_NOTHING.text(name)] = inside(output, "Value")
    return found


def _imports(template: Template) -> Iterator[str]:
    for name in find_all(template["Resources"], IMPORT):
        yield _NOTHING.text(name)


def _unite(groups: list[list[Source]], one: Source, other: Source) -> None:
    first = next(group for group in groups if any(each is one for each in group))
    second = next(group for group in groups if any(each is other for each in group))
    if first is not second:
        first += second
        groups.remove(second)


def joined(group: list[Source]) -> Source:
    """Return one stack with the resources of all; ids that are taken get the stack's name."""
    one = Source(group[0].file, {section: {} for section in SECTIONS}, {})
    exports: dict[str, Any] = {}
    for source in group:
        stem = "".join(filter(str.isalnum, source.file.name.partition(".")[0]))
        names = _free(source.template["Resources"], one.template["Resources"], stem)
        conditions = _free(_section(source, "Conditions"), one.template["Conditions"], stem)
        parameters = _free(_section(source, "Parameters"), one.template["Parameters"], stem)
        outputs = _free(_section(source, "Outputs"), one.template["Outputs"], stem)
        template = renamed(source.template, names, conditions)
        given = {old: {"Ref": new} for old, new in parameters.items()}
        template = replaced(template, given, lambda *_: None)
        exports |= _exports(template)
        one.template["Resources"] |= template["Resources"]
        one.template["Conditions"] |= template.get("Conditions") or {}
        one.template["Mappings"] |= template.get("Mappings") or {}
        one.template["Outputs"] |= {
            outputs[name]: output for name, output in (template.get("Outputs") or {}).items()
        }
        one.template["Parameters"] |= {
            new: source.template["Parameters"][old] for old, new in parameters.items()
        }
        one.positions |= {names[each]: at for each, at in source.positions.items() if each in names}
        one.shown |= {names[each]: each for each in names if names[each] != each}
        one.unread += source.unread
    one.template["Resources"] = _imported(one.template["Resources"], exports)
    return one


def _section(source: Source, name: str) -> Mapping[str, Any]:
    section = source.template.get(name)
    return section if isinstance(section, dict) else {}


def _free(names: Mapping[str, Any], taken: Mapping[str, Any], stem: str) -> dict[str, str]:
    return {name: f"{stem}{name}" if name in taken else name for name in names}


def _imported(value: Any, exports: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_imported(inner, exports) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {IMPORT}:
        return exports.get(_NOTHING.text(value[IMPORT]), value)
    return {key: _imported(inner, exports) for key, inner in value.items()}
