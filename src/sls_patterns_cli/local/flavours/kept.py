"""Keeps what a CDK app has written, until something changes that it may have read.

That is everything of the project but its tests and hidden folders, what is installed, the variables
that its infrastructure names, and how it is run. Python that a function is made of counts where
CDK bundles it, where the infrastructure imports it, and where a version of the function is named
after it; else the app is not run again after a change of a handler.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.local.languages import modules
from sls_patterns_cli.local.project import Project

FOLDER, RECORD = "synthesised", "synthesised.json"

NOT_READ = ("__pycache__", "cdk.out", modules.FOLDER, "tests")
"""Folders of a project that its infrastructure does not read, besides hidden ones."""

INSTALLED = (".venv/lib/*/site-packages/*.dist-info", f"{modules.FOLDER}/.package-lock.json")

IMPORT = re.compile(rb"^\s*(?:from|import)\s+([\w.]+)", re.MULTILINE)

WORD = re.compile(rb"\w+")

VERSION = "AWS::Lambda::Version"
"""CDK names it after the code of its function, so other code is another resource."""


@dataclass(frozen=True)
class Asked:
    """How an app is run: what CDK is told, and the program that runs it."""

    project: Project
    settings: Mapping[str, Any]
    context: Mapping[str, Any]
    variables: Mapping[str, str]


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Keep other processes from what is kept of a project."""
    project.work.mkdir(exist_ok=True)
    with (project.work / f"{FOLDER}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def current(asked: Asked) -> Path | None:
    """Return the folder that the app would write again, or None."""
    folder = asked.project.work / FOLDER
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads((asked.project.work / RECORD).read_bytes())
        free = [Path(each) for each in record["free"]]
        if folder.is_dir() and record["digest"] == _digest(asked, free):
            return folder
    return None


def keep(
    asked: Asked, write: Callable[[Path], None], unbundled: Callable[[Path], Iterable[Path]]
) -> Path:
    """Have the app write to a folder, keep that and return it.

    `unbundled` returns the folders whose code is taken as it is.
    """
    project = asked.project
    folder = project.work / FOLDER
    (project.work / RECORD).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="cdk-", dir=project.work) as temporary:
        # What changes while the app runs has not been read by it, or only in part.
        before = _digest(asked, [])
        made = Path(temporary).resolve()
        write(made)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder, symlinks=True)
    if _digest(asked, []) == before:
        free = [each for each in unbundled(folder) if _is_free(project.root, each, folder)]
        record = {"free": list(map(str, free)), "digest": _digest(asked, free)}
        (project.work / RECORD).write_text(json.dumps(record))
    return folder


def _is_free(root: Path, code: Path, output: Path) -> bool:
    """Whether Python in a folder of code may change without a change of what the app writes."""
    if not code.is_relative_to(root) or code == root:
        return False
    if any(VERSION in file.read_text() for file in output.glob("*.template.json")):
        return False
    modules_of_it = {each.stem.encode() for each in code.iterdir()} | {code.name.encode()}
    imported = {
        name.split(b".")[0]
        for file in _files(root)
        if file.suffix == ".py" and not file.is_relative_to(code)
        for name in IMPORT.findall(file.read_bytes())
    }
    return not modules_of_it & imported


def _digest(asked: Asked, free: list[Path]) -> str:
    root = asked.project.root
    digest = hashlib.sha256()
    said = bytearray()
    for file in _files(root):
        if file.suffix == ".py" and any(file.is_relative_to(folder) for folder in free):
            continue
        content = file.read_bytes()
        said += content
        digest.update(f"{file.relative_to(root)}\0{len(content)}\0".encode() + content)
    for pattern in INSTALLED:
        for each in sorted(root.glob(pattern)):
            digest.update(each.read_bytes() if each.is_file() else each.name.encode() + b"\0")
    names = {*WORD.findall(said)} - {b"_"}  # Python's and the shell's, for nothing in particular
    variables = {
        name: value for name, value in asked.variables.items() if os.fsencode(name) in names
    }
    how = [catalog.version(), str(root), asked.project.region, asked.settings, asked.context]
    programs = [_program(name, asked.variables) for name in ("node", "python3")]
    digest.update(json.dumps([how, variables, programs], sort_keys=True).encode())
    return digest.hexdigest()


def _program(name: str, variables: Mapping[str, str]) -> list[Any]:
    """Which program a name leads to, and of what age."""
    found = shutil.which(name, path=variables.get("PATH"))
    return [os.path.realpath(found), Path(found).stat().st_mtime] if found else []


def _files(root: Path) -> Iterator[Path]:
    """The files of a project that its infrastructure may read, also behind links that leave it."""
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(each for each in folders if _is_read(root, Path(folder, each)))
        yield from (file for name in sorted(names) if (file := Path(folder, name)).is_file())


def _is_read(root: Path, folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in NOT_READ:
        return False
    return not (folder.is_symlink() and root.is_relative_to(folder.resolve()))


def renamed(template: Template, keys: Mapping[str, str]) -> Template:
    """Return a template that expects packages under other keys."""
    text = json.dumps(template)
    for before, after in keys.items():
        text = text.replace(json.dumps(before), json.dumps(after))
    made: Template = json.loads(text)
    return made
