"""What the local stack deploys of a project, whatever its infrastructure is written in."""

from collections.abc import Mapping
from dataclasses import dataclass

from sls_patterns_cli.cloudformation.document import Template

CODE_BUCKET = "local-artifacts"


@dataclass(frozen=True)
class Assembly:
    """A CloudFormation template, and its packages by the keys under which it expects them.

    A package of other content has another key, so that an update deploys it.
    """

    template: Template
    packages: Mapping[str, bytes]
