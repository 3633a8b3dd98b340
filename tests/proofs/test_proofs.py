"""Every proof that a pattern declares passes on the local stack, and nothing else runs."""

from pathlib import Path

import pytest
from proofs.proving import own_id, prove, unless_proven
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

PROVEN = list(proven_variants())
# Of those that show as much, those that take least come first.
QUICK_FIRST = sorted(PROVEN, key=lambda each: (each.iac != "sam", each.runtime != "python"))


def options_of(variant: Variant) -> set[tuple[str, ...]]:
    """Return what one variant is proven for: each topology that is offered at least once, and each
    pattern in both languages and both flavours. `make test-all` proves those that are retired.
    """
    if is_retired(variant):
        return set()
    options = (variant.topology, variant.runtime, variant.iac)
    return {(variant.pattern, option) for option in options}


WHOLE = few_of(QUICK_FIRST, options_of)
"""The variants of which `make test` runs all proofs."""


WITH_ALIASES = Variant("distributed-trigger", "s3-events", "python", "sam", "dynamodb")
"""The one of which `make test` runs all proofs where everything invokes aliases, and not otherwise:
its functions are invoked by a rule, by queues and by the SDK.
"""


def noticed_by(variant: Variant) -> dict[tuple[str, ...], str]:
    """Return each kind of mutant that only proofs notice, and the proof; a kind of code is one of
    its language.
    """
    if is_retired(variant):
        return {}
    return {
        (
            variant.pattern,
            variant.runtime if mutant.is_of_code else "",
            mutant.proof,
            mutant.what,
        ): (mutant.proof)
        for mutant in mutants_of(variant)
        if kind_of(mutant) not in noticed()
    }


def further_proofs() -> list[tuple[Variant, list[str]]]:
    """Return few proofs of other variants that notice what those of the whole ones do not."""
    found = {kind for each in WHOLE for kind in noticed_by(each)}
    further = few_of(QUICK_FIRST, lambda each: noticed_by(each).keys() - found)
    chosen = []
    for variant in sorted(further, key=str):
        proofs = {proof for kind, proof in noticed_by(variant).items() if kind not in found}
        found |= noticed_by(variant).keys()
        chosen.append((variant, sorted(proofs)))
    return chosen


@pytest.mark.parametrize(
    "variant", parameters(PROVEN, [each for each in WHOLE if each != WITH_ALIASES])
)
def test_every_declared_proof_passes(variant: Variant, tmp_path: Path) -> None:
    passes(variant, render_project(tmp_path / "project", **variant.answers))


@pytest.mark.parametrize(
    ("variant", "proofs"),
    [pytest.param(variant, proofs, id=str(variant)) for variant, proofs in further_proofs()],
)
def test_a_proof_that_alone_notices_a_defect_passes(
    variant: Variant, proofs: list[str], tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    with unless_proven("proofs", project, *proofs) as is_new:
        if is_new:
            run = prove(project, *proofs)

            assert run.failed == set(), run.printed
            assert run.passed == {own_id(proof) for proof in proofs}


def test_all_proofs_that_run_notice_each_defect_that_only_proofs_notice() -> None:
    run = [(each, None) for each in WHOLE] + further_proofs()

    noticed_by_those = {
        kind
        for variant, proofs in run
        for kind, proof in noticed_by(variant).items()
        if proofs is None or proof in proofs
    }

    assert noticed_by_those == {kind for each in PROVEN for kind in noticed_by(each)}


@pytest.mark.parametrize(
    "variant", parameters([WITH_ALIASES, *invoked_in_every_way()], [WITH_ALIASES])
)
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
    with unless_proven("proofs", project) as is_new:
        if is_new:
            run = prove(project)

            assert run.failed == set(), run.printed
            assert run.passed == {own_id(proof.id) for proof in topology_of(variant).all_proofs}
            assert run.exit_code == 0
