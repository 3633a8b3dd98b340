"""Mutants of code that unit tests notice as well, so that `make test` need not prove them all.

`noticed_by_unit_tests.tsv` lists pattern, runtime, proof and mutant. `make test` proves other
variants than these need; each line is tried here, so a unit test that gets blind fails.
"""

from functools import cache
from pathlib import Path

import pytest
from adapters.kept_here import add_tests
from conservation.patterns import DEFECTS, SERVICES
from environments import link_modules
from proofs.test_mutants import Mutant, mutants_of
from rendering import render_project
from static.test_project import ONLY_UNIT, run_unit_tests
from variants import Variant, parameters, proven_variants

LIST = Path(__file__).with_name("noticed_by_unit_tests.tsv")

Kind = tuple[str, str, str, str]
"""Pattern, runtime, proof and mutant."""


def kind_of(mutant: Mutant) -> Kind:
    return mutant.variant.pattern, mutant.variant.runtime, mutant.proof, mutant.what


@cache
def noticed() -> frozenset[Kind]:
    """Return the kinds of mutants of code that unit tests notice."""
    lines = LIST.read_text().splitlines()
    return frozenset((a, b, c, d) for a, b, c, d in (line.split("\t") for line in lines))


@cache
def first_of_each_kind() -> dict[Kind, Mutant]:
    """Return for each of them the first mutant in SAM, of code if there is one."""
    first: dict[Kind, Mutant] = {}
    mutants = [m for each in proven_variants() if each.iac == "sam" for m in mutants_of(each)]
    for mutant in sorted(mutants, key=lambda each: not each.is_of_code):
        first.setdefault(kind_of(mutant), mutant)
    return {kind: first[kind] for kind in sorted(noticed())}


def unit_tests_fail(variant: Variant, project: Path) -> bool:
    if variant.runtime == "typescript":
        link_modules(project)
    add_tests(variant, project)
    try:
        run_unit_tests(variant, project, *ONLY_UNIT[variant.runtime])
    except pytest.fail.Exception:
        return True
    return False


KINDS = sorted(noticed())
SAMPLE = {next(kind for kind in KINDS if kind[1] == runtime) for runtime in ONLY_UNIT}


@pytest.mark.parametrize("kind", parameters(KINDS, SAMPLE))
def test_a_mutant_of_code_is_noticed_by_unit_tests(kind: Kind, tmp_path: Path) -> None:
    mutant = first_of_each_kind()[kind]
    project = render_project(tmp_path / "project", **mutant.variant.answers)
    file, broken = mutant.broken(project)
    file.write_text(broken)

    assert unit_tests_fail(mutant.variant, project)


OF_CODE = [name for name, defect in DEFECTS.items() if defect.file.startswith("src/")]


@pytest.mark.parametrize("name", OF_CODE)
def test_a_defect_of_conservation_in_code_is_noticed_by_unit_tests(
    name: str, tmp_path: Path
) -> None:
    of = next(each for each in SERVICES if name in each.source.defects)
    variant = Variant(of.pattern, of.topology, "python", "sam", of.datastore)
    project = render_project(tmp_path / "project", **variant.answers)
    DEFECTS[name].apply(project)

    assert unit_tests_fail(variant, project)
