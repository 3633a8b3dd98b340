"""Every proof that a pattern declares passes on the local stack, and nothing else runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proofs.proving import own_id, prove
from rendering import render_project
from variants import Variant, all_variants, covering

from sls_patterns_cli import catalog

COVERING = covering(all_variants())


def proved() -> Iterator[Any]:
    for variant in all_variants():
        marks = () if variant in COVERING else pytest.mark.exhaustive
        yield pytest.param(variant, id=str(variant), marks=marks)


@pytest.mark.parametrize("variant", list(proved()))
def test_every_declared_proof_passes(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    topology = catalog.pattern(variant.pattern).topology(variant.topology)

    run = prove(project)

    assert run.failed == set(), run.printed
    assert run.passed == {own_id(proof.id) for proof in topology.proofs}
    assert run.exit_code == 0
