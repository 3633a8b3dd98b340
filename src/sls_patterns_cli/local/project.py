"""What the local stack reads of a generated project."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError

ANSWERS_FILE = ".copier-answers.yml"


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
    import yaml

    root = path.resolve()
    file = root / ANSWERS_FILE
    if not root.is_dir():
        raise UserError(f"{path} is not a folder.")
    if not file.is_file():
        raise UserError(
            f"{path} is not a generated project: it has no {ANSWERS_FILE}. "
            "`sls-patterns new` makes one."
        )
    try:
        answers: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(answers, dict):
        raise UserError(f"{file} holds no answers.")

    def answer(key: str) -> str:
        value = answers.get(key)
        if value is None or str(value) == "":
            raise UserError(f"{file} has no answer for '{key}'.")
        return str(value)

    return Project(
        root=root,
        pattern=answer("pattern"),
        name=answer("project_name"),
        runtime=answer("runtime"),
        runtime_version=answer("runtime_version"),
        iac=answer("iac"),
        region=answer("region"),
    )
