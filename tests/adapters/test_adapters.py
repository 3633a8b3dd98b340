"""Adapters that users have no reason to change do what they say, in every project that has them."""

from pathlib import Path

import pytest
from adapters.kept_here import add_tests, unit_tests_of
from rendering import kept_from, render_project, template
from static.test_project import (
    CHECKED_BY_ONE,
    check_style,
    check_types,
    check_typescript,
    run_unit_tests,
)
from variants import Variant, all_variants, few_of, is_retired, parameters


def texts_of(variant: Variant) -> set[tuple[str, ...]]:
    """Return those adapters and their tests, whatever the project is called."""
    project = kept_from(template(), **variant.answers)
    package = variant.pattern.replace("-", "_")
    code = [
        file.read_text()
        for subject in ("batches", "dead?letter?queue")
        for file in sorted(project.glob(f"src/**/adapters/{subject}.*"))
    ]
    tests = unit_tests_of(variant, project)
    return {(text.replace(package, "package"),) for text in (*code, *tests.values()) if tests}


OFFERED = [each for each in all_variants() if each.iac == "sam" and not is_retired(each)]
FEW = few_of(OFFERED, texts_of)


@pytest.mark.of_all_patterns
@pytest.mark.parametrize("variant", parameters([each for each in OFFERED if texts_of(each)], FEW))
def test_the_unit_tests_of_adapters_pass(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)

    added = add_tests(variant, project)

    assert added
    run_unit_tests(variant, project, *added)


@CHECKED_BY_ONE
@pytest.mark.of_all_patterns
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_they_are_as_clean_as_those_of_projects(runtime: str, tmp_path: Path) -> None:
    projects = []
    for variant in sorted(FEW, key=str):
        if variant.runtime == runtime:
            project = render_project(tmp_path / str(variant), **variant.answers)
            add_tests(variant, project)
            projects.append(project)

    assert projects
    if runtime == "typescript":
        check_typescript(projects)
    else:
        check_style(runtime, tmp_path, projects)
        check_types(projects)
