"""Code that projects share does what it says, with each text that it has in any project."""

import re
from collections.abc import Iterable
from pathlib import Path

import looks
import pytest
from adapters.kept_here import FOLDER, add_tests, unit_tests_of
from kept import digest, kept_of
from rendering import ROOT, kept_from, render_project, template
from static.test_project import (
    CHECKED_BY_ONE,
    CHECKER,
    IN_ITS_PROJECT,
    RUNTIMES,
    TESTS_OF_MANY,
    check_style,
    check_types,
    check_typescript,
    run_tests_of_many,
    run_unit_tests,
)
from variants import Variant, all_variants, combined_variants, few_of, is_retired

IMPORTED = re.compile(r'from "(\.{1,2}/[^"]+)"')


def candidates(runtime: str) -> list[Variant]:
    """Return the variants of a runtime; the code of both flavours is the same."""
    every = (*all_variants(), *combined_variants())
    return [
        each
        for each in every
        if (each.runtime, each.iac) == (runtime, "sam") and not is_retired(each)
    ]


def few(runtime: str) -> list[Variant]:
    """Return variants that show each text of this code, and of what it imports, with its test."""
    variants = candidates(runtime)
    shown = {each: texts_shown_by(each) for each in variants}
    return sorted(few_of(variants, shown.__getitem__), key=str)


def texts_shown_by(variant: Variant) -> set[tuple[str, ...]]:
    """Return the digest of each test, with what it reaches; names of the project are left out."""
    project = kept_from(template(), **variant.answers)
    suffix = {"python": ".py", "typescript": ".ts"}[variant.runtime]
    found = dict(looks.contents(project, suffix))
    code = {path: text for path, text in found.items() if path.startswith(("src/", "tools/"))}
    tests = {path.as_posix(): text for path, text in unit_tests_of(variant, project).items()}
    reached = looks.modules_reached if suffix == ".py" else modules_reached
    of_each = reached({**code, **tests})
    own = re.compile(f"{variant.pattern}|{variant.pattern.replace('-', '_')}")
    texts = {path: own.sub("service", text) for path, text in (code | tests).items()}
    return {
        (digest(*(part for path in of_each[test] for part in (own.sub("", path), texts[path]))),)
        for test in tests
    }


def modules_reached(files: dict[str, str]) -> dict[str, list[str]]:
    """Return which of a project's modules each one in TypeScript imports, itself included."""
    found: dict[str, list[str]] = {}
    for file in files:
        reached: set[str] = set()
        missing = {file}
        while missing:
            path = missing.pop()
            reached.add(path)
            folder = Path("/", path).parent
            named = {(folder / each).resolve() for each in IMPORTED.findall(files[path])}
            missing |= {str(each)[1:] for each in named} & files.keys() - reached
        found[file] = sorted(reached)
    return found


def with_these_tests_alone(variants: Iterable[Variant], folder: Path) -> dict[Variant, Path]:
    projects = {}
    for variant in variants:
        project = render_project(folder / str(variant), **variant.answers)
        for own in (*project.glob("tests/unit/test_*.py"), *project.glob("tests/unit/*.test.ts")):
            own.unlink()
        if add_tests(variant, project):
            projects[variant] = project
    return projects


def run_them(variants: Iterable[Variant], folder: Path) -> None:
    projects = with_these_tests_alone(variants, folder)
    who = CHECKER, TESTS_OF_MANY, IN_ITS_PROJECT
    of_each = {each: (*who, *looks.unit_tests(project)) for each, project in projects.items()}
    assert of_each
    with kept_of("unit tests of adapters", of_each) as new:
        in_typescript = [projects[each] for each in new if each.runtime == "typescript"]
        if in_typescript:
            run_tests_of_many(in_typescript, "unit", folder)
        for variant in new:
            if variant.runtime == "python":
                run_unit_tests(variant, projects[variant], str(FOLDER))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_unit_tests_of_shared_code_pass(runtime: str, tmp_path: Path) -> None:
    """Few projects run them, among which each text of the code is with each test."""
    run_them(few(runtime), tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_they_pass_in_every_variant(runtime: str, tmp_path: Path) -> None:
    run_them(candidates(runtime), tmp_path)


@CHECKED_BY_ONE
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_they_are_as_clean_as_those_of_projects(runtime: str, tmp_path: Path) -> None:
    projects = [*with_these_tests_alone(few(runtime), tmp_path).values()]

    if runtime == "typescript":
        check_typescript(projects)
    else:
        check_style(runtime, tmp_path, projects)
        check_types(projects)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_project_tests_what_is_its_own(runtime: str) -> None:
    """The rule: a unit test is in projects if its code stands with their pattern."""
    for variant in candidates(runtime):
        of_pattern = ROOT / "templates/patterns" / variant.pattern
        named = {each.name for each in of_pattern.glob(f"**/{runtime}/tests/unit/*.jinja")}
        project = kept_from(template(), **variant.answers)
        tests = [each.name for each in project.glob("tests/unit/*") if "test" in each.stem]
        assert tests
        assert {f"{each}.jinja" for each in tests} <= named | {f"{ENVIRONMENT[runtime]}.jinja"}


ENVIRONMENT = {"python": "conftest.py", "typescript": "surroundings.ts"}
