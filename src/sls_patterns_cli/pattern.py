"""What a pattern declares, as immutable objects, and what follows from its graph.

Built from a pattern's `pattern.yml` and from the vocabulary `graph.yml`; whatever does not fit
the vocabulary is refused with one line that says where.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """A request from one node to another; `call` and `failures` follow from the two kinds.

    Of several failures the first is that of the delivery, the next that of what is delivered to.
    """

    source: str
    target: str
    call: Call
    failures: tuple[Failure, ...]
    attributes: Declaration

    def as_dict(self) -> dict[str, Any]:
        """The edge as `show --json` prints it."""
        ends = {"from": self.source, "to": self.target, "call": self.call}
        failures = [failure.as_dict() for failure in self.failures]
        return {**ends, **self.attributes, "failures": failures}


@dataclass(frozen=True)
class Proof:
    """A behaviour that the project's end-to-end tests show; `where` it can be shown.

    A proof that is safe on a stack in use says in `smoke` what it leaves there.
    """

    id: str
    text: str
    where: str
    smoke: str | None

    def as_dict(self) -> dict[str, Any]:
        """The proof as `show --json` prints it."""
        return {"id": self.id, "text": self.text, "where": self.where, "smoke": self.smoke}


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
    without: tuple[Declaration, ...]
    graphs: Mapping[str, Graph] = field(repr=False)

    def offers(self, answers: Declaration) -> bool:
        """Whether there is a variant with these answers: `without` says which there are not."""
        return not any(left_out.items() <= answers.items() for left_out in self.without)

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
                Example(
                    read.text(example, "title"),
                    read.text(example, "command"),
                    example.get("of", {}),
                )
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
    datastores = read.names(declared, "datastores")
    graphs = {datastore: _graph(read, declared, vocabulary, datastore) for datastore in datastores}
    proofs = tuple(_proof(slug, read, proof) for proof in read.items(declared, "proofs"))
    read.no_duplicates("proof", [proof.id for proof in proofs])
    return Topology(
        name=name,
        summary=read.text(declared, "summary"),
        datastores=datastores,
        nodes=graphs[datastores[0]][0],
        edges=graphs[datastores[0]][1],
        proofs=proofs,
        without=tuple(read.items(declared, "without") if "without" in declared else ()),
        graphs=graphs,
    )


def _proof(slug: str, read: _Reader, declared: Declaration) -> Proof:
    name, where = read.text(declared, "id"), read.text(declared, "where")
    if where not in ("anywhere", "local"):
        raise read.refuse(f"proof {name!r}: 'where' is anywhere or local, not {where!r}")
    smoke = read.text(declared, "smoke") if "smoke" in declared else None
    if smoke and where == "local":
        raise read.refuse(f"proof {name!r}: 'smoke' is for a proof that runs anywhere")
    return Proof(f"{slug}.{name}", read.text(declared, "text"), where, smoke)


def _graph(read: _Reader, declared: Declaration, vocabulary: Declaration, datastore: str) -> Graph:
    """The topology's graph with what the datastore brings into it."""
    facts = vocabulary.get("datastores", {}).get(datastore, {})
    nodes = read.unique(
        "node",
        (
            _node(read, node, vocabulary)
            for node in (*read.items(declared, "nodes"), *facts.get("nodes", ()))
        ),
    )
    kinds = {node.name: node.kind for node in nodes}
    stores = [node.name for node in nodes if node.kind == "datastore"]
    brought = [
        {key: store if value == "{datastore}" else value for key, value in edge.items()}
        for store in stores
        for edge in facts.get("edges", ())
    ]
    edges = tuple(
        _edge(read, edge, kinds, vocabulary) for edge in (*read.items(declared, "edges"), *brought)
    )
    # Two edges between the same nodes are fine when they differ, as two routes do.
    for number, edge in enumerate(edges):
        if edge in edges[:number]:
            raise read.refuse(f"edge {edge.source} -> {edge.target} is declared more than once")
    _refuse_unreachable(read, edges, kinds, datastore, facts.get("reachable"))
    users = {edge["from"] for edge in declared["edges"] if edge["to"] in stores}
    return tuple(
        _with_timeout(node, facts.get("least_timeout", 0)) if node.name in users else node
        for node in nodes
    ), edges


def _with_timeout(node: Node, least: int) -> Node:
    """The node with the time that the datastore may need, if it has a timeout at all."""
    if node.attributes.get("timeout", least) >= least:
        return node
    return replace(node, attributes={**node.attributes, "timeout": least})


def _refuse_unreachable(
    read: _Reader,
    edges: Iterable[Edge],
    kinds: Mapping[str, str],
    datastore: str,
    reachable: Iterable[str] | None,
) -> None:
    """Raise UserError for a call out of the VPC that the datastore is in: it would never end.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """
    if reachable is None:
        return
    inside = {edge.source for edge in edges if kinds[edge.target] == "datastore"}
    for edge in edges:
        if edge.source in inside and kinds[edge.target] not in reachable:
            raise read.refuse(
                f"edge {edge.source} -> {edge.target}: with {datastore} {edge.source} is inside "
                f"the VPC, where no {kinds[edge.target]} answers it"
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
    if "by" in declared:
        between += f" ({read.text(declared, 'by')})"
    facts = vocabulary["edges"].get(between)
    if facts is None:
        raise read.refuse(f"edge {source} -> {target}: there are no edges {between}")
    return Edge(
        source=source,
        target=target,
        call=cast("Call", facts["call"]),
        failures=tuple(
            Failure(
                id=failure,
                mechanism=vocabulary["failures"][failure]["mechanism"],
                end=_end(vocabulary["failures"][failure], source, target, kinds),
            )
            for failure in facts["failures"]
        ),
        attributes=_rest(declared, "from", "to"),
    )


def _end(failure: Declaration, source: str, target: str, kinds: Mapping[str, str]) -> str | None:
    """The end's name: {source}, {target} and the kinds of both stand for the nodes' names."""
    end: str | None = failure.get("end")
    for hole, node in (
        ("source", source),
        ("target", target),
        (kinds[source], source),
        (kinds[target], target),
    ):
        end = end and end.replace(f"{{{hole}}}", node)
    return end


def _rest(declared: Declaration, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in declared.items() if key not in keys}
