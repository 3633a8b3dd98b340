"""What generated projects need installed: once for each distinct set of requirements."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from servers import server
from spending import CLOCK

from sls_patterns_cli import catalog
from sls_patterns_cli.local import languages
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.flavours.cdk import QUIET
from sls_patterns_cli.local.languages import interpreters, modules, python, uv
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.terminal.progress import Progress

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build/environments"
PACKAGES = ROOT / "templates/runtimes/typescript/packages.yml"
FORKS = Path(__file__).with_name("forks.py")
INTERPRETER = Path(sys.executable).resolve()
"""What runs this, of which `.venv` is an environment."""

UV = Path(sys.executable).with_name("uv")


def environment(project: Path, interpreter: Path = INTERPRETER) -> Path:
    """Return the `bin` folder of an environment with what the project's development needs.

    Projects of one flavour share it, as all pin the same versions: reading the types of CDK for
    the first time takes mypy a minute. One process at a time adds what is missing for a project.
    """
    wanted = pins(project / "requirements-dev.txt")
    if (functions := project / "src/requirements.txt").exists():
        wanted |= pins(functions)
    flavour = projects.load(project).iac
    of = sys.version if interpreter == INTERPRETER else str(interpreter)
    place = ENVIRONMENTS / f"{flavour}-{hashlib.sha256(of.encode()).hexdigest()[:16]}"
    if not wanted <= THERE.setdefault(place, set()):
        _add(wanted, place, interpreter)
        THERE[place] |= wanted
    return place / "bin"


THERE: dict[Path, set[str]] = {}
"""What this process knows to be in each environment."""


def _add(wanted: set[str], place: Path, interpreter: Path) -> None:
    """Install in an environment what is missing of this."""
    place.mkdir(parents=True, exist_ok=True)
    with CLOCK.of_no_pattern(), (place / "installed.txt").open("a+") as installed:
        fcntl.flock(installed, fcntl.LOCK_EX)
        installed.seek(0)
        if missing := wanted.difference(installed.read().splitlines()):
            if not (place / "bin").exists():
                _uv("venv", "--allow-existing", "--python", interpreter, place)
            _uv("pip", "install", "--python", place, *sorted(missing))
            installed.write("".join(f"{pin}\n" for pin in sorted(missing)))


def link_environment(project: Path) -> None:
    """Give a Python project the environment of all, on the interpreter that its proofs run on.

    Its `.venv` is a folder of its own, as `local test` writes there what has been installed.
    """
    place = environment(project, interpreter_of(project).executable).parent
    own = project / ".venv"
    own.mkdir()
    shutil.copy(place / "pyvenv.cfg", own)
    for shared in ("bin", "lib"):
        (own / shared).symlink_to(place / shared)
    uv.mark_current(own / "pyvenv.cfg", uv.fingerprint(python.lists_of_environment(project)))


def interpreter_of(project: Path) -> Interpreter:
    """Return what the functions of a project run on here."""
    return _interpreter(projects.load(project).lambda_runtime)


@cache
def _interpreter(lambda_runtime: str) -> Interpreter:
    return interpreters.find(lambda_runtime)[0]


def link_requirements(project: Path) -> None:
    """Give a Python project its functions' packages: installed once for each distinct list."""
    made = projects.load(project)
    source = project / "src"
    if not source.exists():
        return
    language = languages.of(made, Progress())
    wanted = str(language.interpreter).encode() + (source / "requirements.txt").read_bytes()
    place = ENVIRONMENTS / f"functions-{hashlib.sha256(wanted).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    (made.work / "build").parent.mkdir(exist_ok=True)
    (made.work / "build").symlink_to(place)
    if place in INSTALLED:
        return
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        language.package(Code(source))
    INSTALLED.add(place)


INSTALLED: set[Path] = set()
"""Where this process knows the packages of functions to be."""


def link_uv(project: Path, program: Path) -> None:
    """Let a program be the uv that `make` runs in a Python project, whose `.venv` is its own."""
    place = project / ".venv/bin/uv"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(program)


def fork(project: Path, run: str, *arguments: str, **variables: str) -> str:
    """Run what a Python project holds as `forks.py` does; return what it printed."""
    return fork_by(environment(project) / "python", project, run, *arguments, **variables)


def fork_by(python: Path, project: Path, run: str, *arguments: str, **variables: str) -> str:
    """Do so by the Python of another environment."""
    command = (python, "-P", FORKS)  # our modules are not the projects'
    request = {"project": str(project), "environment": variables, "run": run}
    answer = server(command, **QUIET).ask({**request, "arguments": arguments})
    if answer["code"] != 0:
        pytest.fail(f"exit code {answer['code']}\n{answer['printed']}", pytrace=False)
    printed: str = answer["printed"]
    return printed


def pins(requirements: Path) -> set[str]:
    lines = requirements.read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def node() -> Interpreter:
    """Return the Node.js of the default version of its runtime."""
    return _interpreter("nodejs24.x")


def link_modules(*folders: Path, of: Path | None = None) -> None:
    """Give TypeScript projects, or folders with files `of` one, the npm packages that they ask for.

    All pin the same versions, so one place has what all patterns need. For a project that needs
    others, another is made that has these as well. None ever changes: other processes read it.
    """
    wanted = {name: pin for folder in folders for name, pin in _packages(folder).items()}
    # The newest has most, so all get the same one: who reads a project is not disturbed.
    known = (
        each for each, packages in reversed(WITH.items()) if wanted.items() <= packages.items()
    )
    place = next(known, None) or _place_with(wanted, of or folders[0])
    for folder in folders:
        for name in (modules.FOLDER, modules.LOCK):  # CDK looks for both
            link(folder / name, place / name)


WITH: dict[Path, dict[str, str]] = {}
"""The npm packages of each place that this process has used."""


def _place_with(wanted: dict[str, str], project: Path) -> Path:
    """Return the newest place that has these packages, after it is made if there is none."""
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    prefix = f"node-{hashlib.sha256(str(node()).encode()).hexdigest()[:16]}-"
    with CLOCK.of_no_pattern(), (ENVIRONMENTS / f"{prefix}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = sorted(ENVIRONMENTS.glob(f"{prefix}[0-9]*[0-9]"))
        WITH.update((each, _packages(each)) for each in made)
        place = next((p for p in reversed(made) if wanted.items() <= WITH[p].items()), None)
        if place is None:
            place = ENVIRONMENTS / f"{prefix}{len(made):03}"
            had = WITH[made[-1]] if made else _packages_of_all_patterns()
            _install({**had, **wanted}, project, place)
            WITH[place] = _packages(place)
    return place


def link(name: Path, to: Path) -> None:
    """Let a name stand for a place; who reads a project that has it already is not disturbed."""
    if not name.is_symlink() or name.readlink() != to:
        name.unlink(missing_ok=True)
        name.symlink_to(to)


def _packages_of_all_patterns() -> dict[str, str]:
    known: dict[str, str] = yaml.safe_load(PACKAGES.read_text())["versions"]
    pinned = (
        spec.rpartition("@")
        for pattern in catalog.patterns()
        for packages in (pattern.packages, pattern.test_packages)
        for spec in packages.get("typescript", ())
    )
    return {**known, **{name: version for name, _, version in pinned if name}}


def _packages(folder: Path) -> dict[str, str]:
    manifest = json.loads((folder / modules.MANIFEST).read_text())
    return {**manifest.get("dependencies", {}), **manifest.get("devDependencies", {})}


def _install(packages: dict[str, str], project: Path, place: Path) -> None:
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    (making / modules.MANIFEST).write_text(json.dumps({"dependencies": packages}))
    modules.install(replace(projects.load(project), root=making), node(), Progress())
    making.rename(place)


def npm(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return an npm command, and the variables with which it runs on our Node.js."""
    return [*modules.npm(node()), *arguments], {"PATH": modules.environment(node())["PATH"]}


def _uv(*arguments: str | Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True)
