"""The runtimes of a variant are one infrastructure: what differs has a name and a reason."""

from collections import defaultdict
from dataclasses import replace

import pytest
from contract.stack import load
from golden import render_all
from graphs.overlay import graphs
from parity.differences import RUNTIMES, unexplained
from parity.facts import Fact, facts
from variants import Variant, all_variants

STACK = "same"
SAM = [variant for variant in all_variants() if variant.iac == "sam"]


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, dict[str, set[Fact]]]:
    """Return the facts by runtime of each variant in SAM that has several, the graphs' included.

    Parity of flavours tells of CDK.
    """
    folder = tmp_path_factory.mktemp("runtimes")
    projects = render_all(SAM, folder, project_name=STACK)
    for graph in graphs():
        if graph.variant.iac == "sam":
            project = graph.render(folder / "graphs" / str(graph), project_name=STACK)
            projects[graph.variant] = project
    runtimes: dict[Variant, dict[str, set[Fact]]] = defaultdict(dict)
    for variant, project in projects.items():
        runtimes[replace(variant, runtime="any")][variant.runtime] = facts(load(project), STACK)
    return {variant: each for variant, each in runtimes.items() if len(each) > 1}


def test_there_are_variants_in_several_runtimes(
    variants: dict[Variant, dict[str, set[Fact]]],
) -> None:
    assert {tuple(sorted(each)) for each in variants.values()} == {("python", "typescript")}


def test_whatever_differs_has_a_name_and_a_reason(
    variants: dict[Variant, dict[str, set[Fact]]],
) -> None:
    assert {variant: list(unexplained(each, RUNTIMES)) for variant, each in variants.items()} == {
        variant: [] for variant in variants
    }


def test_no_difference_is_listed_that_there_is_not(
    variants: dict[Variant, dict[str, set[Fact]]],
) -> None:
    needed = {
        difference.name
        for each in variants.values()
        for difference in RUNTIMES
        if list(unexplained(each, [d for d in RUNTIMES if d != difference]))
    }

    assert needed == {difference.name for difference in RUNTIMES}
