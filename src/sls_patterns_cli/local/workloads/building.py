"""Builds the package of each function and layer for this machine, as `sam build` would."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.stack import inside
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.runtimes import MODULES_FOLDER, REQUIREMENTS_FOLDER
from sls_patterns_cli.local.languages import modules, uv
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.languages.packages import zipped
from sls_patterns_cli.local.workloads.functions import Function
from sls_patterns_cli.local.workloads.reading import Artifact
from sls_patterns_cli.terminal.progress import Progress

REQUIREMENTS = ("requirements.lock", "requirements.txt")
PROJECT = "pyproject.toml"

NOT_CODE = (".aws-sam", ".git", ".sls-patterns", ".venv", "cdk.out", "node_modules", "venv")
"""Folders that may be beside the code, and that are not in its package."""

ESBUILD = "0.28.2"
"""The version that bundles where a project does not say which: that of generated projects."""

MODULE_SUFFIXES = (".ts", ".mts", ".js", ".mjs", ".cjs", ".tsx")


@dataclass
class Builder:
    """Builds for the interpreters of this machine, by runtime; `work` keeps what was installed."""

    work: Path
    interpreters: Mapping[str, Interpreter]
    progress: Progress
    _built: dict[tuple[Any, ...], bytes] = field(default_factory=dict)

    def function(self, function: Function, artifact: Artifact) -> bytes:
        """The package of a function, as the bytes of a zip file; raises UserError."""
        one = artifact.name if _method(artifact) in {"esbuild", "makefile"} else ""
        known = (artifact.place, function.runtime, one)
        if known not in self._built:
            self._built[known] = self._package(function, artifact)
        return self._built[known]

    def _package(self, function: Function, artifact: Artifact) -> bytes:
        place = artifact.place
        if place.is_file():
            return _of_file(place)
        if artifact.built:
            return zipped(place)
        if _method(artifact) == "makefile":
            return self._made(artifact)
        interpreter = self.interpreters[function.runtime]
        if function.runtime.startswith("python"):
            return self._python(place, interpreter)
        if _method(artifact) == "esbuild":
            properties = inside(artifact.resource, "Metadata", "BuildProperties") or {}
            return self._bundled(place, function, properties, interpreter)
        return self._node(place, interpreter)

    def layer(self, artifact: Artifact, runtime: str) -> bytes:
        """The package of a layer that functions of a runtime use; raises UserError."""
        place, method = artifact.place, _method(artifact)
        if place.is_file():
            return _of_file(place)
        if artifact.built or not method:
            return zipped(place)
        if method == "makefile":
            return self._made(artifact)
        interpreter = self.interpreters[runtime]
        if method.startswith("python"):
            return self._python(place, interpreter, to="python")
        if method.startswith("nodejs"):
            return self._node(place, interpreter, to="nodejs")
        raise UserError(f"{place}: the local stack does not build layers by {method}")

    def _made(self, artifact: Artifact) -> bytes:
        """What the project's own Makefile puts into ARTIFACTS_DIR, made in a copy of the folder.

        https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
        """
        with tempfile.TemporaryDirectory(prefix="sls-patterns-make-") as folder:
            copy, made = Path(folder) / "source", Path(folder) / "made"
            shutil.copytree(artifact.place, copy, ignore=shutil.ignore_patterns(*NOT_CODE))
            made.mkdir()
            target = f"build-{artifact.name}"
            with self.progress.step(f"Running make {target} in {artifact.place.name}"):
                variables = {**os.environ, "ARTIFACTS_DIR": str(made)}
                command = ["make", target, f"ARTIFACTS_DIR={made}"]
                modules.run(command, copy, variables, f"make {target}")
            return zipped(made)

    def _python(self, place: Path, interpreter: Interpreter, to: str = "") -> bytes:
        more = {}
        if lists := _lists(place):
            what = ", ".join(each.name for each in lists)
            shown = f"{what} of {place.name} for the functions"
            wanted = uv.Wanted(uv.named(lists), shown, uv.fingerprint(lists), place)
            folder = self._folder(place, interpreter)
            uv.into_folder(folder, interpreter.executable, wanted, self.progress)
            more = {REQUIREMENTS_FOLDER: str(folder)}
        return zipped(place, more, NOT_CODE, to)

    def _node(self, place: Path, node: Interpreter, to: str = "") -> bytes:
        packages = self._modules(place, place, node)
        return zipped(place, {MODULES_FOLDER: str(packages)} if packages else {}, NOT_CODE, to)

    def _bundled(
        self, place: Path, function: Function, properties: Mapping[str, Any], node: Interpreter
    ) -> bytes:
        above = (each for each in (place, *place.parents) if (each / modules.MANIFEST).is_file())
        packages = self._modules(next(above, None), place, node, {"esbuild": ESBUILD})
        entries = properties.get("EntryPoints") or [_entry(place, function)]
        code = Code(place, {**properties, "EntryPoints": entries})
        with tempfile.TemporaryDirectory(prefix="sls-patterns-bundle-") as folder:
            modules.bundle(packages or place, code, node, Path(folder))
            more = {MODULES_FOLDER: str(packages)} if properties.get("External") else {}
            return zipped(Path(folder), more)

    def _modules(
        self,
        manifest: Path | None,
        place: Path,
        node: Interpreter,
        more: Mapping[str, str] | None = None,
    ) -> Path | None:
        """The folder node_modules with what the package.json in a folder asks for, and `more`.

        None where nothing is asked for. The project's own folder stays as it is.
        """
        asked: dict[str, Any] = {}
        if manifest and (manifest / modules.MANIFEST).is_file():
            asked = _manifest(manifest / modules.MANIFEST)
        own = asked.get("devDependencies") or {}
        versions = {name: own.get(name, version) for name, version in (more or {}).items()}
        dependencies = {**versions, **_absolute(asked.get("dependencies") or {}, manifest or place)}
        if not dependencies:
            return None
        lock = (manifest or place) / modules.LOCK
        locks = [lock] if lock.is_file() else []
        stamp = json.dumps(dependencies) + uv.fingerprint(locks)
        folder = self._folder(place, node)
        packages = folder / modules.FOLDER
        if not uv.is_current(folder, stamp):
            shown = f"the packages of {place.name}"
            overrides = {key: asked[key] for key in ("overrides",) if key in asked}
            content = {"name": "packages", "private": True, "dependencies": dependencies}
            with self.progress.step(f"Installing {shown} for the functions"):
                npm(folder, {**content, **overrides}, locks, node)
            uv.mark_current(folder, stamp)
        return packages

    def _folder(self, place: Path, interpreter: Interpreter) -> Path:
        which = hashlib.sha256(str(place).encode()).hexdigest()[:12]
        return self.work / "build" / f"{which}-{interpreter.version_text}"


def npm(
    folder: Path, manifest: Mapping[str, Any], locks: Iterable[Path], node: Interpreter
) -> None:
    """Install into a new folder what a package.json asks for; raises UserError.

    No scripts of packages run, as they may expect the rest of their project.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / modules.MANIFEST).write_text(json.dumps(manifest))
    for lock in locks:
        shutil.copy(lock, folder / lock.name)
    command = [*modules.npm(node), *modules.INSTALL, "--omit=dev", "--ignore-scripts"]
    modules.run(command, folder, modules.environment(node), "npm install")


def _method(artifact: Artifact) -> str:
    return str(inside(artifact.resource, "Metadata", "BuildMethod") or "")


def _manifest(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON: {error}") from error
    return content if isinstance(content, dict) else {}


def _absolute(dependencies: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Dependencies with those on folders beside the project under their whole paths."""
    return {
        name: f"file:{(folder / version.removeprefix('file:')).resolve()}"
        if version.startswith("file:")
        else version
        for name, version in dependencies.items()
    }


def _lists(place: Path) -> list[Path]:
    lists = [place / name for name in REQUIREMENTS if (place / name).is_file()]
    return lists or ([place / PROJECT] if (place / PROJECT).is_file() else [])


def _entry(place: Path, function: Function) -> str:
    """The module of a function's handler, as esbuild takes it."""
    module = str(function.properties.get("Handler", "")).rpartition(".")[0]
    found: Sequence[str] = [
        module + suffix for suffix in MODULE_SUFFIXES if (place / (module + suffix)).is_file()
    ]
    return found[0] if found else f"{module}.ts"


def _of_file(file: Path) -> bytes:
    """A zip file as it is, any other file as the one in a zip file."""
    if file.suffix in {".zip", ".jar"}:
        return file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file, folder)
        return zipped(Path(folder))
