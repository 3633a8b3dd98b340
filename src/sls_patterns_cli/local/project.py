"""What the local stack reads of a generated project."""

from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.system import new_folder


@dataclass(frozen=True)
class Project:
    """A generated project: its folder and the answers that it was rendered from."""

    root: Path
    pattern: str
    name: str
    runtime: str
    runtime_version: str
    iac: str
    region: str
    topology: str = ""
    datastore: str = ""
    auth: str = "none"

    @property
    def work(self) -> Path:
        """The folder for everything that the local stack makes; the project's git ignores it."""
        return self.root / ".sls-patterns"

    @property
    def stack_name(self) -> str:
        return self.name

    @property
    def lambda_runtime(self) -> str:
        """The runtime as Lambda names it, such as `python3.13`.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        """
        version = self.runtime_version.removeprefix("python").removeprefix("nodejs")
        if self.runtime == "python":
            return f"python{version}"
        return f"nodejs{version.removesuffix('.x')}.x"


def load(path: Path) -> Project:
    """Read the project in `path`; raises UserError when it is not a generated project."""
    try:
        root = new_folder.absolute(path).resolve()
    except (OSError, RuntimeError) as error:  # such as links that lead in a circle
        raise UserError(f"{path} is not a folder.") from error
    if not root.is_dir():
        raise UserError(f"{path} is not a folder.")
    wanted = ("pattern", "project_name", "runtime", "runtime_version", "iac", "region")
    recorded = answers.read(root, *wanted)
    return Project(
        root=root,
        pattern=recorded["pattern"],
        name=recorded["project_name"],
        runtime=recorded["runtime"],
        runtime_version=recorded["runtime_version"],
        iac=recorded["iac"],
        region=recorded["region"],
        topology=recorded.get("topology", ""),
        datastore=recorded.get("datastore", ""),
        auth=recorded.get("auth", "none"),
    )
