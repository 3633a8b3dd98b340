"""A proof that cannot fail proves nothing: each notices the projects that are broken against it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from proofs.proving import name_of_test, prove
from rendering import render_project
from variants import Variant, all_variants

from sls_patterns_cli import catalog

PATTERNS = Path(__file__).parents[2] / "templates/patterns"


@dataclass(frozen=True)
class Mutant:
    variant: Variant
    proof: str
    what: str
    file: str
    find: str
    replace: str

    def break_project(self, project: Path) -> None:
        (file,) = project.glob(self.file)
        text = file.read_text()
        assert text.count(self.find) == 1, f"{self.file} should hold once: {self.find}"
        file.write_text(text.replace(self.find, self.replace))


def mutants() -> Iterator[Mutant]:
    for variant in all_variants():
        for entry in yaml.safe_load((PATTERNS / variant.pattern / "mutants.yml").read_text()):
            if all(getattr(variant, name) == value for name, value in entry.get("of", {}).items()):
                yield Mutant(
                    variant,
                    entry["proof"],
                    entry["mutant"],
                    entry["in"],
                    entry["find"],
                    entry["replace"],
                )


@pytest.mark.parametrize(
    "mutant", list(mutants()), ids=lambda mutant: f"{mutant.proof}: {mutant.what}"
)
def test_the_proof_notices(mutant: Mutant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **mutant.variant.answers)
    mutant.break_project(project)

    run = prove(project, mutant.proof)

    assert run.failed == {name_of_test(mutant.proof)}, run.printed
    assert run.exit_code == 1


@pytest.mark.parametrize("variant", list(all_variants()), ids=str)
def test_every_proof_has_a_mutant(variant: Variant) -> None:
    topology = catalog.pattern(variant.pattern).topology(variant.topology)

    proofs = {mutant.proof for mutant in mutants() if mutant.variant == variant}

    assert {name_of_test(proof) for proof in proofs} == {
        name_of_test(proof.id) for proof in topology.proofs
    }
