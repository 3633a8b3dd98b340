"""The runtimes of a variant are one infrastructure: what differs has a name and a reason."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from contract.stack import load
from golden import render_all
from graphs.overlay import graphs
from parity.differences import RUNTIMES, unexplained
from parity.facts import Fact, facts
from variants import Variant, variants_of

from sls_patterns_cli import catalog

STACK = "same"

GRAPHS = "graphs"
"""Stands for those under test, as the slug of a pattern for its variants."""

Of = Callable[[str], dict[Variant, dict[str, set[Fact]]]]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Of:
    """Return the facts by runtime of the variants of a pattern, or of the graphs, in SAM.

    Parity of flavours tells of CDK.
    """

    @cache
    def made(pattern: str) -> dict[Variant, dict[str, set[Fact]]]:
        folder = tmp_path_factory.mktemp("runtimes")
        if pattern == GRAPHS:
            projects = {
                graph.variant: graph.render(folder / str(graph), project_name=STACK)
                for graph in graphs()
                if graph.variant.iac == "sam"
            }
        else:
            in_sam = (v for v in variants_of(catalog.pattern(pattern)) if v.iac == "sam")
            projects = render_all(in_sam, folder)
        runtimes: dict[Variant, dict[str, set[Fact]]] = defaultdict(dict)
        for variant, project in projects.items():
            runtimes[replace(variant, runtime="any")][variant.runtime] = facts(load(project), STACK)
        return {variant: each for variant, each in runtimes.items() if len(each) > 1}

    return made


@pytest.mark.parametrize("pattern", [*catalog.slugs(), GRAPHS])
def test_whatever_differs_has_a_name_and_a_reason(pattern: str, of: Of) -> None:
    variants = of(pattern)

    assert {tuple(sorted(each)) for each in variants.values()} == {("python", "typescript")}
    assert {variant: list(unexplained(each, RUNTIMES)) for variant, each in variants.items()} == {
        variant: [] for variant in variants
    }


def test_no_difference_is_listed_that_there_is_not(of: Of) -> None:
    for difference in RUNTIMES:
        others = [each for each in RUNTIMES if each != difference]
        assert any(
            list(unexplained(runtimes, others))
            for group in (GRAPHS, *catalog.slugs())
            for runtimes in of(group).values()
        ), difference.name
