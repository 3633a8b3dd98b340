"""The CloudFormation of rendered projects, whatever their infrastructure is written in.

What CDK projects synthesise is kept under the digest of what they are, so that it is synthesised
once however many tests and processes ask. All of a language are synthesised by one process:
starting the JavaScript that CDK runs on takes longer than a stack.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from environments import fork, link_modules, node
from servers import Server, server

from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.languages import modules

HERE = Path(__file__).parent
SYNTHESISED = HERE.parent / "build/synthesised"
TEMPLATE = "Stack.template.json"

SYNTHESISED_ONCE = pytest.mark.xdist_group("synthesised")
"""Marks tests that want the templates of all: on one worker the first of them makes them."""


def with_templates_of(pattern: str) -> pytest.MarkDecorator:
    """Mark a test that wants the templates of one pattern, as all such tests are marked."""
    return pytest.mark.xdist_group(f"synthesised {pattern}")


APPS = ("app.py", "app.ts")
"""What `cdk` runs of a project, in the language of its runtime."""


def template_file(project: Path) -> Path:
    """Return the template of a project."""
    return template_files([project])[project]


def template_files(folders: Iterable[Path]) -> dict[Path, Path]:
    """Return the template of each project: as it is rendered, or as CDK synthesises it."""
    files = {project: _file(project) for project in folders}
    for app in APPS:
        of_language = {file: p for p, file in files.items() if (p / app).exists()}
        if not all(file.exists() for file in of_language):
            with _alone(app):
                missing = [p for file, p in of_language.items() if not file.exists()]
                if missing:
                    synthesise(missing)
    return files


@contextmanager
def _alone(app: str) -> Iterator[None]:
    """Keep other processes from synthesising the same."""
    SYNTHESISED.mkdir(parents=True, exist_ok=True)
    with (SYNTHESISED / f"{app}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def synthesise(folders: list[Path]) -> None:
    """Synthesise CDK projects of one language, and keep what they are."""
    for project in folders:
        with tempfile.TemporaryDirectory(dir=SYNTHESISED) as folder:
            output = Path(folder) / "made"
            synthesise_into(output, project)
            place = _file(project).parent
            if not place.exists():
                shutil.move(output, place)


def synthesise_into(output: Path, project: Path, *, build: bool = False) -> None:
    """Do as `cdk synth` does; the code is left as it is unless `build` asks for its packages."""
    if not (project / "app.ts").exists():
        fork(project, "synthesis", str(output), *(["build"] if build else []))
        return
    link_modules(project)
    variables = {"PATH": modules.environment_with_npx(projects.load(project), node())["PATH"]}
    request = {"project": str(project), "output": str(output), "variables": variables}
    synthesiser((project / modules.FOLDER).resolve()).ask({**request, "build": build})


def synthesiser(packages: Path) -> Server:
    """Return the process that runs this worker's CDK apps in TypeScript.

    Only PATH is given to it: the whole environment names the test that runs, and so would start a
    process for each test.
    """
    path = modules.environment(node())["PATH"]
    return server((packages / ".bin/tsx", HERE / "synthesis.mjs"), PATH=path)


def _file(project: Path) -> Path:
    own = project / "template.yaml"
    return own if own.exists() else SYNTHESISED / _digest(project) / TEMPLATE


def _digest(project: Path) -> str:
    digest = hashlib.sha256()
    for folder in ("infrastructure", "src", "statemachines"):
        for file in sorted((project / folder).rglob("*.*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(project)}\0".encode() + file.read_bytes())
    for name in (*APPS, "cdk.json", "requirements-dev.txt", modules.MANIFEST):
        if (project / name).exists():
            digest.update((project / name).read_bytes())
    return digest.hexdigest()[:16]
