"""The CloudFormation of rendered projects, whatever their infrastructure is written in.

What CDK projects synthesise is kept under the digest of what the app may read of its project, so
that it is synthesised once however many tests, processes and runs ask. It finds nothing else there:
a stack that reads one more file fails until that is a part of the digest. All of a language are
synthesised by one process: starting the JavaScript that CDK runs on takes longer than a stack.
"""

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import kept
import pytest
from environments import FORKS, environment, fork_by, link_modules, node
from servers import Server, server

from sls_patterns_cli.local import project as projects
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

READ = (
    *APPS,
    *("cdk.json", "package.json", "requirements-dev.txt", "routes.txt", "tsconfig.json"),
    *("infrastructure", "src", "statemachines"),
)
"""What an app may read of its project: packages, settings, and what becomes infrastructure."""

CODE = {".py", ".ts"}
"""Suffixes of what functions run. An app may ask only whether it is there: nothing is bundled."""

PROGRAM = HERE / "synthesis.mjs"


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
        for file in of_language:
            os.utime(file.parent)
    return files


@contextmanager
def _alone(app: str) -> Iterator[None]:
    """Keep other processes from synthesising the same."""
    kept_here().mkdir(parents=True, exist_ok=True)
    with (kept_here() / f"{app}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept_here() -> Path:
    """Return the folder of what is kept: of this run alone if nothing may be from another one."""
    return kept.of_this_run(SYNTHESISED)


def synthesise(folders: list[Path]) -> None:
    """Synthesise CDK projects of one language, and keep what they are."""
    _forget()
    for project in folders:
        place = _file(project).parent
        if not place.exists():
            made = place.with_suffix(".made")
            with _bare(project, place.with_suffix(".project")) as app:
                shutil.rmtree(made, ignore_errors=True)  # somebody was interrupted
                _run(made, app, project)
            made.rename(place)


@contextmanager
def _bare(project: Path, folder: Path) -> Iterator[Path]:
    """Have what an app reads of a project in a folder, whose path CDK puts into hashes of code."""
    for path, content in read_by_app(project).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _forget() -> None:
    """Remove what nobody has asked for in days, and what runs without a cache have left."""
    oldest = time.time() - kept.DAYS_UNUSED * kept.DAY
    for folder in SYNTHESISED.iterdir():
        # An app of the other language is made beside: what it has renamed is not there any more.
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def synthesise_into(output: Path, project: Path, *, build: bool = False) -> None:
    """Do as `cdk synth` does; the code is left as it is unless `build` asks for its packages."""
    _run(output, project, project, build=build)


def _run(output: Path, app: Path, project: Path, *, build: bool = False) -> None:
    """Run the app in one folder with the packages that the project in the other one has."""
    if not (app / "app.ts").exists():
        python = environment(project) / "python"
        fork_by(python, app, "synthesis", str(output), *(["build"] if build else []))
        return
    link_modules(app, of=project)
    variables = modules.environment(node())
    if build:
        variables = modules.environment_with_npx(projects.load(project), node())
    request = {"project": str(app), "output": str(output), "variables": {"PATH": variables["PATH"]}}
    answer = synthesiser((app / modules.FOLDER).resolve()).ask({**request, "build": build})
    if answer:
        pytest.fail(answer["failed"], pytrace=False)


def synthesiser(packages: Path) -> Server:
    """Return the process that runs this worker's CDK apps in TypeScript.

    Of what changes only PATH is given to it: the whole environment names the test that runs, and so
    would start a process for each test.
    """
    path = modules.environment(node())["PATH"]
    return server((packages / ".bin/tsx", PROGRAM), PATH=path, **QUIET)


def _file(project: Path) -> Path:
    own = project / "template.yaml"
    return own if own.exists() else kept_here() / key(project) / TEMPLATE


def key(project: Path) -> str:
    """Return the digest of all that decides what a CDK project synthesises."""
    read = (part for path, content in read_by_app(project).items() for part in (path, content))
    ours = (sys.version, str(node()), Path(__file__), PROGRAM, FORKS)
    return kept.digest(*ours, *read)[:16]


def read_by_app(project: Path) -> dict[str, bytes]:
    """Return the content of each file that an app finds, by its path; code has none."""
    places = (project / name for name in READ)
    files = (file for place in places for file in (place.rglob("*") if place.is_dir() else [place]))
    return {
        path: b"" if path.startswith("src/") and file.suffix in CODE else file.read_bytes()
        for file in sorted(files)
        if file.is_file() and file.suffix != ".pyc"
        for path in [file.relative_to(project).as_posix()]
    }
