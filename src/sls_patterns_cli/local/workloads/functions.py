"""The functions of a template, with the runtime of each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import inside

FUNCTION, LAYER = "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"

RUN = re.compile(r"python3\.\d+|nodejs\d+\.x")
"""The runtimes that run here."""


@dataclass(frozen=True)
class Function:
    """A function: its logical id, its runtime as far as it is known, and its properties."""

    name: str
    runtime: str
    properties: dict[str, Any]

    @property
    def runs(self) -> bool:
        """Whether its runtime runs on the local stack."""
        return RUN.fullmatch(self.runtime) is not None

    @property
    def key(self) -> str:
        """The key of its package in S3; empty where it has none."""
        return str(inside(self.properties, "Code", "S3Key") or "")

    @property
    def inline(self) -> str:
        """Its code, where that stands in the template."""
        code = inside(self.properties, "Code", "ZipFile")
        return code if isinstance(code, str) else ""


def functions(template: Template, region: str) -> Iterator[Function]:
    """Yield the functions of a template whose parameters have defaults."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == FUNCTION:
            properties = resource.setdefault("Properties", {})
            yield Function(name, _runtime(template, region, properties), properties)


def _runtime(template: Template, region: str, properties: Mapping[str, Any]) -> str:
    if properties.get("PackageType") == "Image" or inside(properties, "Code", "ImageUri"):
        return "container image"
    value: Any = properties.get("Runtime", "")
    match value:
        case {"Ref": str() as name}:
            value = inside(template, "Parameters", name, "Default")
        case {"Fn::FindInMap": [str() as name, {"Ref": "AWS::Region"}, str() as key]}:
            value = inside(template, "Mappings", name, region, key)
    return value if isinstance(value, str) else ""
