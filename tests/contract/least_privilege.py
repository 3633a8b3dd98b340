"""Least privilege: what a stack permits is what its graph needs, and nothing else.

What a graph needs stands in least_privilege.yml, with the reasons. The compiler, whose grants the
templates print, is not asked.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from contract.graph import pascal
from contract.permissions import PATH_PARAMETER, Permission, permissions
from variants import Variant, topology_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Edge, Failure, Node
from sls_patterns_cli.cloudformation.document import Template

RULES = Path(__file__).with_name("least_privilege.yml")
BY_DEFAULT = {"tracing": "xray", "rollout": "all-at-once"}
"""Answers of new projects that rules ask for."""
WHOSE = {"edges": "{source}", "nodes": "{node}"}
"""Whose role a rule is about unless it says so."""


@dataclass(frozen=True)
class Rule:
    """A line of least_privilege.yml; `where` it stands there tells it from others."""

    stands: tuple[str, str, int]
    who: str
    may: tuple[str, ...]
    resource: str
    condition: str
    needs: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        section, subject, number = self.stands
        return f"{section}, {subject}, line {number + 1}: {', '.join(self.may)}"

    def fits(self, facts: Mapping[str, Any]) -> bool:
        return all(_fits(facts.get(name), wanted) for name, wanted in self.needs)

    def permissions(self, names: Mapping[str, str]) -> Iterator[Permission]:
        """Yield what it permits where these are the names for its holes."""
        said = (self.who, self.resource, self.condition)
        who, resource, condition = (each.format_map(names) for each in said)
        return (Permission(who, action, resource, condition) for action in self.may)


def _fits(value: Any, wanted: Any) -> bool:
    match wanted:
        case {"not": unwanted}:
            return not _fits(value, unwanted)
        case [*several]:
            return value in several
    return bool(value == wanted)


@cache
def declared() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(RULES.read_text())
    return found


@cache
def rules() -> Mapping[tuple[str, str], list[Rule]]:
    """Return the rules, by section and subject."""
    return {
        (section, subject): [
            Rule(
                (section, subject, number),
                line.get("who") or WHOSE[section],
                tuple(line["may"]),
                line["resource"],
                line.get("where", ""),
                tuple(line.get("if", {}).items()),
            )
            for number, line in enumerate(lines)
        ]
        for section in ("edges", "nodes", "failures", "stack")
        for subject, lines in declared()[section].items()
    }


def complaints(template: Template, variant: Variant) -> list[str]:
    """Return what a stack permits beside what its graph needs, and what it does not permit."""
    return compared(permissions(template), expected(variant))


def compared(permitted: set[Permission], needed: set[Permission]) -> list[str]:
    return [
        *(f"surplus: {each}" for each in sorted(permitted - needed)),
        *(f"missing: {each}" for each in sorted(needed - permitted)),
    ]


def expected(variant: Variant) -> set[Permission]:
    """Return what the graph of a variant needs."""
    by_graph = {each for rule, names in applied(variant) for each in rule.permissions(names)}
    by_key = _with_key(by_graph) if "kms" in variant.answers.get("parameters", "") else ()
    return {*by_graph, *by_key}


def _with_key(found: set[Permission]) -> Iterator[Permission]:
    """Yield what a customer managed key permits: to whoever reads or writes what it encrypts."""
    for who, action, *_ in found:
        for use in declared()["key"]:
            if not who.endswith(".amazonaws.com") and any(
                fnmatchcase(action, each) for each in use["who may"]
            ):
                for each in use["may"]:
                    yield Permission(who, each, use["resource"], use["where"])


def applied(variant: Variant) -> Iterator[tuple[Rule, dict[str, str]]]:
    """Yield the rules that a variant's graph needs, with the names for their holes."""
    for section, subject, facts, names in _Graph(variant).subjects():
        for rule in rules().get((section, subject), ()):
            if rule.fits(facts):
                yield rule, names


class _Graph:
    """What rules ask of a variant's graph: facts of its parts, and their names in a stack."""

    def __init__(self, variant: Variant) -> None:
        topology = topology_of(variant)
        self.edges = topology.edges
        self.nodes = {node.name: node for node in topology.nodes}
        self.datastore = catalog.vocabulary().datastores[variant.datastore]
        options = re.findall(r"[\w-]+", variant.answers.get("parameters", ""))
        self.answers: dict[str, Any] = {
            **BY_DEFAULT,
            **variant.answers,
            **{f"parameters.{option}": True for option in options},
        }

    def subjects(self) -> Iterator[tuple[str, str, dict[str, Any], dict[str, str]]]:
        """Yield the section and the subject of rules for each part, with its facts and names."""
        yield "stack", "all", self.answers, {}
        for node in self.nodes.values():
            owns = any(each.attributes.get("access") == "own" for each in self.edges_from(node))
            facts = {**self.answers, **node.attributes, "owns_schema": owns}
            yield "nodes", self.kind(node), facts, {"node": self.id(node)}
        for edge in self.edges:
            ends = self.nodes[edge.source], self.nodes[edge.target]
            facts, names = self.facts(edge, *ends), self.names(edge, *ends)
            yield "edges", " -> ".join(map(self.kind, ends)), facts, names
            for failure in edge.failures:
                yield "failures", failure.id, facts, {**names, **self.names_of_end(failure)}

    def edges_from(self, node: Node) -> list[Edge]:
        return [edge for edge in self.edges if edge.source == node.name]

    def kind(self, node: Node) -> str:
        """Return the kind of a node; a datastore and a table are their own."""
        if node.kind == "datastore":
            return self.datastore.name
        return node.facts.resource or node.kind

    def id(self, node: Node) -> str:
        suffix = self.datastore.suffix if node.kind == "datastore" else node.facts.suffix
        return f"{pascal(node.name)}{suffix}"

    def facts(self, edge: Edge, source: Node, target: Node) -> dict[str, Any]:
        ends = {"source": source.attributes, "target": target.attributes}
        return {
            **self.answers,
            **{f"{end}.{name}": ends[end][name] for end in ends for name in ends[end]},
            **edge.attributes,
            # Whether routes of an API move between a function and a system that is not deployed.
            "moves": any(
                self.nodes[each.target].kind == "external" for each in self.edges_from(source)
            ),
        }

    def names(self, edge: Edge, source: Node, target: Node) -> dict[str, str]:
        method, _, path = edge.attributes.get("route", "").partition(" ")
        # CDK permits an HTTP API to invoke a function for all methods of a path.
        any_method = source.kind == "http-api" and self.answers["iac"] == "cdk"
        archives = [
            each.target
            for node in (source, target)
            for each in self.edges_from(node)
            if node.kind == "delivery" and self.nodes[each.target].kind == "datastore"
        ]
        return {
            "source": self.id(source),
            "target": self.id(target),
            "source_name": pascal(source.name),
            "target_name": pascal(target.name),
            "invoked": f"{self.id(target)}{self.qualifier(edge, source, target)}",
            "archive": pascal(next(iter(archives), "")),
            "method": "*" if any_method else method,
            "path": PATH_PARAMETER.sub("*", path),
        }

    def qualifier(self, edge: Edge, source: Node, target: Node) -> str:
        """Return by which alias a function is invoked: who waits for an answer uses its own."""
        alias = target.attributes.get("alias")
        waits = edge.call == "sync" and source.kind in {"client", "function"}
        if (
            self.answers["rollout"] == "canary"
            or edge.attributes.get("by") == "durable"
            or (alias and waits)
        ):
            return f":{alias or 'live'}"
        return ""

    def names_of_end(self, failure: Failure) -> dict[str, str]:
        queue = f"{pascal((failure.end or '').removesuffix('-dlq'))}DeadLetterQueue"
        return {"end": queue, "at_name": pascal(failure.at)}
