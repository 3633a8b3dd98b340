"""What the local stack deploys of a project, whatever its infrastructure is written in."""

from dataclasses import dataclass

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.local.languages.code import Code

CODE_BUCKET = "local-artifacts"


@dataclass(frozen=True)
class Assembly:
    """A CloudFormation template and its code, by the address that the template uses."""

    template: Template
    code: dict[str, Code]
