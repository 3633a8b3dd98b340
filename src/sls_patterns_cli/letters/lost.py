"""Failures of a deployed stack that nothing keeps, in the words of `sls-patterns check`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sls_patterns_cli.check.judgements import no_end
from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.cloudformation.metadata import OWN
from sls_patterns_cli.cloudformation.stack import Resource, Stack

MADE_BY_SAM = {"Key": "lambda:createdBy", "Value": "SAM"}
"""The tag that SAM gives to each function."""


@dataclass(frozen=True)
class Lost:
    """What is lost, by which rule of `check`, and what to add to the template."""

    rule: str
    resource: str
    message: str
    mend: str
    url: str


def lost(stack: Stack) -> Iterator[Lost]:
    """Yield what is lost if it fails; nothing that somebody has suppressed at its resource."""
    for fault in dict.fromkeys(no_end.faults(stack)):
        resource = stack.resources[fault.resource]
        if fault.rule not in _suppressed(resource):
            url = fault.url or RULES[fault.rule].url
            yield Lost(fault.rule, resource.name, fault.message, _mend(fault, resource), url)


def _suppressed(resource: Resource) -> Mapping[str, object]:
    own = resource.metadata.get(OWN)
    found = own.get("suppress") if isinstance(own, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _mend(fault: Fault, resource: Resource) -> str:
    """Return how to mend a fault in the words of what made the resource."""
    if "aws:cdk:path" in resource.metadata:
        return fault.cdk or fault.mend
    return fault.sam or fault.mend if MADE_BY_SAM in resource.items("Tags") else fault.mend
