"""Every proof that a pattern declares passes on the local stack, and nothing else runs."""

from pathlib import Path

import pytest
from proofs.proving import own_id, prove
from rendering import render_project
from variants import Variant, proven_variants, standing_for_all, topology_of


@pytest.mark.parametrize("variant", standing_for_all(proven_variants()))
def test_every_declared_proof_passes(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)

    run = prove(project)

    assert run.failed == set(), run.printed
    assert run.passed == {own_id(proof.id) for proof in topology_of(variant).all_proofs}
    assert run.exit_code == 0
