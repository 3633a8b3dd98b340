"""The runtimes of a variant are one infrastructure: what differs has a name and a reason."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import pytest
from contract.made import Made
from golden import render_all
from graphs.overlay import graphs
from kept import digest, kept
from parity.differences import RUNTIMES, unexplained
from parity.facts import Fact, facts
from variants import Variant, variants_of

from sls_patterns_cli import catalog

PARITY = Path(__file__).parent

STACK = "same"

GRAPHS = "graphs"
"""Stands for those under test, as the slug of a pattern for its variants."""


@dataclass(frozen=True)
class Group:
    """The variants of a pattern, or of the graphs, in SAM: parity of flavours tells of CDK."""

    made: tuple[Made, ...]

    @cached_property
    def several(self) -> dict[Variant, dict[str, set[Fact]]]:
        """The facts by runtime of what has several."""
        runtimes: dict[Variant, dict[str, set[Fact]]] = defaultdict(dict)
        for each in self.made:
            of_variant = runtimes[replace(each.variant, runtime="any")]
            of_variant[each.variant.runtime] = facts(each.template, STACK)
        return {variant: each for variant, each in runtimes.items() if len(each) > 1}

    @cached_property
    def content(self) -> str:
        """The digest of all that decides how they differ."""
        return digest(PARITY, *(part for each in self.made for part in each.looked_at()))


Of = Callable[[str], Group]


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Of:
    """Return what makes the variants of a pattern, or of the graphs."""

    @cache
    def made(pattern: str) -> Group:
        projects = rendered(pattern, tmp_path_factory.mktemp("runtimes"))
        return Group(tuple(Made(v, each, each / "template.yaml") for v, each in projects.items()))

    return made


def rendered(pattern: str, folder: Path) -> dict[Variant, Path]:
    if pattern == GRAPHS:
        return {
            graph.variant: graph.render(folder / str(graph), project_name=STACK)
            for graph in graphs()
            if graph.variant.iac == "sam"
        }
    declared = catalog.pattern(pattern)
    return render_all((each for each in variants_of(declared) if each.iac == "sam"), folder)


@pytest.mark.parametrize("pattern", [*catalog.slugs(), GRAPHS])
def test_whatever_differs_has_a_name_and_a_reason(pattern: str, of: Of) -> None:
    group = of(pattern)

    with kept("runtimes", group.content) as is_new:
        if is_new:
            several = group.several
            assert {tuple(sorted(each)) for each in several.values()} == {("python", "typescript")}
            differing = {each: [*unexplained(of, RUNTIMES)] for each, of in several.items()}
            assert differing == {variant: [] for variant in several}


def test_no_difference_is_listed_that_there_is_not(of: Of) -> None:
    for difference in RUNTIMES:
        others = [each for each in RUNTIMES if each != difference]
        assert any(
            list(unexplained(runtimes, others))
            for group in (GRAPHS, *catalog.slugs())
            for runtimes in of(group).several.values()
        ), difference.name
