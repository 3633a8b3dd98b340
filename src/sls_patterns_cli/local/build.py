"""Builds a project's code for this machine, and its test environment; a second time is free."""

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import tether
from sls_patterns_cli.local.interpreters import Interpreter
from sls_patterns_cli.local.project import Project

Report = Callable[[str], None]

REQUIREMENTS = "requirements.txt"


def package(project: Project, source: Path, interpreter: Interpreter, report: Report) -> bytes:
    """A function package of the folder `source` with its requirements, as a zip file's bytes.

    The requirements are installed for `interpreter` on this machine, not for the function's
    architecture: a wheel compiled for arm64 does not load on an x86-64 host.
    """
    requirements = source / REQUIREMENTS
    archive = project.work / "build" / f"{source.name}-{interpreter.version_text}.zip"
    stamp = _fingerprint([requirements])
    if not _is_current(archive, stamp):
        report(f"Installing {requirements.relative_to(project.root)} for the functions")
        _install(project, requirements, interpreter, archive)
        _mark_current(archive, stamp)
    content = io.BytesIO(archive.read_bytes())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as zipped:
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                # A fixed date: the same sources make the same package.
                entry = zipfile.ZipInfo(file.relative_to(source).as_posix())
                entry.external_attr = 0o644 << 16
                zipped.writestr(entry, file.read_bytes())
    return content.getvalue()


def test_environment(project: Project, interpreter: Interpreter, report: Report) -> Path:
    """The project's `.venv` with its requirements-dev.txt; returns its Python executable."""
    root = project.root
    environment = root / ".venv"
    python = environment / "bin" / "python"
    requirements = root / "requirements-dev.txt"
    stamp = _fingerprint([requirements, *sorted(root.glob(f"*/{REQUIREMENTS}"))])
    if python.exists() and _is_current(environment / "pyvenv.cfg", stamp):
        return python
    report(f"Installing {requirements.name} into .venv")
    if not python.exists():
        _uv(
            project,
            "venv",
            "--quiet",
            "--clear",
            "--python",
            str(interpreter.executable),
            str(environment),
        )
    _uv(project, "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements))
    _mark_current(environment / "pyvenv.cfg", stamp)
    return python


def _install(project: Project, requirements: Path, interpreter: Interpreter, archive: Path) -> None:
    folder = archive.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if requirements.is_file():
        _uv(
            project,
            *("pip", "install", "--quiet", "--python", str(interpreter.executable)),
            *("--target", str(folder), "-r", str(requirements), "--compile-bytecode"),
        )
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                zipped.write(file, file.relative_to(folder).as_posix())
    shutil.rmtree(folder)


def _uv(project: Project, *arguments: str) -> None:
    from uv import find_uv_bin

    # Bytecode that is taken as it is: unpacking a package changes the dates of its files.
    environment = {**os.environ, "PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}
    environment.pop("VIRTUAL_ENV", None)
    command = [find_uv_bin(), *arguments]
    done = tether.run(command, cwd=project.root, env=environment, capture=True)
    if done.returncode:
        raise UserError(f"uv {' '.join(arguments[:2])} failed: {' '.join(done.stdout.split())}", 1)


def _fingerprint(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"absent")
        digest.update(b"\0")
    return digest.hexdigest()


def _is_current(made: Path, stamp: str) -> bool:
    mark = _mark(made)
    return made.exists() and mark.is_file() and mark.read_text() == stamp


def _mark_current(made: Path, stamp: str) -> None:
    _mark(made).write_text(stamp)


def _mark(made: Path) -> Path:
    return made.with_name(f"{made.name}.made-from")
