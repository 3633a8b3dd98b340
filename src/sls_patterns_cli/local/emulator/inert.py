"""Inert resources: they have a name and any attribute, and do nothing."""

from collections.abc import Iterable
from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.names import attribute_of

Created = tuple[str, dict[str, Any]]

_inert: set[str] = set()


NOT_SERVED = (
    "AWS::AutoScaling::",
    "AWS::EC2::",
    "AWS::ECS::",
    "AWS::ElasticLoadBalancing",
    "AWS::Route53::",
    "AWS::SES::",
    "Custom::CDKBucketDeployment",
    "Custom::VpcRestrictDefaultSG",
)
"""The emulator keeps descriptions of these only, or they need programs that are not here."""

LISTS = {"DnsEntries", "NetworkInterfaceIds", "CidrBlockAssociations", "Ipv6CidrBlocks"}
"""Attributes that are lists; https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference
has those of each type."""


def make_unserved_inert(types: Iterable[str]) -> list[str]:
    """Make those of the types inert that do not work here; return them."""
    known = {*provisioners._RESOURCE_HANDLERS} - _inert
    inert = {
        each
        for each in types
        if each.startswith(NOT_SERVED) or not (each in known or each.startswith("Custom::"))
    }
    return sorted(make_inert(inert))


def make_inert(types: set[str]) -> set[str]:
    """Make the types inert, and return them."""
    for each in types:
        provisioners._RESOURCE_HANDLERS[each] = {
            "create": _Inert(each).create,
            "update": _Inert(each).update,
            "delete": lambda *_: None,
        }
    _inert.update(types)
    return types


class _Inert:
    def __init__(self, type_: str) -> None:
        self._type = type_

    def create(self, logical_id: str, _properties: Any, stack: str) -> Created:
        name = f"{stack}-{logical_id}"
        return name, _Anything(self._type, name)

    def update(self, physical_id: str, *_rest: Any) -> Created:
        return physical_id, _Anything(self._type, physical_id)


class _Anything(dict[str, Any]):
    """Attributes of which each is there."""

    def __init__(self, type_: str, name: str) -> None:
        super().__init__()
        self._type, self._name = type_, name

    def __bool__(self) -> bool:
        return True

    def __contains__(self, _attribute: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> Any:
        value = attribute_of(self._type, self._name, attribute)
        return [f"{value}:{value}"] if attribute in LISTS else value

    def get(self, attribute: str, _default: Any = None) -> Any:
        return self[attribute]
