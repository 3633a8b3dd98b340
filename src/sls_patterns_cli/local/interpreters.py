"""Finds the Python that a Lambda runtime names, so that functions run on their own version."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.errors import UserError

Version = tuple[int, int]


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine: its executable (no shim) and its full version."""

    executable: Path
    version: tuple[int, int, int]

    @property
    def minor(self) -> Version:
        return self.version[:2]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find(lambda_runtime: str) -> tuple[Interpreter, str | None]:
    """The interpreter for a runtime such as `python3.13`, and a notice when it is not that one.

    Looked for on PATH, then among pyenv's and uv's installations. Without it the nearest version
    is taken, the newer of two equally near. Raises UserError when the machine has no Python 3.9
    or newer at all.
    """
    match = re.fullmatch(r"python(\d+)\.(\d+)", lambda_runtime)
    if not match:
        raise UserError(f"The local stack does not run the runtime '{lambda_runtime}' yet.")
    wanted = int(match[1]), int(match[2])
    for path in _candidates(f"{wanted[0]}.{wanted[1]}"):
        found = _probe(path)
        if found and found.minor == wanted:
            return found, None

    others = {found for path in _candidates("3.*") if (found := _probe(path))}
    if not others:
        raise UserError(f"No Python {wanted[0]}.{wanted[1]} on this machine; install it first.")
    nearest = min(others, key=lambda i: (abs(i.minor[1] - wanted[1]), -i.minor[1]))
    return nearest, (
        f"Python {wanted[0]}.{wanted[1]} is not installed: the functions run on "
        f"{nearest.version_text} here."
    )


def _candidates(version: str) -> Iterator[Path]:
    """Executables named for a version such as `3.13`, or for any with `3.*`."""
    if "*" in version:
        for minor in range(9, 20):
            if found := shutil.which(f"python3.{minor}"):
                yield Path(found)
    elif found := shutil.which(f"python{version}"):
        yield Path(found)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    patch = "" if version.endswith("*") else ".*"
    for pattern, root in ((f"{version}{patch}", pyenv), (f"cpython-{version}{patch}", uv)):
        for folder in sorted(root.glob(pattern), reverse=True):
            yield folder / "bin" / "python3"


def _probe(path: Path) -> Interpreter | None:
    """What an executable really is: a pyenv shim may lead elsewhere, or nowhere."""
    script = "import sys; print(sys.executable, *sys.version_info[:3], sep='\\n')"
    try:
        output = subprocess.run(
            [path, "-I", "-c", script], capture_output=True, text=True, timeout=20, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    version = (int(output[1]), int(output[2]), int(output[3]))
    return Interpreter(Path(output[0]), version) if version >= (3, 9, 0) else None
