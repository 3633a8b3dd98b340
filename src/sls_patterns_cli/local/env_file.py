"""A file with what a shell or an editor needs to talk to the stack that `local up` keeps."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from sls_patterns_cli.errors import UserError

HEADER = "# Written by `sls-patterns local up`, which replaces this file at each start."


def refuse_unless_ours(file: Path) -> None:
    """Raise UserError unless `file` can be written, and holds nothing that somebody else wrote."""
    if not file.parent.is_dir():
        raise UserError(f"--env {file}: there is no folder {file.parent}")
    if file.is_dir() or (file.exists() and not file.read_text(errors="replace").startswith(HEADER)):
        raise UserError(f"--env {file} exists and is not replaced; choose another file")


def write(file: Path, variables: Mapping[str, str]) -> None:
    """Write the variables as `NAME=value`, quoted as shells and dotenv files quote."""
    lines = [HEADER, *(f"{name}={shlex.quote(value)}" for name, value in variables.items())]
    file.write_text("".join(f"{line}\n" for line in lines))
