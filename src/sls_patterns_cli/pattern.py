"""What a pattern declares, as immutable objects, and what follows from its graph.

Built from a pattern's `pattern.yml` and from the vocabulary `graph.yml`; whatever does not fit
the vocabulary is refused with one line that says where.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from sls_patterns_cli.errors import UserError

Declaration = Mapping[str, Any]
Call = Literal["sync", "async"]


@dataclass(frozen=True)
class Node:
    """One part of the service; `attributes` are what its kind knows, such as `timeout`."""

    name: str
    kind: str
    attributes: Declaration

    def as_dict(self) -> dict[str, Any]:
        """The node as the templates and `show --json` see it."""
        return {"name": self.name, "kind": self.kind, **self.attributes}


@dataclass(frozen=True)
class Failure:
    """How an edge fails: `end` names the dead-letter queue, None where the caller is told."""

    id: str
    mechanism: str
    end: str | None

    def as_dict(self) -> dict[str, Any]:
        """The failure as `show --json` prints it."""
        return {"id": self.id, "mechanism": self.mechanism, "end": self.end}


@dataclass(frozen=True)
class Edge:
    """A request from one node to another; `call` and `failure` follow from the two kinds."""

    source: str
    target: str
    call: Call
    failure: Failure
    attributes: Declaration

    def as_dict(self) -> dict[str, Any]:
        """The edge as `show --json` prints it."""
        ends = {"from": self.source, "to": self.target, "call": self.call}
        return {**ends, **self.attributes, "failure": self.failure.as_dict()}


@dataclass(frozen=True)
class Proof:
    """A behaviour that the project's end-to-end tests show; `where` it can be shown."""

    id: str
    text: str
    where: str

    def as_dict(self) -> dict[str, Any]:
        """The proof as `show --json` prints it."""
        return {"id": self.id, "text": self.text, "where": self.where}


@dataclass(frozen=True)
class Topology:
    """One arrangement of a pattern."""

    name: str
    summary: str
    datastores: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    proofs: tuple[Proof, ...]

    def as_dict(self) -> dict[str, Any]:
        """The topology as `list --json` prints it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "datastores": list(self.datastores),
        }


@dataclass(frozen=True)
class Example:
    """A call that shows the service at work: a shell command and what it does."""

    title: str
    command: str


@dataclass(frozen=True)
class Pattern:
    """A pattern; its first topology, runtime, flavour and datastore are the defaults."""

    slug: str
    title: str
    summary: str
    runtimes: tuple[str, ...]
    flavours: tuple[str, ...]
    topologies: tuple[Topology, ...]
    examples: tuple[Example, ...]

    @classmethod
    def from_declaration(
        cls, slug: str, declared: Declaration, vocabulary: Declaration
    ) -> "Pattern":
        """The pattern that `pattern.yml` declares; raises UserError where it is malformed."""
        read = _Reader(f"pattern {slug}")
        topologies = read.items(declared, "topologies")
        return cls(
            slug=slug,
            title=read.text(declared, "title"),
            summary=read.text(declared, "summary"),
            runtimes=read.names(declared, "runtimes"),
            flavours=read.names(declared, "flavours"),
            topologies=read.unique(
                "topology",
                (_topology(slug, topology, vocabulary) for topology in topologies),
            ),
            examples=tuple(
                Example(read.text(example, "title"), read.text(example, "command"))
                for example in (read.items(declared, "examples") if "examples" in declared else ())
            ),
        )

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
    def datastores(self) -> tuple[str, ...]:
        """The datastores that any topology offers, in order."""
        offered = (name for topology in self.topologies for name in topology.datastores)
        return tuple(dict.fromkeys(offered))

    def as_dict(self) -> dict[str, Any]:
        """The pattern as `list --json` prints it."""
        return {
            "slug": self.slug,
            "title": self.title,
            "summary": self.summary,
            "topologies": [topology.as_dict() for topology in self.topologies],
            "runtimes": list(self.runtimes),
            "flavours": list(self.flavours),
        }


Named = TypeVar("Named", Node, Topology)


class _Reader:
    """Reads a declaration's values and says where one is missing or wrong."""

    def __init__(self, where: str) -> None:
        self.where = where

    def refuse(self, what: str) -> UserError:
        return UserError(f"{self.where}: {what}")

    def value(self, declared: object, key: str) -> Any:
        if not isinstance(declared, Mapping):
            raise self.refuse(f"expected a mapping with {key!r}, got {declared!r}")
        if declared.get(key) in (None, "", []):
            raise self.refuse(f"{key!r} is missing")
        return declared[key]

    def text(self, declared: object, key: str) -> str:
        value = self.value(declared, key)
        if not isinstance(value, str):
            raise self.refuse(f"{key!r} must be text, got {value!r}")
        return value.strip()

    def items(self, declared: object, key: str) -> list[Any]:
        value = self.value(declared, key)
        if not isinstance(value, list):
            raise self.refuse(f"{key!r} must be a list, got {value!r}")
        return value

    def names(self, declared: object, key: str) -> tuple[str, ...]:
        names = self.items(declared, key)
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise self.refuse(f"{key!r} must be a list of different names, got {names!r}")
        return tuple(names)

    def unique(self, what: str, items: Iterable[Named]) -> tuple[Named, ...]:
        found = tuple(items)
        self.no_duplicates(what, [item.name for item in found])
        return found

    def no_duplicates(self, what: str, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise self.refuse(f"{what} {name!r} is declared more than once")


def _topology(slug: str, declared: Declaration, vocabulary: Declaration) -> Topology:
    name = _Reader(f"pattern {slug}").text(declared, "name")
    read = _Reader(f"pattern {slug}, topology {name}")
    nodes = read.unique(
        "node", (_node(read, node, vocabulary) for node in read.items(declared, "nodes"))
    )
    kinds = {node.name: node.kind for node in nodes}
    edges = tuple(_edge(read, edge, kinds, vocabulary) for edge in read.items(declared, "edges"))
    # Two edges between the same nodes are fine when they differ, as two routes do.
    for number, edge in enumerate(edges):
        if edge in edges[:number]:
            raise read.refuse(f"edge {edge.source} -> {edge.target} is declared more than once")
    proofs = tuple(
        Proof(f"{slug}.{read.text(proof, 'id')}", *(read.text(proof, k) for k in ("text", "where")))
        for proof in read.items(declared, "proofs")
    )
    read.no_duplicates("proof", [proof.id for proof in proofs])
    return Topology(
        name=name,
        summary=read.text(declared, "summary"),
        datastores=read.names(declared, "datastores"),
        nodes=nodes,
        edges=edges,
        proofs=proofs,
    )


def _node(read: _Reader, declared: Declaration, vocabulary: Declaration) -> Node:
    name, kind = read.text(declared, "name"), read.text(declared, "kind")
    if kind not in vocabulary["nodes"]:
        known = ", ".join(vocabulary["nodes"])
        raise read.refuse(f"node {name!r} has the unknown kind {kind!r}; kinds are: {known}")
    return Node(name, kind, _rest(declared, "name", "kind"))


def _edge(
    read: _Reader,
    declared: Declaration,
    kinds: Mapping[str, str],
    vocabulary: Declaration,
) -> Edge:
    source, target = read.text(declared, "from"), read.text(declared, "to")
    for end in (source, target):
        if end not in kinds:
            raise read.refuse(f"edge {source} -> {target} ends at the unknown node {end!r}")
    between = f"{kinds[source]} -> {kinds[target]}"
    facts = vocabulary["edges"].get(between)
    if facts is None:
        raise read.refuse(f"edge {source} -> {target}: there are no edges {between}")
    failure = vocabulary["failures"][facts["failure"]]
    end = failure.get("end")
    return Edge(
        source=source,
        target=target,
        call=cast("Call", facts["call"]),
        failure=Failure(
            id=facts["failure"],
            mechanism=failure["mechanism"],
            end=end.replace("{source}", source) if end else None,
        ),
        attributes=_rest(declared, "from", "to"),
    )


def _rest(declared: Declaration, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in declared.items() if key not in keys}
