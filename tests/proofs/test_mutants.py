"""A proof that cannot fail proves nothing: each notices the projects that are broken against it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from _pytest.mark import ParameterSet
from contract.check import asynchronous_edges, keeps
from contract.graph import differences
from contract.stack import load
from proofs.proving import own_id, prove, unless_proven
from rendering import render_project
from variants import Variant, is_retired, proven_variants, tolerates, topology_of

from sls_patterns_cli import catalog

TEMPLATES = Path(__file__).parents[2] / "templates"


@dataclass(frozen=True)
class Mutant:
    variant: Variant
    proof: str
    what: str
    file: str
    find: re.Pattern[str]
    replace: Mapping[str, str] | str
    places: int | None = 1
    """How often it is found; None where it is changed wherever it is."""
    wiring: str | None = None

    def broken(self, project: Path) -> tuple[Path, str]:
        """Return the file that is changed, and what it holds then."""
        (file,) = project.glob(self.file)
        broken, places = self.find.subn(self._replacement, file.read_text())
        assert places == (self.places or max(places, 1)), (
            f"{self.file} should hold {self.places or 'some'} times: {self.find.pattern}"
        )
        return file, broken

    @property
    def is_of_code(self) -> bool:
        """Whether it is of what each language has in its own words; flavours say the same."""
        return self.file.startswith(("src/", "clients/", "tools/"))

    @property
    def without_flavour(self) -> tuple[str, ...]:
        """The same for SAM and CDK where the same change is made to the same file."""
        options = {**self.variant.answers, "iac": ""}
        change = (self.file, self.find.pattern, str(self.replace))
        return (*options.values(), self.proof, self.what, *change)

    def _replacement(self, found: re.Match[str]) -> str:
        return self.replace if isinstance(self.replace, str) else self.replace[found[0]]


def mutated_variants() -> Iterator[Variant]:
    """Yield the proven variants, and those with an answer that mutants name."""
    yield from proven_variants()
    for variant in proven_variants():
        if tolerates(topology_of(variant)):
            yield replace(variant, further=(("job_rows", "csv"),))
        if any(each.of for each in topology_of(variant).declared_proofs):
            yield replace(variant, further=(("poison", "retried"),))
        if any("body" in edge.attributes for edge in topology_of(variant).edges):
            yield replace(variant, further=(("bodies", "passed"),))


def mutants_of(variant: Variant) -> Iterator[Mutant]:
    """Yield its mutants; with an answer that is not the default, only those that name it."""
    for described in read(TEMPLATES / f"patterns/{variant.pattern}/mutants.yml"):
        # What one language has otherwise is under its name.
        entry = {**described, **described.get(variant.runtime, {})}
        of = entry.get("of", {}).items()
        named = {name for name, _ in of}
        defaults = {"job_rows": "json-lines", "poison": "named", "bodies": "checked"}
        given = {**defaults, **variant.answers}
        if all(given[name] in (v if isinstance(v, list) else [v]) for name, v in of) and (
            named >= {name for name, _ in variant.further}
        ):
            yield Mutant(variant, entry["proof"], entry["mutant"], *change(variant, entry))


def source(module: str, runtime: str) -> str:
    """Return the file of a module such as `handlers/store`; any other file is named as it is."""
    if "." in module:
        return module
    if runtime == "python":
        return f"src/*/{module.replace('-', '_')}.py"
    return f"src/{module}.ts"


def change(
    variant: Variant, entry: dict[str, Any]
) -> tuple[str, re.Pattern[str], Mapping[str, str] | str, int | None, str | None]:
    """Return the file, what is looked for in it, what replaces it, how often, and its wiring."""
    file = source(entry.get("in", ""), variant.runtime)
    if "swap" in entry:
        one, other = entry["swap"]
        both = re.compile(f"{re.escape(one)}|{re.escape(other)}")
        return file, both, {one: other, other: one}, 2, None
    if "find" in entry:
        looked_for = re.compile(re.escape(entry["find"]))
        return file, looked_for, entry["replace"], entry.get("places", 1), None
    wiring = wiring_of(variant)
    broken = wiring[entry["wiring"]]
    looked_for = re.compile(broken["find"])
    return wiring["in"], looked_for, broken["replace"], None, entry["wiring"]


def wiring_of(variant: Variant) -> dict[str, Any]:
    """Return how the flavour's wiring is broken: each way by its name, and the file it is `in`."""
    folder = TEMPLATES / "iac" / variant.iac
    own = folder / variant.runtime / "mutants.yml"
    wiring: dict[str, Any] = read(own if own.exists() else folder / "mutants.yml")
    return wiring


@cache
def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


@cache
def distinct_mutants() -> list[Mutant]:
    """Return all mutants, those that take the least time first: SAM's, and of these Python's; those
    of retired topologies are last.

    A file that both flavours have, such as a handler, is changed in SAM alone: CDK synthesises each
    time. That both come to the same wiring is the parity tests' affair.
    """
    quickest_last = sorted(
        mutated_variants(),
        key=lambda each: (not is_retired(each), each.iac == "sam", each.runtime == "python"),
    )
    distinct: dict[tuple[str, ...], Mutant] = {}
    for mutant in chain.from_iterable(map(mutants_of, reversed(quickest_last))):
        distinct.setdefault(mutant.without_flavour, mutant)
    return list(distinct.values())


def id_of(mutant: Mutant) -> str:
    return f"{mutant.variant} {mutant.proof}: {mutant.what}"


@cache
def first_of_each_wiring() -> dict[str, Mutant]:
    """Return by way to break the wiring the first mutant that does: the frugal consumer's, whose
    limit of two shows wherever it is missing, stands for others.
    """
    first: dict[str, Mutant] = {}
    for mutant in distinct_mutants():
        if mutant.wiring is not None:
            first.setdefault(mutant.wiring, mutant)
    return first


def by_the_contract(mutant: Mutant, project: Path) -> bool:
    """Tell whether the contract notices what is broken in a project of SAM."""
    file, broken = mutant.broken(project)
    file.write_text(broken)
    template = load(project)
    topology = topology_of(mutant.variant)
    return not keeps(template) or bool(differences(asynchronous_edges(template), topology))


PROVEN_ONLY = {
    "alias-not-told",
    "another-audience",
    "api-without-authorizer",
    "concurrency-not-reserved",
    "datastore-not-readable",
    "events-not-retried",
    "every-line-delivered",
    "every-object-delivered",
    "every-version-delivered",
    "executions-not-named",
    "header-added",
    "legacy-address-wrong",
    "moved-elsewhere",
    "path-not-handed-on",
    "schedule-too-rare",
    "stream-not-filtered",
    "subscriptions-not-filtered",
    "unmatched-events-dropped",
    "verdicts-not-kept",
}
"""The ways to break the wiring that no rule of the contract notices, so that a proof has to."""


@pytest.mark.of_all_patterns
@pytest.mark.parametrize("wiring", sorted(first_of_each_wiring()))
def test_the_contract_notices_broken_wiring_or_a_proof_that_always_runs_does(
    wiring: str, tmp_path: Path
) -> None:
    mutant = first_of_each_wiring()[wiring]
    project = render_project(tmp_path / "project", **mutant.variant.answers)

    assert by_the_contract(mutant, project) == (wiring not in PROVEN_ONLY)


def standing_for_all() -> Iterator[ParameterSet]:
    """Return the distinct mutants; `make test` runs one for each wiring that only proofs notice.

    They take long: what cannot happen any more is waited for until the proof's patience ends.
    """
    chosen = [first_of_each_wiring()[wiring] for wiring in sorted(PROVEN_ONLY)]
    for mutant in distinct_mutants():
        always = any(mutant is each for each in chosen)
        mark = pytest.mark.of_all_patterns if always else pytest.mark.exhaustive
        yield pytest.param(mutant, id=id_of(mutant), marks=mark)


def test_every_way_to_break_the_wiring_is_tried() -> None:
    named = {name for variant in proven_variants() for name in wiring_of(variant)}

    assert set(first_of_each_wiring()) == named - {"in"}
    assert named > PROVEN_ONLY


PATIENCE = re.compile(r"(?<=PATIENCE_SECONDS = )(30|60)\b")


def shorten_patience(project: Path) -> None:
    """Let the proof wait for 8 seconds; what it waits for comes within two or three, or never."""
    for waiting in project.glob("tests/e2e/harness/waiting.*"):
        shortened, places = PATIENCE.subn("8", waiting.read_text())
        assert places == 1, waiting.read_text()
        waiting.write_text(shortened)


@pytest.mark.parametrize("mutant", list(standing_for_all()))
def test_the_proof_notices(mutant: Mutant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **mutant.variant.answers)
    file, broken = mutant.broken(project)
    file.write_text(broken)
    shorten_patience(project)

    with unless_proven("proof that fails", project, mutant.proof) as is_new:
        if is_new:
            run = prove(project, mutant.proof)

            assert run.failed == {own_id(mutant.proof)}, run.printed
            assert run.exit_code == 1


@pytest.mark.parametrize("variant", list(mutated_variants()), ids=str)
def test_every_mutant_changes_its_project(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)

    for mutant in mutants_of(variant):
        file, broken = mutant.broken(project)
        assert broken != file.read_text(), mutant.what


@pytest.mark.parametrize(
    "variant", [each for each in mutated_variants() if each.iac == "cdk"], ids=str
)
def test_what_is_changed_in_sam_alone_is_the_same_file_in_cdk(
    variant: Variant, tmp_path: Path
) -> None:
    ran = {mutant.without_flavour: mutant for mutant in distinct_mutants()}
    in_sam = replace(variant, iac="sam")
    with_sam = render_project(tmp_path / "sam", **in_sam.answers)
    with_cdk = render_project(tmp_path / "cdk", **variant.answers)

    for mutant in mutants_of(variant):
        if ran[mutant.without_flavour].variant == in_sam:
            (of_sam, broken_sam), (of_cdk, broken_cdk) = map(mutant.broken, (with_sam, with_cdk))
            assert of_sam.relative_to(with_sam) == of_cdk.relative_to(with_cdk)
            assert broken_sam == broken_cdk, mutant.what


@pytest.mark.parametrize("variant", list(proven_variants()), ids=str)
def test_every_proof_has_a_mutant(variant: Variant) -> None:
    topology = catalog.pattern(variant.pattern).topology(variant.topology)

    proofs = {mutant.proof for mutant in mutants_of(variant)}

    assert {own_id(proof) for proof in proofs} == {own_id(proof.id) for proof in topology.proofs}
