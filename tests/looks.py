"""What decides how a look at a rendered project ends: the keys of what `kept` keeps.

Who looks is a part of the key as well, which only that module knows.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from environments import FORKS, environment, link_modules, node
from kept import Look

from sls_patterns_cli.local.languages import modules

HERE = Path(__file__)
LEFT = {modules.FOLDER, "__pycache__"}
PYTHON = (".py", ".toml")
TYPESCRIPT = (".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json", "")
"""What the tools of a language read of a project; their hidden files have no suffix."""
FOR_PEOPLE = (".md", ".svg")


def contents(project: Path, *suffixes: str) -> Iterator[tuple[str, str]]:
    """Return path and text of the project's files, or of those with one of these suffixes.

    What tools have left in the project is none of them.
    """
    for folder, folders, files in os.walk(project):
        folders[:] = [each for each in folders if each not in LEFT and not each.startswith(".")]
        for file in (Path(folder) / name for name in files):
            if file.suffix in suffixes or not suffixes:
                yield file.relative_to(project).as_posix(), file.read_text()


def style_of_python(project: Path) -> Look:
    return (HERE, metadata.version("ruff"), *_told(project, *PYTHON))


def types_of_python(project: Path) -> Look:
    return (HERE, *_python(project), *_told(project, *PYTHON))


def code_in_typescript(project: Path) -> Look:
    link_modules(project)
    return (HERE, str(node()), *_told(project, *TYPESCRIPT))  # package-lock.json is among these


def tests_of_stack(project: Path) -> Look:
    runs_on = runner(project)  # first, as it adds package-lock.json
    files = [each for each in sorted(contents(project)) if not each[0].endswith(FOR_PEOPLE)]
    return (HERE, *runs_on, *(part for each in files for part in each))


def unit_tests(project: Path) -> Look:
    return (HERE, *runner(project), *_settings_of_tests(project), seen_by_unit_tests(project))


def seen_by_unit_tests(project: Path) -> str:
    """Return the digest of the code, its unit tests, and the files that these name.

    What unit tests share stands beside them; what only a stack's tests share makes no difference.
    """
    folders = ("src/**/*.*", "statemachines/*", "tests/unit/**/*.*")
    found = {
        file
        for folder in folders
        for file in project.glob(folder)
        if file.is_file() and file.suffix != ".pyc"
    }
    tests = "".join(file.read_text() for file in found if "tests" in file.parts)
    shared = {each for each in project.glob("tests/*.*") if each.stem in tests}
    tests += "".join(file.read_text() for file in shared)
    named = {each for each in project.glob("*.*") if each.is_file() and each.name in tests}
    digest = hashlib.sha256()
    for file in sorted(found | shared | named):
        digest.update(f"{file.relative_to(project)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def infrastructure(project: Path, template: Path) -> Look:
    """Return what tools read of a template, and what the project says that they need not report."""
    beside = [*project.glob("stacks/*.yaml"), *project.glob("statemachines/*")]
    return (HERE, FORKS, template, project / ".checkov.yaml", *sorted(beside))


def runner(project: Path) -> Look:
    """Return what a project's tests run on."""
    if not (project / modules.MANIFEST).exists():
        return (FORKS, *_python(project))
    link_modules(project)
    return (str(node()), project / modules.LOCK)


def _settings_of_tests(project: Path) -> Look:
    names = ("pyproject.toml", "vitest.config.ts", "tsconfig.json", modules.MANIFEST)
    return tuple(project / name for name in names if (project / name).exists())


def _python(project: Path) -> Look:
    return (sys.version, environment(project).with_name("installed.txt"))


def _told(project: Path, *suffixes: str) -> list[str]:
    return [part for each in sorted(contents(project, *suffixes)) for part in each]
