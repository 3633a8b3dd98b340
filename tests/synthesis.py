"""The CloudFormation of rendered projects, whatever their infrastructure is written in.

What CDK projects synthesise is kept under the digest of what they are, so that it is synthesised
once however many tests and processes ask. Several are synthesised in one process: starting the
JavaScript that CDK runs on takes longer than a stack.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from environments import environment

from sls_patterns_cli.local.cdk import QUIET

SYNTHESISED = Path(__file__).parents[1] / "build/synthesised"
TEMPLATE = "Stack.template.json"


def template_file(project: Path) -> Path:
    """Return the template of a project."""
    return template_files([project])[project]


def template_files(projects: Iterable[Path]) -> dict[Path, Path]:
    """Return the template of each project: as it is rendered, or as CDK synthesises it."""
    files = {project: _file(project) for project in projects}
    missing = [project for project, file in files.items() if not file.exists()]
    if missing:
        synthesise(missing)
    return files


def synthesise(projects: list[Path]) -> None:
    """Synthesise CDK projects in one process."""
    SYNTHESISED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SYNTHESISED) as folder:
        outputs = {project: Path(folder) / str(n) for n, project in enumerate(projects)}
        subprocess.run(
            [
                *(environment(projects[0]) / "python", "-P"),  # our modules are not the projects'
                Path(__file__).with_name("synthesise.py"),
                *(word for pair in outputs.items() for word in pair),
            ],
            env=os.environ | QUIET,
            check=True,
        )
        for project, output in outputs.items():
            place = _file(project).parent
            if not place.exists():
                shutil.move(output, place)


def _file(project: Path) -> Path:
    own = project / "template.yaml"
    return own if own.exists() else SYNTHESISED / _digest(project) / TEMPLATE


def _digest(project: Path) -> str:
    digest = hashlib.sha256()
    for folder in ("infrastructure", "src"):
        for file in sorted((project / folder).rglob("*.*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(project)}\0".encode() + file.read_bytes())
    for name in ("app.py", "cdk.json", "requirements-dev.txt"):
        digest.update((project / name).read_bytes())
    return digest.hexdigest()[:16]
