"""What the patterns record as mends fits what they render."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from jinja2 import Environment
from packaging.version import Version
from pathspec import GitIgnoreSpec
from rendering import ROOT, render_project
from variants import further_variants_of, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.fix_declaration import ReleasedFix
from sls_patterns_cli.catalog.model import Pattern

RECORDED = [
    (pattern, mend)
    for pattern in catalog.patterns()
    for mend in catalog.released_fixes(pattern.slug)
]

of_each_mend = pytest.mark.parametrize(
    ("pattern", "mend"),
    RECORDED,
    ids=[f"{pattern.slug}-{mend.id}" for pattern, mend in RECORDED],
)


@cache
def rendered(slug: str) -> frozenset[str]:
    """Return the paths of all files that a pattern renders for released projects."""
    paths: set[str] = set()
    pattern = catalog.pattern(slug)
    further = further_variants_of(pattern)
    former = [each for each in further if {"poison", "bodies"} & each.answers.keys()]
    for variant in (*variants_of(pattern), *former):
        of_released = {**variant.answers, "tests_adapters": "true", "dead_letters": "tool"}
        with TemporaryDirectory() as folder:
            project = render_project(Path(folder), **of_released)
            files = (path for path in project.rglob("*") if path.is_file())
            paths.update(path.relative_to(project).as_posix() for path in files)
    return frozenset(paths)


@cache
def users() -> GitIgnoreSpec:
    """Return what an update leaves to the user: `_exclude` in copier.yml."""
    settings, _ = (ROOT / "copier.yml").read_text().split("\n---", 1)
    patterns = yaml.safe_load(settings)["_exclude"]
    of_updates = [
        Environment(autoescape=False).from_string(pattern).render(_copier_operation="update")  # noqa: S701 - no HTML
        for pattern in patterns
    ]
    return GitIgnoreSpec.from_lines(of_updates)


def test_mends_are_recorded() -> None:
    assert RECORDED


@of_each_mend
def test_a_mend_came_with_a_release(pattern: Pattern, mend: ReleasedFix) -> None:
    released = re.findall(r"(?m)^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text())
    coming = Version(catalog.version()).base_version

    assert str(mend.release) in {*released, coming}, pattern.slug


@of_each_mend
def test_a_mend_changes_files_that_are_rendered_and_the_users(
    pattern: Pattern, mend: ReleasedFix
) -> None:
    for changed in mend.files:
        alone = replace(mend, files=(changed,))
        found = {path for path in rendered(pattern.slug) if alone.changes(path)}

        assert found, f"{pattern.slug} renders no {changed}"
        assert found == set(users().match_files(found)), f"{changed} is not the user's"


@of_each_mend
def test_a_proof_of_a_mend_is_declared_and_stands_in_a_file_of_its_own(
    pattern: Pattern, mend: ReleasedFix
) -> None:
    declared = {proof.id for topology in pattern.topologies for proof in topology.declared_proofs}
    for proof in mend.proofs:
        alone = replace(mend, proofs=(proof,))

        assert f"{pattern.slug}.{proof}" in declared
        found = {path for path in rendered(pattern.slug) if alone.is_shown_by(path)}
        assert len(found) == len(pattern.runtimes)


@of_each_mend
def test_a_mend_is_for_topologies_of_its_pattern(pattern: Pattern, mend: ReleasedFix) -> None:
    assert {*mend.topologies} <= {topology.name for topology in pattern.topologies}


@of_each_mend
def test_a_mend_whose_reason_is_about_one_topology_is_for_that(
    pattern: Pattern, mend: ReleasedFix
) -> None:
    about = re.match(r"With the topology ([\w-]+),", mend.reason)
    if about and "With the others," not in mend.reason:
        assert mend.topologies == (about[1],), pattern.slug


@of_each_mend
def test_a_mend_migrates_datastores_of_its_pattern(pattern: Pattern, mend: ReleasedFix) -> None:
    assert {*mend.migrates} <= {*pattern.datastores}


def test_a_file_that_belongs_to_the_template_is_not_the_users() -> None:
    paths = {
        "template.yaml",
        "src/orders/logic.py",
        "src/orders/adapters/clock.py",
        "tests/unit/a.py",
    }

    assert set(users().match_files(paths)) == {"src/orders/logic.py", "tests/unit/a.py"}
