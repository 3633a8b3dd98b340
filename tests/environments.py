"""What generated projects need installed: once for each distinct set of requirements."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from sls_patterns_cli.local import interpreters, modules
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.interpreters import Interpreter

ENVIRONMENTS = Path(__file__).parents[1] / "build/environments"
UV = Path(sys.executable).with_name("uv")


def environment(project: Path) -> Path:
    """Return the `bin` folder of an environment with what the project's development needs.

    It is made once, under a name of its own, and takes its place in one step, so that several
    test processes may ask for it at the same time.
    """
    requirements = project / "requirements-dev.txt"
    text = requirements.read_text() + (project / "src/requirements.txt").read_text()
    place = ENVIRONMENTS / hashlib.sha256(f"{sys.version} {text}".encode()).hexdigest()[:16]
    if not place.exists():
        making = place.with_name(f"{place.name}.{os.getpid()}")
        making.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--relocatable", "--python", sys.executable, making)
        _uv("pip", "install", "--python", making, "--requirements", requirements)
        _take_place(making, place)
    return place / "bin"


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
