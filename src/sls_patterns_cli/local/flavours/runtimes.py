"""The packages of all functions are made for one runtime, and it is all that the emulator runs."""

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.project import Project


def refuse_other(project: Project, function: str, runtime: object) -> None:
    """Raise UserError if the runtime of a function is not the project's."""
    wanted = project.lambda_runtime
    if runtime != wanted:
        raise UserError(
            f"{function} has the runtime {runtime}, but the project's is {wanted}; to change it "
            "for all functions: sls-patterns update --data runtime_version=VERSION"
        )
