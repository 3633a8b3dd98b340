"""Says which deployed resources other answers replace: SAM's template declares them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

OF_A_STACK = ("project_name", "region", "iac")
"""The questions whose answers name the stack, or all that is in it: nothing keeps its place."""

WITHOUT_DATA = ("AWS::CloudWatch::Dashboard",)
"""What may come and go: nothing is in it but what the template says."""


@dataclass(frozen=True)
class Replaced:
    """A resource that a deployment removes, or leaves behind; CDK adds a hash to the `id`."""

    id: str
    type: str


def replaced(changed: Collection[str], before: bytes, after: bytes) -> list[Replaced]:
    """What a deployment with other answers to the `changed` questions replaces.

    `before` and `after` are SAM's templates of both.
    """
    if not changed:
        return []
    old, new = (_types(each) for each in (before, after))
    if any(question in OF_A_STACK for question in changed):
        new = {}
    return [
        Replaced(key, kind)
        for key, kind in old.items()
        if new.get(key) != kind and kind not in WITHOUT_DATA
    ]


def _types(template: bytes) -> Mapping[str, str]:
    return {key: kind for key, (kind, _) in resources(template).items()}


def resources(template: bytes) -> Mapping[str, tuple[str, Any]]:
    """The type of each resource of a template, and its node of YAML, by its logical id."""
    import yaml

    document = _mapping(yaml.compose(template))
    found = _mapping(document.get("Resources"))
    return {key: (str(_mapping(node)["Type"].value), node) for key, node in found.items()}


def _mapping(node: Any) -> dict[str, Any]:
    """The entries of a node of YAML, whose tags (`!Ref`) are not read."""
    return {key.value: value for key, value in node.value} if node else {}
