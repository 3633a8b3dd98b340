"""What generated projects need installed: once for each distinct set of requirements."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.languages import interpreters, modules
from sls_patterns_cli.local.languages.interpreters import Interpreter

ENVIRONMENTS = Path(__file__).parents[1] / "build/environments"
UV = Path(sys.executable).with_name("uv")


def environment(project: Path) -> Path:
    """Return the `bin` folder of an environment with what the project's development needs.

    Projects of one flavour share it, as all pin the same versions: reading the types of CDK for
    the first time takes mypy a minute. One process at a time adds what is missing for a project.
    """
    wanted = _pins(project / "requirements-dev.txt") | _pins(project / "src/requirements.txt")
    flavour = projects.load(project).iac
    place = ENVIRONMENTS / f"{flavour}-{hashlib.sha256(sys.version.encode()).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "installed.txt").open("a+") as installed:
        fcntl.flock(installed, fcntl.LOCK_EX)
        installed.seek(0)
        if missing := wanted.difference(installed.read().splitlines()):
            if not (place / "bin").exists():
                _uv("venv", "--allow-existing", "--python", sys.executable, place)
            _uv("pip", "install", "--python", place, *sorted(missing))
            installed.write("".join(f"{pin}\n" for pin in sorted(missing)))
    return place / "bin"


def _pins(requirements: Path) -> set[str]:
    lines = requirements.read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


@cache
def node() -> Interpreter:
    """Return the Node.js of the default version of its runtime."""
    return interpreters.find("nodejs24.x")[0]


def link_modules(project: Path) -> None:
    """Give a TypeScript project the npm packages that it asks for, made like an environment."""
    manifest = json.loads((project / modules.MANIFEST).read_text())
    needed = {key: manifest[key] for key in ("dependencies", "devDependencies")}
    text = json.dumps(needed, sort_keys=True)
    place = ENVIRONMENTS / hashlib.sha256(f"{node()} {text}".encode()).hexdigest()[:16]
    if not place.exists():
        making = place.with_name(f"{place.name}.{os.getpid()}")
        making.mkdir(parents=True)
        (making / modules.MANIFEST).write_text(text)
        modules.install(replace(projects.load(project), root=making), node(), print)
        _take_place(making, place)
    for name in (modules.FOLDER, modules.LOCK):  # CDK looks for both
        if not (project / name).exists():
            (project / name).symlink_to(place / name)


def npm(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return an npm command, and the variables with which it runs on our Node.js."""
    return [*modules.npm(node()), *arguments], {"PATH": modules.environment(node())["PATH"]}


def _take_place(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:  # another process was faster
        shutil.rmtree(made)


def _uv(*arguments: str | Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True)
