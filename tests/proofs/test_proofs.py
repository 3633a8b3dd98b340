"""Every proof that a pattern declares passes on the local stack, and nothing else runs."""

from pathlib import Path

import pytest
from proofs.proving import own_id, prove
from proofs.test_mutants import mutants_of
from proofs.test_unit_tests_notice import kind_of, noticed
from rendering import render_project
from variants import (
    Variant,
    few_of,
    invoked_in_every_way,
    is_retired,
    parameters,
    proven_variants,
    topology_of,
)


def noticed_by(variant: Variant) -> set[tuple[str, ...]]:
    """Return what the proofs of a variant show: each kind of mutant that no unit test notices, in
    code of its language.

    Each topology is proven at least once, and each pattern in both languages and both flavours. One
    that is retired is proven once.
    """
    if is_retired(variant):
        return {(variant.pattern, variant.topology)}
    kinds = {
        (variant.pattern, variant.runtime if mutant.is_of_code else "", mutant.proof, mutant.what)
        for mutant in mutants_of(variant)
        if kind_of(mutant) not in noticed()
    }
    options = (variant.topology, variant.runtime, variant.iac)
    return kinds | {(variant.pattern, option) for option in options}


PROVEN = list(proven_variants())
# Of those that show as much, those that take least come first.
QUICK_FIRST = sorted(PROVEN, key=lambda each: (each.iac != "sam", each.runtime != "python"))


@pytest.mark.parametrize("variant", parameters(PROVEN, few_of(QUICK_FIRST, noticed_by)))
def test_every_declared_proof_passes(variant: Variant, tmp_path: Path) -> None:
    passes(variant, render_project(tmp_path / "project", **variant.answers))


# Its functions are invoked by a rule, by queues and by the SDK.
ONE_OF_MANY = {
    each for each in invoked_in_every_way() if (each.topology, each.iac) == ("s3-events", "sam")
}


@pytest.mark.parametrize("variant", parameters(invoked_in_every_way(), ONE_OF_MANY))
def test_every_proof_passes_where_everything_invokes_aliases(
    variant: Variant, tmp_path: Path
) -> None:
    passes(variant, render_project(tmp_path / "project", **variant.answers, rollout="canary"))


OF_BATCHES = [
    Variant("fan-out-fan-in", "s3-object", runtime, iac, "none", further)
    for runtime, iac in (("python", "sam"), ("typescript", "cdk"))
    for further in (
        (("job_rows", "csv"),),
        (("tolerated_percentage", "0"),),
        (("tolerated_percentage", "99"),),
    )
]


@pytest.mark.parametrize("variant", parameters(OF_BATCHES, OF_BATCHES[:1]))
def test_every_proof_passes_with_other_rows_and_whatever_is_tolerated(
    variant: Variant, tmp_path: Path
) -> None:
    passes(variant, render_project(tmp_path / "project", **variant.answers))


def passes(variant: Variant, project: Path) -> None:
    run = prove(project)

    assert run.failed == set(), run.printed
    assert run.passed == {own_id(proof.id) for proof in topology_of(variant).all_proofs}
    assert run.exit_code == 0
