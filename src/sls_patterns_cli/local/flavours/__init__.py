"""What a project's infrastructure is written in: how plain CloudFormation is made of it."""

from typing import Protocol

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import Assembly
from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.project import Project


class Flavour(Protocol):
    """The infrastructure of one project."""

    def assemble(self) -> Assembly:
        """The project's stack and its packages; raises UserError, before it builds if it can."""
        ...


def of(project: Project, language: Language) -> Flavour:
    """The flavour of a project in that language; raises UserError."""
    from sls_patterns_cli.local.flavours.cdk import Cdk
    from sls_patterns_cli.local.flavours.sam import Sam

    if project.iac == "sam":
        return Sam(project, language)
    if project.iac == "cdk":
        return Cdk(project, language)
    raise UserError(f"The local stack does not deploy '{project.iac}' projects yet.")
