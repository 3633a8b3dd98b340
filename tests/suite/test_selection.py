"""The tests that run are those of the patterns that are asked for or that changed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from proofs.test_mutants import mutants_of
from selection import of_what_changed, pattern_of, proofs_among_others
from variants import all_variants

OF_STATE_MACHINE = ("golden state-machine", "contract state-machine")
VARIANT = next(each for each in all_variants() if each.pattern == "scalable-webhook")


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("templates/patterns/state-machine/mutants.yml", {"any", *OF_STATE_MACHINE}),
        ("tests/golden/scalable-webhook/variants.txt", {"any", "contract scalable-webhook"}),
        ("templates/graph.yml", {"any", "golden state-machine"}),
        ("copier.yml", {"any", "golden state-machine"}),
        ("templates/patterns/index.yml", {"any"}),
        ("src/sls_patterns_cli/cli/commands.py", {"any"}),
    ],
)
def test_tests_run_of_the_patterns_that_a_change_concerns(changed: str, tests: set[str]) -> None:
    def test(name: str, file: str, **parameters: str) -> pytest.Item:
        call = SimpleNamespace(params=parameters)
        return cast("pytest.Item", SimpleNamespace(name=name, path=Path(file), callspec=call))

    items = [
        test("any", "test_any.py"),
        test("golden state-machine", "test_golden.py", pattern="state-machine"),
        test("contract state-machine", "test_contract.py", pattern="state-machine"),
        test("contract scalable-webhook", "test_contract.py", pattern="scalable-webhook"),
    ]

    assert {item.name for item in of_what_changed(items, [changed])} == tests


@pytest.mark.parametrize(
    ("parameters", "pattern"),
    [
        ({}, None),
        ({"runtime": "python", "version": "3.12"}, None),
        ({"pattern": "scalable-webhook", "runtime": "python"}, "scalable-webhook"),
        ({"variant": VARIANT}, "scalable-webhook"),
        ({"mutant": next(mutants_of(VARIANT))}, "scalable-webhook"),
    ],
)
def test_the_parameters_of_a_test_say_of_which_pattern_it_is(
    parameters: dict[str, Any], pattern: str | None
) -> None:
    item = SimpleNamespace(callspec=SimpleNamespace(params=parameters))

    assert pattern_of(cast("pytest.Item", item)) == pattern


def test_proofs_run_beside_tests_that_work_and_every_test_runs_once() -> None:
    names = (
        *("cli/test_new.py", "contract/test_contract.py", "proofs/test_proofs.py"),
        *("proofs/test_mutants.py", "static/test_project.py", "static/test_golden.py"),
        *("proofs/test_conservation.py", "proofs/test_conservation.py", "update/test_update.py"),
    )
    waiting = {
        "proofs/test_proofs.py": "test_every_declared_proof_passes",
        "proofs/test_mutants.py": "test_the_proof_notices",
    }
    items = [
        cast("pytest.Item", SimpleNamespace(path=Path(name), originalname=waiting.get(name)))
        for name in names
    ]

    ordered = proofs_among_others([*items])

    assert [f"{item.path}" for item in ordered] == [
        *("proofs/test_proofs.py", "proofs/test_conservation.py", "static/test_project.py"),
        *("static/test_golden.py", "proofs/test_mutants.py", "proofs/test_conservation.py"),
        "contract/test_contract.py",
        *("cli/test_new.py", "update/test_update.py"),
    ]
    assert sorted(map(id, ordered)) == sorted(map(id, items))
