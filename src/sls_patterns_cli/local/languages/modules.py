"""Installs a project's npm packages, and bundles its functions with its own esbuild."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.languages.code import Code, Properties
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

MANIFEST, LOCK, FOLDER = "package.json", "package-lock.json", "node_modules"
INSTALL = ("install", "--no-audit", "--no-fund")

UNFINISHED = "node_modules.unfinished"
"""Exists while npm installs: its own record of what is there stays as it was until it ends."""


def install(project: Project, node: Interpreter, progress: Progress) -> Path:
    """Install what package.json and its lock ask for, unless it is there; return node_modules.

    Raises UserError if npm is missing or fails.
    """
    folder = project.root / FOLDER
    unfinished = project.work / UNFINISHED
    if unfinished.exists() or not _is_current(project.root):
        with progress.step(f"Installing the packages of {MANIFEST} into {FOLDER}"):
            if unfinished.exists():  # what an interrupted installation has left
                shutil.rmtree(folder, ignore_errors=True)
            unfinished.parent.mkdir(exist_ok=True)
            unfinished.touch()
            command = [*npm(node), *INSTALL]
            run(command, project.root, environment(node), "npm install")
        unfinished.unlink()
    return folder


def bundle(packages: Path, code: Code, node: Interpreter, into: Path) -> None:
    """Bundle an entry point of `code` into a folder of its own, as `sam build` does.

    esbuild and what the code imports are in `packages`, a folder node_modules. esbuild's JavaScript
    is run by `node`, and so on any machine. Raises UserError.
    """
    shutil.rmtree(into, ignore_errors=True)
    program = packages / "esbuild/bin/esbuild"
    arguments = [*_arguments(code.esbuild or {}), "--log-level=error", f"--outdir={into}"]
    # npm may have put the native program itself in the place of the script.
    native = program.is_file() and program.read_bytes()[:2] != b"#!"
    command = [*(() if native else (str(node.executable),)), str(program), *arguments]
    # Where there is none beside the code: https://esbuild.github.io/api/#node-paths
    variables = {"NODE_PATH": str(packages)}
    run(command, code.folder, {**environment(node), **variables}, "esbuild")


def environment(node: Interpreter) -> dict[str, str]:
    """The environment in which the project's programs find this Node.js first."""
    path = os.pathsep.join([str(node.executable.parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


NPX = """\
#!/bin/sh
if [ "$1" = --no-install ] && [ -x {0}/"$2" ]; then
    installed={0}/"$2"
    shift 2
    exec "$installed" "$@"
fi
exec {1} "$@"
"""


def environment_with_npx(project: Project, node: Interpreter) -> dict[str, str]:
    """The same with its npx, by which CDK calls esbuild.

    That of NODE_PACKAGE does not start: the package holds a copy of what ought to be a link. What
    the project has installed runs without npm, which takes longer to start than esbuild takes.
    """
    variables = environment(node)
    program = node.executable.parents[1] / "lib/node_modules/npm/bin/npx-cli.js"
    if not program.is_file():
        return variables
    by_npm = shlex.join([str(node.executable), str(program)])
    npx = project.work / "bin/npx"
    npx.parent.mkdir(parents=True, exist_ok=True)
    npx.write_text(NPX.format(shlex.quote(str(project.root / FOLDER / ".bin")), by_npm))
    npx.chmod(0o755)
    return {**variables, "PATH": os.pathsep.join([str(npx.parent), variables["PATH"]])}


def _arguments(properties: Properties) -> Iterator[str]:
    """esbuild's arguments, as SAM makes them of a function's BuildProperties."""
    yield from ("--bundle", "--platform=node")
    given = {"Target": "es2020", "Format": "cjs", "Minify": True, **properties}
    entries = given.pop("EntryPoints", [])
    for name, value in given.items():
        flag = "--" + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        if isinstance(value, bool):
            yield from (flag,) if value else ()
        elif isinstance(value, str):
            yield f"{flag}={value}"
        else:
            yield from (f"{flag}:{each}" for each in value)
    yield from entries if isinstance(entries, list) else [str(entries)]


def _is_current(root: Path) -> bool:
    """Whether node_modules holds what the lock says or, where there is none, package.json.

    npm writes down what it has installed:
    https://docs.npmjs.com/cli/configuring-npm/package-lock-json#hidden-lockfiles
    """
    installed = _versions(_read(root / FOLDER / ".package-lock.json"))
    if (root / LOCK).is_file():
        wanted = _versions(_read(root / LOCK))
    else:
        manifest = _read(root / MANIFEST)
        direct = {**manifest.get("dependencies", {}), **manifest.get("devDependencies", {})}
        wanted = {f"{FOLDER}/{name}": version for name, version in direct.items()}
    return bool(installed) and wanted.items() <= installed.items()


def _versions(lock: dict[str, Any]) -> dict[str, str]:
    """The version of each package in its place, but for those that not every machine needs."""
    return {
        place: package.get("version", "")
        for place, package in lock.get("packages", {}).items()
        if place and not package.get("optional") and not package.get("devOptional")
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON: {error}") from error
    return content


def npm(node: Interpreter) -> list[str]:
    """The npm that came with this Node.js, or the machine's; raises UserError if there is none."""
    own = node.executable.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    if own.is_file():
        return [str(node.executable), str(own)]
    if found := shutil.which("npm"):
        return [found]
    raise UserError("A TypeScript project needs npm; install Node.js with it.")


def run(command: list[str], where: Path, variables: Mapping[str, str], what: str) -> None:
    """Run a command in a folder; raises UserError with the first error that it has printed."""
    done = tether.run(command, cwd=where, env=variables, capture=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if "error" in line.lower()] or [
            "no output"
        ]
        raise UserError(f"{what} failed: {said[0].strip()}", 1, log=done.stdout)
