"""Builds a project's code for this machine, and its test environment; a second time is free."""

import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import modules, tether
from sls_patterns_cli.local.code import Code
from sls_patterns_cli.local.interpreters import Interpreter
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.local.runtimes import REQUIREMENTS_FOLDER

Report = Callable[[str], None]

REQUIREMENTS = "requirements.txt"


def package(project: Project, code: Code, interpreter: Interpreter, report: Report) -> bytes:
    """A function package of `code`, as a zip file's bytes; raises UserError."""
    if code.built:
        return _zipped(code.folder)
    if code.esbuild is not None:
        return _bundle(project, code, interpreter, report)
    return _sources(project, code.folder, interpreter, report)


def _bundle(project: Project, code: Code, node: Interpreter, report: Report) -> bytes:
    modules.install(project, node, report)
    with tempfile.TemporaryDirectory(prefix="sls-patterns-bundle-") as folder:
        modules.bundle(project, code, node, Path(folder))
        return _zipped(Path(folder))


def _sources(project: Project, source: Path, interpreter: Interpreter, report: Report) -> bytes:
    """The sources and, in the file REQUIREMENTS_FOLDER, where their requirements are.

    Those are installed once and not copied, thousands of files, into every package and out of it
    again. They are installed for `interpreter` on this machine, not for the function's
    architecture: a wheel compiled for arm64 does not load on an x86-64 host.
    """
    folder = _requirements(project, source, interpreter, report)
    return _zipped(source, {REQUIREMENTS_FOLDER: str(folder)})


def _zipped(source: Path, more: Mapping[str, str] | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        # ZipInfo's fixed date: the same sources make the same package.
        for name, text in (more or {}).items():
            zipped.writestr(zipfile.ZipInfo(name), text)
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = zipfile.ZipInfo(file.relative_to(source).as_posix())
                zipped.writestr(entry, file.read_bytes())
    return content.getvalue()


def _requirements(project: Project, source: Path, interpreter: Interpreter, report: Report) -> Path:
    """The folder into which the requirements of `source` are installed."""
    requirements = source / REQUIREMENTS
    folder = project.work / "build" / f"{source.name}-{interpreter.version_text}"
    stamp = _fingerprint([requirements])
    if not _is_current(folder, stamp):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if requirements.is_file():
            report(f"Installing {requirements.relative_to(project.root)} for the functions")
            _uv(
                project,
                *("pip", "install", "--quiet", "--python", str(interpreter.executable)),
                *("--target", str(folder), "-r", str(requirements), "--compile-bytecode"),
            )
        _mark_current(folder, stamp)
    return folder


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


def _uv(project: Project, *arguments: str) -> None:
    from uv import find_uv_bin

    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
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
