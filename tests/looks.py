"""What decides how a look at a rendered project ends: the keys of what `kept` keeps.

Who looks is a part of the key as well, which only that module knows.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from environments import FORKS, environment, link_modules, node, pins
from kept import Look, digest
from packaging.utils import canonicalize_name

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


def contexts_of_modules(project: Path) -> set[tuple[str, ...]]:
    """Return each module with all that its types follow from: the project's modules it reaches."""
    files = dict(contents(project, ".py"))
    return {
        (file, digest(*(part for each in reached for part in (each, files[each]))))
        for file, reached in modules_reached(files).items()
    }


def modules_reached(files: Mapping[str, str]) -> dict[str, list[str]]:
    """Return which of a project's modules each of them imports, itself included.

    A name that is imported stands for each file that may be it. `files` has paths and texts.
    """
    named: dict[str, set[str]] = {}
    for file in files:
        parts = Path(file).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for start in range(len(parts)):
            named.setdefault(".".join(parts[start:]), set()).add(file)
    imports = {
        file: {each for name in _imported(text) for each in named.get(name, ())}
        for file, text in files.items()
    }
    return {file: sorted(_reached(file, imports)) for file in files}


@cache  # of a text, which many projects have
def _imported(text: str) -> frozenset[str]:
    """Return the names of modules that a module imports, and of the packages they are in."""
    return frozenset(_names_imported(ast.parse(text)))


def _names_imported(module: ast.Module) -> Iterator[str]:
    for part in ast.walk(module):
        names = [each.name for each in part.names] if isinstance(part, IMPORTS) else []
        if isinstance(part, ast.ImportFrom):
            package = [part.module] if part.module else []
            names = [*package, *(".".join([*package, each]) for each in names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


IMPORTS = (ast.Import, ast.ImportFrom)


def _reached(file: str, imports: Mapping[str, set[str]]) -> set[str]:
    reached, missing = set[str](), {file}
    while missing:
        reached |= missing
        missing = set[str]().union(*(imports[each] for each in missing)) - reached
    return reached


def code_in_typescript(project: Path) -> Look:
    link_modules(project)
    return (HERE, str(node()), *_told(project, *TYPESCRIPT))  # package-lock.json is among these


def all_but_pages(project: Path) -> Look:
    """Return all of a project that is not for people to read, and what it runs on."""
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
    files = sorted(found | shared | named)
    return digest(*(part for each in files for part in (str(each.relative_to(project)), each)))


def texts_of_unit_tests(project: Path) -> set[tuple[str, ...]]:
    """Return each file that unit tests run or are, with its text."""
    return {each for each in contents(project) if each[0].startswith(RUN_BY_UNIT_TESTS)}


RUN_BY_UNIT_TESTS = ("src/", "statemachines/", "tests/unit/")


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
    """Return the interpreter, and the packages that the project's own pins bring.

    The environment has those of others too, and gets more as these are rendered.
    """
    place = environment(project).parent
    there = _distributions(place, (place / "installed.txt").read_text())
    found, missing = (
        set[str](),
        {_name(each) for file in _requirements(project) for each in pins(file)},
    )
    while missing := (missing & there.keys()) - found:
        found |= missing
        missing = {needed for each in missing for needed in there[each][1]}
    return (sys.version, *(there[each][0] for each in sorted(found)))


def _requirements(project: Path) -> list[Path]:
    files = (project / "requirements-dev.txt", project / "src/requirements.txt")
    return [file for file in files if file.exists()]


@cache
def _distributions(place: Path, _installed: str) -> dict[str, tuple[str, set[str]]]:
    """Return by name which version of each package is there, and the names that it requires."""
    return dict(map(_distribution, place.glob("lib/python*/site-packages/*.dist-info")))


@cache
def _distribution(folder: Path) -> tuple[str, tuple[str, set[str]]]:
    there = metadata.Distribution.at(folder)
    version = f"{there.name}=={there.version}"
    return _name(there.name), (version, {*map(_name, there.requires or ())})


def _name(requirement: str) -> str:
    return canonicalize_name(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def _told(project: Path, *suffixes: str) -> list[str]:
    return [part for each in sorted(contents(project, *suffixes)) for part in each]
