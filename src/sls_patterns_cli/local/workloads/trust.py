"""Code of others is run only after somebody has agreed to it, once for each folder.

The agreement is recorded with the user's own state, as a project could bring its own record along.
"""

import os
import sys
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.terminal import output


def agreed(folder: Path, *, agrees: bool) -> None:
    """Return once somebody has agreed that code in a folder is run, now or before.

    `agrees` says so beforehand, else a person at a terminal is asked. Raises UserError if nobody
    agrees.
    """
    if str(folder) in _recorded():
        return
    says = f"This installs what {folder} asks for, and runs its code on this machine."
    if not agrees:
        if not (sys.stdin.isatty() and output.is_interactive()):
            raise UserError(f"{says} To agree: sls-patterns local up --trust-code")
        with interrupts.allowed():
            if input(f"{says} Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
                raise UserError("Nothing was run.")
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as records:
        records.write(f"{folder}\n")


def _recorded() -> set[str]:
    file = _file()
    return set(file.read_text().splitlines()) if file.is_file() else set()


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "sls-patterns" / "trusted-folders"
