"""The CloudFormation of rendered projects, whatever their infrastructure is written in.

What CDK projects synthesise is kept under the digest of what they are, so that it is synthesised
once however many tests and processes ask. Several of a language are synthesised in one process:
starting the JavaScript that CDK runs on takes longer than a stack.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from environments import environment, link_modules, node

from sls_patterns_cli.local.flavours.cdk import QUIET
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


def template_files(projects: Iterable[Path]) -> dict[Path, Path]:
    """Return the template of each project: as it is rendered, or as CDK synthesises it."""
    files = {project: _file(project) for project in projects}
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


def synthesise(projects: list[Path]) -> None:
    """Synthesise CDK projects of one language in one process."""
    with tempfile.TemporaryDirectory(dir=SYNTHESISED) as folder:
        outputs = {project: Path(folder) / str(n) for n, project in enumerate(projects)}
        typescript = (projects[0] / "app.ts").exists()
        command, variables = (_typescript if typescript else _python)(projects)
        folders = [word for pair in outputs.items() for word in pair]
        subprocess.run([*command, *folders], env={**variables, **QUIET}, check=True)
        for project, output in outputs.items():
            place = _file(project).parent
            if not place.exists():
                shutil.move(output, place)


def _python(projects: list[Path]) -> tuple[list[str | Path], Mapping[str, str]]:
    python = environment(projects[0]) / "python"
    return [python, "-P", HERE / "synthesise.py"], os.environ  # our modules are not the projects'


def _typescript(projects: list[Path]) -> tuple[list[str | Path], Mapping[str, str]]:
    link_modules(*projects)
    tsx = projects[0] / "node_modules/.bin/tsx"
    return [tsx, HERE / "synthesise.mjs"], modules.environment(node())


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
