"""What the local stack deploys of a project, whatever its infrastructure is written in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.cloudformation.document import BOOTSTRAP_PARAMETER, Template

CODE_BUCKET = "local-artifacts"

BOOTSTRAP_RULE = "CheckBootstrapVersion"


@dataclass(frozen=True)
class Assembly:
    """A CloudFormation template, and its packages by the keys under which it expects them.

    A package of other content has another key, so that an update deploys it.
    """

    template: Template
    packages: Mapping[str, bytes]


def without_bootstrap(template: Template, buckets: Collection[str]) -> Template:
    """Return CDK's template with CODE_BUCKET in the place of the buckets of its bootstrap stack.

    That stack's version is not asked for.
    """
    template.get("Parameters", {}).pop(BOOTSTRAP_PARAMETER, None)
    template.get("Rules", {}).pop(BOOTSTRAP_RULE, None)
    moved: Template = _in_bucket(template, buckets)
    return moved


def _in_bucket(value: Any, buckets: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_in_bucket(inner, buckets) for inner in value]
    if not isinstance(value, dict):
        return CODE_BUCKET if isinstance(value, str) and value in buckets else value
    if value.keys() == {"Fn::Sub"} and str(value["Fn::Sub"]) in buckets:
        return CODE_BUCKET
    return {key: _in_bucket(inner, buckets) for key, inner in value.items()}
