"""What a template says in short: loops, local includes, and macros that nobody here can run.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import document
from sls_patterns_cli.cloudformation.sam import MACRO
from sls_patterns_cli.errors import UserError

LOOP, INCLUDE = "Fn::ForEach::", "AWS::Include"
KNOWN_MACROS = {MACRO, "AWS::LanguageExtensions", "AWS::SecretsManager-2020-07-23"}

MOST_INCLUDES = 100
"""Files that one template may include, those that they include among them."""

MOST_ROUNDS = 5_000
"""Rounds of all loops of a template, those inside of others each time; a stack may have 500
resources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
"""


class Language:
    """Spells a template out; `unread` says what cannot be, `loops` which loop makes a resource."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._included = self._made = 0
        self._parameters: Mapping[str, Any] = {}
        self.loops: dict[str, str] = {}

    def spell_out(self, template: Any) -> Any:
        """Return the template without loops and includes; raises UserError for endless ones.

        What is no template stays as it is.
        """
        if not isinstance(template, dict):
            return template
        macros = template.get("Transform") or []
        for macro in macros if isinstance(macros, list) else [macros]:
            if isinstance(macro, dict) and macro.get("Name") == INCLUDE:
                template = {**template, **self._include(macro)}
            elif not (isinstance(macro, str) and macro in KNOWN_MACROS):
                name = macro.get("Name") if isinstance(macro, dict) else macro
                self._say(f"the macro {name} may change the whole template")
        parameters = template.get("Parameters")
        self._parameters = parameters if isinstance(parameters, dict) else {}
        resources = template.get("Resources")
        if not isinstance(resources, dict):
            return template
        others = {name: value for name, value in template.items() if name != "Resources"}
        return {**self._spelt(others, {}), "Resources": self._resources(resources)}

    def _resources(self, resources: Mapping[str, Any]) -> dict[str, Any]:
        spelt: dict[str, Any] = {}
        for name, resource in resources.items():
            made = self._spelt({name: resource}, {})
            if str(name).startswith(LOOP):
                self.loops |= dict.fromkeys(made, name)
            spelt |= made if isinstance(made, dict) else {name: made}
        return spelt

    def _spelt(self, value: Any, variables: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            return _filled(value, variables)
        if isinstance(value, list):
            return [self._spelt(inner, variables) for inner in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"} and isinstance(value["Ref"], str):
            return variables.get(value["Ref"], value)
        spelt: dict[Any, Any] = {}
        for key, inner in value.items():
            if isinstance(key, str) and key.startswith(LOOP):
                for made in self._rounds(key, inner, variables):
                    spelt |= made
            elif key == "Fn::Transform" and self._is_include(inner):
                included = self._include(inner)
                if not isinstance(included, dict):
                    return included
                spelt |= self._spelt(included, variables)
            else:
                spelt[self._spelt(key, variables)] = self._spelt(inner, variables)
        return _named_plainly(spelt)

    def _rounds(
        self, loop: str, value: Any, variables: Mapping[str, str]
    ) -> Iterator[dict[Any, Any]]:
        match value:
            case [str() as variable, collection, dict() as body]:
                values = self._values(collection, variables)
            case _:
                self._say(f"{loop} is not [variable, collection, mapping]")
                return
        if values is None:
            self._say(f"the values of {loop} are known when it is deployed only")
            return
        self._made += len(values)
        if self._made > MOST_ROUNDS:
            raise UserError(f"its loops make more than {MOST_ROUNDS:,} rounds")
        for each in values:
            yield self._spelt(body, {**variables, variable: each})

    def _values(self, collection: Any, variables: Mapping[str, str]) -> list[str] | None:
        if isinstance(collection, dict):
            declared = self._parameters.get(str(collection.get("Ref")))
            default = declared.get("Default") if isinstance(declared, dict) else None
            return [each.strip() for each in str(default).split(",")] if default else None
        spelt = self._spelt(collection, variables)
        return [str(each) for each in spelt] if isinstance(spelt, list) else None

    @staticmethod
    def _is_include(macro: Any) -> bool:
        return isinstance(macro, dict) and macro.get("Name") == INCLUDE

    def _include(self, macro: Mapping[str, Any]) -> Any:
        parameters = macro.get("Parameters")
        location = parameters.get("Location") if isinstance(parameters, dict) else None
        file = self._folder / location if isinstance(location, str) else None
        if file is None or "://" in str(location) or not file.is_file():
            self._say(f"the include of {location} is not a file here")
            return {}
        self._included += 1
        if self._included > MOST_INCLUDES:
            raise UserError(f"more than {MOST_INCLUDES} files are included")
        content = document(file).content
        return self._spelt(content, {})


def _named_plainly(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return a reference whose name was put together from a loop's variables with that name."""
    match value:
        case {"Ref": {"Fn::Sub": str() as name}} if "${" not in name:
            return {"Ref": name}
        case {"Fn::GetAtt": [{"Fn::Sub": str() as name}, attribute]} if "${" not in name:
            return {"Fn::GetAtt": [name, attribute]}
    return value


def _filled(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value).replace(f"&{{{name}}}", value)
    return text
