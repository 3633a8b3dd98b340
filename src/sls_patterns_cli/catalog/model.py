"""A pattern as immutable objects: its topologies, their graphs, and what is proven of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sls_patterns_cli.catalog.kinds import (
    Call,
    Declaration,
    EdgeKind,
    Mechanism,
    NodeKind,
    Packages,
    Uses,
)
from sls_patterns_cli.errors import UserError


@dataclass(frozen=True)
class Node:
    """One part of the service; `attributes` are those of its kind, such as `timeout`."""

    name: str
    kind: str
    attributes: Declaration
    facts: NodeKind
    """What is known of its kind."""

    def as_dict(self) -> dict[str, Any]:
        """The node as `show --json` prints it."""
        return {"name": self.name, "kind": self.kind, **self.attributes}


@dataclass(frozen=True)
class Failure:
    """How an edge fails: `end` names the dead-letter queue, None if the caller gets the error."""

    kind: Mechanism
    end: str | None
    at: str
    """The node where the failure shows."""

    @property
    def id(self) -> str:
        """The mechanism's name, such as E1."""
        return self.kind.id

    @property
    def mechanism(self) -> str:
        """What happens, as a sentence."""
        return self.kind.mechanism

    def as_dict(self) -> dict[str, Any]:
        """The failure as `show --json` prints it."""
        return {"id": self.id, "mechanism": self.mechanism, "end": self.end}


@dataclass(frozen=True)
class Edge:
    """A request from one node to another; its kind follows from theirs and from `by`.

    Of several failures the first is that of the delivery, the next that of what is delivered to.
    """

    source: str
    target: str
    kind: EdgeKind
    failures: tuple[Failure, ...]
    attributes: Declaration

    @property
    def call(self) -> Call:
        """Whether the source waits for the answer."""
        return self.kind.call

    def as_dict(self) -> dict[str, Any]:
        """The edge as `show --json` prints it."""
        ends = {"from": self.source, "to": self.target, "call": self.call}
        failures = [failure.as_dict() for failure in self.failures]
        return {**ends, **self.attributes, "failures": failures}


@dataclass(frozen=True)
class Proof:
    """A behaviour that the project's end-to-end tests show; `where` it can be shown.

    A proof that is safe on a stack in use says in `smoke` what it leaves there. One of failures
    that are `tolerated` has nothing to show where none is. One `of` an answer to what becomes of a
    message that can never be processed is in no project with the other answer.
    """

    id: str
    text: str
    where: str
    smoke: str | None
    tolerated: bool = False
    of: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The proof as `show --json` prints it."""
        return {"id": self.id, "text": self.text, "where": self.where, "smoke": self.smoke}

    def declared(self) -> dict[str, str | bool]:
        """The proof as a pattern declares it."""
        name = self.id.partition(".")[2]
        smoke = {"smoke": self.smoke} if self.smoke else {}
        tolerated = {"tolerated": True} if self.tolerated else {}
        of = {"of": self.of} if self.of else {}
        return {"id": name, "text": self.text, "where": self.where, **smoke, **tolerated, **of}


Graph = tuple[tuple[Node, ...], tuple[Edge, ...]]


@dataclass(frozen=True)
class Topology:
    """One arrangement of a pattern; nodes and edges are those with its default datastore."""

    name: str
    summary: str
    datastores: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    proofs: tuple[Proof, ...]
    adapters: tuple[str, ...]
    """The adapters that it has beside those of its nodes: one that leads to several of them."""
    test_packages: Packages
    harness: Uses
    """What its proofs call of the modules that proofs share."""
    proven_with: tuple[str, ...]
    """The datastores that the local stack can run, so that a project with them has proofs."""
    auth: str | None
    """Who may call the public API of a new project unless another answer is given; None if the
    topology has no public API, or one that checks its callers itself."""
    graphs: Mapping[str, Graph] = field(repr=False)
    use: str = ""
    avoid: str = ""
    """When to use it and when not; empty if that is as for the other topologies."""
    experimental: Mapping[str, str] = field(default_factory=dict)
    """What has not been shown of those of its datastores that are experimental, by datastore."""
    retired: str = ""
    """Why new projects are not offered it, and how projects that have it change to another one;
    empty if it is offered."""
    outputs: tuple[str, ...] = ()
    """What is read of its functions, logs and parameters: outputs of the stack."""
    without_credentials: "Topology | None" = None
    """The same where it does not sign in to third parties; None if it calls none that asks so."""
    declared_proofs: tuple[Proof, ...] = ()
    """Those of its proofs, and those of projects whose handlers name no poison."""
    refusals: tuple[Proof, ...] = ()
    """The proofs that its API refuses who may not call it; none where anyone may."""

    def with_poison(self, answer: str) -> "Topology":
        """The topology with the proofs of a project in which such a message is so treated."""
        return replace(
            self, proofs=tuple(each for each in self.declared_proofs if each.of in {"", answer})
        )

    @property
    def all_proofs(self) -> tuple[Proof, ...]:
        """What the pattern declares, and what follows from who may call."""
        return (*self.proofs, *self.refusals)

    @property
    def proofs_title(self) -> str:
        """What stands over the proofs: with which datastores a project has them."""
        some = (
            "" if self.proven_with == self.datastores else f", with {', '.join(self.proven_with)}"
        )
        return f"Proofs{some}"

    def on(self, datastore: str) -> "Topology":
        """The topology with the nodes and edges that it has on another of its datastores."""
        nodes, edges = self.graphs[datastore]
        return replace(self, nodes=nodes, edges=edges)

    def as_dict(self) -> dict[str, Any]:
        """The topology as `list --json` prints it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "datastores": list(self.datastores),
            **({"retired": self.retired} if self.retired else {}),
            **({"experimental": dict(self.experimental)} if self.experimental else {}),
        }


@dataclass(frozen=True)
class Example:
    """A call that shows the service at work: a shell command and what it does.

    `of` are the answers of the projects that have it; empty for all of them.
    """

    title: str
    command: str
    of: Declaration

    def fits(self, answers: Declaration) -> bool:
        """Whether a project that was rendered from these answers has the call."""
        return all(answers.get(question) == answer for question, answer in self.of.items())


@dataclass(frozen=True)
class Pattern:
    """A pattern; its first topology, runtime, flavour and datastore are the defaults."""

    slug: str
    title: str
    summary: str
    use: str
    avoid: str
    """When to use it, and when not: what follows "Use it" and "Do not use it"."""
    suits: Mapping[str, tuple[str | bool, ...]]
    """The answers that it suits, by question of `choose`."""
    runtimes: tuple[str, ...]
    flavours: tuple[str, ...]
    topologies: tuple[Topology, ...]
    examples: tuple[Example, ...]
    packages: Packages
    test_packages: Packages
    migrations: Mapping[str, tuple[str, ...]]
    """The SQL files of each datastore that has a schema, without their ending."""

    def topology(self, name: str | None = None) -> Topology:
        """The topology `name`, or the default one; raises UserError if there is none."""
        if name is None:
            return self.topologies[0]
        for topology in self.topologies:
            if topology.name == name:
                return topology
        names = ", ".join(topology.name for topology in self.topologies)
        raise UserError(f"{self.slug} has no topology {name!r}; choose from: {names}")

    @property
    def offered(self) -> tuple[Topology, ...]:
        """The topologies of new projects."""
        return tuple(each for each in self.topologies if not each.retired)

    @property
    def datastores(self) -> tuple[str, ...]:
        """The datastores that any topology of new projects offers, in order."""
        return tuple(dict.fromkeys(name for each in self.offered for name in each.datastores))

    @property
    def options(self) -> tuple[Sequence[str], ...]:
        """The topologies, runtimes, flavours and datastores of new projects, the defaults first."""
        topologies = [topology.name for topology in self.offered]
        return (topologies, self.runtimes, self.flavours, self.datastores)

    @property
    def experimental(self) -> dict[str, str]:
        """What has not been shown of the datastores that are experimental, by datastore."""
        return {
            store: unshown
            for topology in self.offered
            for store, unshown in topology.experimental.items()
        }

    def when(self, topology: Topology) -> tuple[str, str]:
        """When to use a topology of the pattern, and when not."""
        return topology.use or self.use, topology.avoid or self.avoid

    @property
    def searched(self) -> str:
        """What a search for words looks at: its names, and what it and its topologies are for."""
        topologies = (
            text for each in self.topologies for text in (each.name, each.summary, each.use)
        )
        return "\n".join((self.slug, self.title, self.summary, self.use, *topologies))

    def as_dict(self) -> dict[str, Any]:
        """The pattern as `list --json` prints it."""
        return {
            "slug": self.slug,
            "title": self.title,
            "summary": self.summary,
            "use": self.use,
            "avoid": self.avoid,
            "topologies": [topology.as_dict() for topology in self.topologies],
            "runtimes": list(self.runtimes),
            "flavours": list(self.flavours),
        }
