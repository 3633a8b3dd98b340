"""The languages that projects are written in: how their code is built, and how their proofs run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.local.shares import Share
from sls_patterns_cli.terminal.progress import Progress


class Language(Protocol):
    """The language of one project; it installs and builds everything once."""

    bundled_by_cdk: bool
    """Whether CDK makes packages that run anywhere, on this machine too."""

    @property
    def interpreter(self) -> Interpreter:
        """What the functions run on; raises UserError."""
        ...

    def program_environment(self) -> Mapping[str, str]:
        """The variables of infrastructure that is a program, with what it needs installed."""
        ...

    def runtime_packages(self) -> Path:
        """The folder of the AWS SDK, which Lambda's runtime has besides the interpreter."""
        ...

    def package(self, code: Code) -> bytes:
        """A function package of `code`, as a zip file's bytes; raises UserError."""
        ...

    def test_command(self, arguments: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
        """What runs the proofs, and its environment before the stack's own variables."""
        ...

    def reporter(self, share: Share) -> tuple[list[str], Mapping[str, str]]:
        """Arguments and variables with which `test_command` runs a share of the proofs.

        It writes results for `proofs.run`.
        """
        ...


def of(project: Project, progress: Progress) -> Language:
    """The language of a project, which shows in `progress` what it installs; raises UserError."""
    from sls_patterns_cli.local.languages.python import Python
    from sls_patterns_cli.local.languages.typescript import TypeScript

    languages: dict[str, Callable[[Project, Progress], Language]] = {
        "python": Python,
        "typescript": TypeScript,
    }
    if project.runtime not in languages:
        raise UserError(f"The local stack does not build '{project.runtime}' projects yet.")
    return languages[project.runtime](project, progress)
