"""All variants: what the patterns themselves declare, multiplied out.

Answers to further questions are not: each value that is not the default of new projects is shown
once a pattern, topology and flavour.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, cycle, product
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import answers, authorized
from sls_patterns_cli.catalog.compiler import graph_file
from sls_patterns_cli.catalog.model import Pattern, Topology

PATTERNS = Path(__file__).parents[1] / "templates/patterns"


@dataclass(frozen=True)
class Variant:
    pattern: str
    topology: str
    runtime: str
    iac: str
    datastore: str
    further: tuple[tuple[str, str], ...] = ()
    """The answers to further questions that are not the defaults."""

    def __str__(self) -> str:
        return f"{self.pattern}/{self.options}"

    @property
    def options(self) -> str:
        """The variant among those of its pattern."""
        answers = (self.topology, self.runtime, self.iac, self.datastore)
        # A list is of names in brackets.
        further = ((name, *re.findall(r"[\w.-]+", value)) for name, value in self.further)
        return "-".join((*answers, *chain.from_iterable(further)))

    @property
    def is_local(self) -> bool:
        """Whether the local stack can run it, so that it has proofs."""
        return catalog.vocabulary().datastores[self.datastore].local

    @property
    def answers(self) -> dict[str, str]:
        answers = {name: value for name, value in vars(self).items() if name != "further"}
        return {**answers, **dict(self.further)}


def _other_authorizations(_: Pattern, topology: Topology) -> Iterator[str]:
    if topology.auth:
        yield from (each for each in (*answers(topology), "none") if each != topology.auth)


@cache
def is_retired(variant: Variant) -> bool:
    """Return whether new projects are not offered it."""
    return bool(catalog.pattern(variant.pattern).topology(variant.topology).retired)


def topology_of(variant: Variant) -> Topology:
    """Return the topology with all answers of the variant."""
    topology = catalog.pattern(variant.pattern).topology(variant.topology)
    if variant.answers.get("external_auth") == "none":
        topology = topology.without_credentials or topology
    topology = topology.on(variant.datastore)
    topology = topology.with_poison(variant.answers.get("poison", "named"))
    if variant.answers.get("tolerated_percentage") == "0":
        proofs = tuple(proof for proof in topology.proofs if not proof.tolerated)
        topology = replace(topology, proofs=proofs)
    auth = variant.answers.get("auth", topology.auth)
    if auth in (None, "none"):
        return topology
    return authorized(topology, auth, catalog.vocabulary(), variant.datastore)


def _without_credentials(_: Pattern, topology: Topology) -> Iterator[str]:
    if topology.without_credentials:
        yield "none"


def rollouts(_: Pattern, topology: Topology) -> list[str]:
    """Return the other way to deploy functions, where there are any."""
    return ["canary"] if any(node.kind == "function" for node in topology.nodes) else []


def _poison_retried(pattern: Pattern, topology: Topology) -> Iterator[str]:
    if "former" in _graph(pattern, topology):
        yield "retried"


def _bodies_passed(_: Pattern, topology: Topology) -> Iterator[str]:
    if any("body" in edge.attributes for edge in topology.edges):
        yield "passed"


def _redriven_by_tool(pattern: Pattern, topology: Topology) -> Iterator[str]:
    if _graph(pattern, topology)["redrive"]:
        yield "tool"


def _graph(pattern: Pattern, topology: Topology) -> dict[str, Any]:
    file = graph_file(topology.name, topology.datastores[0])
    graph: dict[str, Any] = json.loads((PATTERNS / pattern.slug / file).read_text())
    return graph


def _all_parameters(pattern: Pattern, topology: Topology) -> Iterator[str]:
    """Return the answer with all optional parameters that a topology can have."""
    graph = _graph(pattern, topology)
    options = dict.fromkeys(each["option"] for each in graph["optional_parameters"])
    if options:
        yield f"[{', '.join(options)}]"


def _other_rows(_: Pattern, topology: Topology) -> Iterator[str]:
    if tolerates(topology):
        yield "csv"


def _no_tolerance(_: Pattern, topology: Topology) -> Iterator[str]:
    if tolerates(topology):
        yield "0"


def tolerates(topology: Topology) -> bool:
    """Return whether a map hands on batches of rows, of which some may fail."""
    return any("tolerated_percentage" in edge.attributes for edge in topology.edges)


FURTHER: Mapping[str, Callable[[Pattern, Topology], Iterable[str]]] = {
    "auth": _other_authorizations,
    "dashboard": lambda *_: ["true"],
    "stages": lambda *_: ["true"],
    "tracing": lambda _pattern, _topology: ["none"],
    "external_auth": _without_credentials,
    "rollout": rollouts,
    "poison": _poison_retried,
    "bodies": _bodies_passed,
    "dead_letters": _redriven_by_tool,
    "parameters": _all_parameters,
    "job_rows": _other_rows,
    "tolerated_percentage": _no_tolerance,
}
"""By further question: the values for a topology that are not the default of new projects."""


@cache
def all_variants() -> tuple[Variant, ...]:
    """Return all variants; reading what declares them takes a tenth of a second."""
    return tuple(variant for pattern in catalog.patterns() for variant in variants_of(pattern))


@cache
def further_variants() -> tuple[Variant, ...]:
    """Return the variants that show each other answer to each further question."""
    return tuple(
        variant for pattern in catalog.patterns() for variant in further_variants_of(pattern)
    )


@cache
def combined_variants() -> tuple[Variant, ...]:
    """Return few variants with several other answers each.

    Of each pattern, every other answer is there in each flavour, and with the CDK in each runtime.
    """
    return tuple(
        variant
        for pattern in catalog.patterns()
        for variant in few_of(list(_combined_variants_of(pattern)), _combined)
    )


def _combined(variant: Variant) -> set[tuple[str, ...]]:
    runtime = variant.runtime if variant.iac == "cdk" else ""
    return {(variant.iac, runtime, *answer) for answer in variant.further}


def _combined_variants_of(pattern: Pattern) -> Iterator[Variant]:
    for topology in pattern.topologies:
        values = {name: list(others(pattern, topology)) for name, others in FURTHER.items()}
        offered = {name: others for name, others in values.items() if others}
        for number in range(max(map(len, offered.values()))):
            further = tuple((name, some[number % len(some)]) for name, some in offered.items())
            for runtime, iac in product(pattern.runtimes, pattern.flavours):
                yield Variant(
                    pattern.slug, topology.name, runtime, iac, topology.datastores[0], further
                )


@cache
def few_further_variants() -> tuple[Variant, ...]:
    """Return those of them that show each answer once a pattern and flavour."""
    few = few_of(further_variants(), lambda each: {(each.pattern, each.iac, str(each.further))})
    return tuple(each for each in further_variants() if each in few)


def authorized_variants_of(pattern: Pattern) -> list[Variant]:
    """Return those of them that show who may call."""
    return [each for each in further_variants_of(pattern) if "auth" in dict(each.further)]


def proven_variants() -> Iterator[Variant]:
    """Return the variants that have proofs: those that the local stack can run."""
    return (variant for variant in all_variants() if variant.is_local)


T = TypeVar("T")


def few_of(candidates: Sequence[T], shown_by: Callable[[T], set[tuple[str, ...]]]) -> set[T]:
    """Return few candidates that show whatever all of them show."""
    shown = [(each, shown_by(each)) for each in candidates]
    missing = set[tuple[str, ...]]().union(*(parts for _, parts in shown))
    chosen: set[T] = set()
    while missing:
        best, parts = max(shown, key=lambda each: len(missing & each[1]))
        chosen.add(best)
        missing -= parts
    return chosen


def parameters(candidates: Iterable[T], chosen: Collection[T]) -> list[ParameterSet]:
    """Return the candidates as a test's parameters; `make test` runs the chosen ones."""
    return [
        pytest.param(each, id=str(each), marks=() if each in chosen else pytest.mark.exhaustive)
        for each in candidates
    ]


def by_one_worker(tests: str, *names: str) -> list[ParameterSet]:
    """Return the parameters of a stack that these tests share: for each one worker deploys it."""
    return [pytest.param(each, marks=pytest.mark.xdist_group(f"{tests} {each}")) for each in names]


def covering(variants: Iterable[Variant]) -> set[Variant]:
    """Return few variants that stand for all: a pattern's default one is always among them.

    Every topology occurs in each runtime, in each IaC flavour and with each datastore, and every
    pattern in each runtime together with each flavour and with each datastore. One that is retired
    occurs once.
    """
    return few_of(list(variants), _shown_by)


def standing_for_all(variants: Iterable[Variant]) -> list[ParameterSet]:
    """Return the variants as a test's parameters; `make test` runs those that cover the others."""
    candidates = list(variants)
    return parameters(candidates, covering(candidates))


def _shown_by(variant: Variant) -> set[tuple[str, ...]]:
    if is_retired(variant):
        return {(variant.pattern, variant.topology)}
    of_topology = (variant.runtime, variant.iac, variant.datastore)
    return {
        *((variant.pattern, variant.topology, option) for option in of_topology),
        (variant.pattern, variant.runtime, variant.iac),
        (variant.pattern, variant.runtime, variant.datastore),
    }


def further_variants_of(pattern: Pattern) -> Iterator[Variant]:
    """Return the variants that show each other answer to each further question."""
    runtimes = cycle(pattern.runtimes)
    for question, values in FURTHER.items():
        for topology in pattern.topologies:
            for value, iac in product(values(pattern, topology), pattern.flavours):
                yield Variant(
                    pattern.slug,
                    topology.name,
                    next(runtimes),
                    iac,
                    topology.datastores[0],
                    ((question, value),),
                )


def variants_of(pattern: Pattern) -> Iterator[Variant]:
    for topology in pattern.topologies:
        for runtime, iac, datastore in product(
            pattern.runtimes, pattern.flavours, topology.datastores
        ):
            yield Variant(pattern.slug, topology.name, runtime, iac, datastore)


def _with_functions() -> Iterator[Variant]:
    """Yield a variant of each topology with functions in each flavour, the languages in turn."""
    languages = cycle(("python", "typescript"))
    for pattern in catalog.patterns():
        for topology in pattern.offered:
            if any(node.kind == "function" for node in topology.nodes):
                store = topology.datastores[-1]
                variants = product([next(languages)], pattern.flavours, [store])
                found = (Variant(pattern.slug, topology.name, *each) for each in variants)
                yield from (variant for variant in found if variant.is_local)


def _invoked_in(variant: Variant) -> set[tuple[str, ...]]:
    """Return what a variant shows in its flavour: how functions are invoked, and keep events."""
    topology = catalog.pattern(variant.pattern).topology(variant.topology).on(variant.datastore)
    kinds = {node.name: node.kind for node in topology.nodes}
    invoked = {
        (kinds[edge.source], str(edge.attributes.get("by")), kinds[edge.target])
        for edge in topology.edges
        if kinds[edge.target] in {"function", "external"}
    }
    attributes = {
        (name, str(value))
        for node in topology.nodes
        if node.kind in {"function", "state-machine"}
        for name, value in node.attributes.items()
        if name in {"alias", "express", "failed_events", "reserved_concurrency"}
    }
    return {(variant.iac, *each) for each in invoked | attributes} | {
        (variant.iac, variant.runtime)
    }


@cache
def invoked_in_every_way() -> tuple[Variant, ...]:
    """Return few variants with functions that are invoked in every way, in both flavours."""
    return tuple(sorted(few_of(list(_with_functions()), _invoked_in), key=str))
