"""Reads a pattern's `pattern.yml`, and refuses what does not fit the vocabulary.

A refusal is one line: the file, the place in it, what is wrong and what is allowed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from typing import Any

from sls_patterns_cli.catalog.kinds import (
    Attributes,
    Datastore,
    Declaration,
    Mechanism,
    Packages,
    Uses,
    Vocabulary,
)
from sls_patterns_cli.catalog.model import (
    Edge,
    Example,
    Failure,
    Graph,
    Node,
    Pattern,
    Proof,
    Topology,
)
from sls_patterns_cli.errors import UserError

NAME = "[a-z][a-z0-9]*(-[a-z0-9]+)*"
"""The form of all names: they become file names, logical ids and environment variables."""

OUTPUT = "[A-Z][A-Za-z0-9]*"
"""The form of an output's name."""

WHERE = ("anywhere", "local")
"""Where a proof can run: also on AWS, or on the local stack only."""

POISON = ("named", "retried")
"""The answers to what becomes of a message that can never be processed."""

PUBLIC_APIS = {"http-api", "rest-api"}
"""The kinds of nodes that anyone reaches over the internet."""

QUESTIONS = ("topology", "runtime", "iac", "datastore", "job_rows")
"""The questions whose answers select examples."""


def read_pattern(slug: str, declared: Declaration, vocabulary: Vocabulary) -> Pattern:
    """The pattern that a `pattern.yml` declares; raises UserError where it does not fit."""
    place = Place(f"templates/patterns/{slug}/pattern.yml")
    place.only(
        declared,
        required=(
            *("title", "summary", "source", "use", "avoid", "suits"),
            *("runtimes", "flavours", "topologies"),
        ),
        optional=(
            *("order", "dependencies", "test_dependencies", "test_helpers"),
            *("migrations", "examples", "events", "clients", "stacks", "temporary_failures"),
            "item_stores",
            "reads_json",
            "validates_requests",
            "auth",
        ),
    )
    if "auth" in declared:
        place.one_of(declared, "auth", vocabulary.auth)
    runtimes = place.names(declared, "runtimes", vocabulary.runtimes)
    flavours = place.names(declared, "flavours", tuple(vocabulary.flavours))
    topologies = tuple(
        _topology(place, topology, vocabulary, declared.get("auth"))
        for topology in place.items(declared, "topologies", at_least=1)
    )
    place.different("topology", [topology.name for topology in topologies])
    if topologies[0].retired:
        raise place.refuse("the first topology is the default; it cannot be retired")
    pattern = Pattern(
        slug=slug,
        title=place.text(declared, "title"),
        summary=place.text(declared, "summary"),
        use=place.text(declared, "use"),
        avoid=place.text(declared, "avoid"),
        suits=_suits(place, declared),
        runtimes=runtimes,
        flavours=flavours,
        topologies=topologies,
        examples=(),
        packages=_packages(place, declared, "dependencies", vocabulary),
        test_packages=_packages(place, declared, "test_dependencies", vocabulary),
        migrations=_by(place, declared, "migrations", tuple(vocabulary.datastores)),
    )
    place.text(declared, "source")
    for key in ("test_helpers", "events", "clients", "stacks", "temporary_failures", "item_stores"):
        place.names(declared, key, form=NAME, optional=True)
    place.flag(declared, "reads_json")
    place.flag(declared, "validates_requests")
    if not isinstance(declared.get("order", 0), int):
        raise place.refuse(f"order must be a whole number, got {declared['order']!r}")
    _refuse_what_is_not_carried(place, pattern)
    return replace(pattern, examples=_examples(place, declared, pattern))


SUITS: Mapping[str, tuple[str | bool, ...]] = {
    "callers": ("people", "services", "changes"),
    "waits": (True, False),
    "ordered": (True, False),
    "receivers": ("one", "several", "by-type"),
}
"""What is asked of somebody who chooses a pattern, and the answers: choosing/questions.py."""


def _suits(pattern: "Place", declared: Declaration) -> Mapping[str, tuple[str | bool, ...]]:
    """The answers that a pattern suits, by question."""
    answers, place = declared["suits"], pattern.at("suits")
    place.only(answers, SUITS)
    for question, allowed in SUITS.items():
        for answer in place.items(answers, question, at_least=1):
            if answer not in allowed:
                known = ", ".join(str(each).lower() for each in allowed)
                raise place.refuse(f"{question} must be of: {known}; got {answer!r}")
    return {question: tuple(answers[question]) for question in SUITS}


@dataclass(frozen=True)
class Place:
    """A place in a file, from which values are read."""

    file: str
    path: tuple[str, ...] = ()

    def at(self, *names: object) -> "Place":
        """A place within this one."""
        return replace(self, path=(*self.path, " ".join(map(str, names))))

    def refuse(self, what: str) -> UserError:
        """What is wrong here."""
        return UserError(": ".join(filter(None, (self.file, ", ".join(self.path), what))))

    def only(self, declared: object, required: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Refuse anything but a mapping with these keys."""
        required, known = [*required], [*required, *optional]
        if not isinstance(declared, Mapping):
            raise self.refuse(f"must be a mapping with {', '.join(known)}; got {declared!r}")
        for key in declared:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise self.refuse(f"unknown key {key!r}; {hint}allowed: {', '.join(known)}")
        for key in required:
            if declared.get(key) is None:
                raise self.refuse(f"{key} is missing")

    def text(self, declared: Declaration, key: str, form: str = ".+") -> str:
        """A text of a form."""
        value = declared.get(key)
        if not isinstance(value, str) or not re.fullmatch(form, value.strip(), re.DOTALL):
            of_form = "" if form == ".+" else f" of the form {form}"
            raise self.refuse(f"{key} must be text{of_form}, got {value!r}")
        return value.strip()

    def one_of(self, declared: Declaration, key: str, allowed: Iterable[str]) -> str:
        """One of the values that are allowed."""
        value, allowed = declared.get(key), list(allowed)
        if value not in allowed:
            raise self.refuse(f"{key} must be one of: {', '.join(allowed)}; got {value!r}")
        return str(value)

    def flag(self, declared: Declaration, key: str) -> bool:
        """True or false; one that is not there is false."""
        value = declared.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(f"{key} must be true or false, got {value!r}")
        return value

    def items(self, declared: Declaration, key: str, at_least: int = 0) -> list[Any]:
        """A list; one that is not there is empty."""
        value = declared.get(key, [])
        if not isinstance(value, list):
            raise self.refuse(f"{key} must be a list, got {value!r}")
        if len(value) < at_least:
            raise self.refuse(f"{key} must have at least one entry")
        return value

    def names(
        self,
        declared: Declaration,
        key: str,
        allowed: Iterable[str] | None = None,
        form: str = ".+",
        *,
        optional: bool = False,
    ) -> tuple[str, ...]:
        """Different names; those that are allowed, or those of a form."""
        names = self.items(declared, key, at_least=0 if optional else 1)
        known = None if allowed is None else list(allowed)
        for name in names:
            if known is not None and name not in known:
                raise self.refuse(f"{key} must be of: {', '.join(known) or 'none'}; got {name!r}")
            if not isinstance(name, str) or not re.fullmatch(form, name):
                raise self.refuse(f"{key} must be names of the form {form}; got {name!r}")
        self.different(key, names)
        return tuple(names)

    def different(self, what: str, names: list[str]) -> None:
        """Refuse a name that is there twice."""
        for number, name in enumerate(names):
            if name in names[:number]:
                raise self.refuse(f"{what} {name!r} is declared more than once")

    def attributes(self, declared: Declaration, attributes: Attributes, owner: str) -> Declaration:
        """The values of the attributes that are given; those of another kind are refused."""
        for name, value in declared.items():
            if name not in attributes:
                near = get_close_matches(name, attributes, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                known = ", ".join(attributes) or "none"
                raise self.refuse(f"unknown attribute {name!r}; {hint}those of {owner}: {known}")
            if not attributes[name].accepts(value):
                raise self.refuse(f"{name} must be {attributes[name].allowed}; got {value!r}")
        for name, attribute in attributes.items():
            if attribute.required and name not in declared:
                raise self.refuse(f"{name} is missing; it must be {attribute.allowed}")
        return declared


CREDENTIALS = ("nodes", "edges", "proofs", "harness")
"""What a topology can have more of where it signs in to third parties."""


def _topology(
    pattern: Place, declared: Declaration, vocabulary: Vocabulary, auth: str | None
) -> Topology:
    """A topology; with `credentials`, as it is where it signs in to third parties, and without."""
    if not isinstance(declared, Mapping) or "credentials" not in declared:
        return _one_topology(pattern, declared, vocabulary, auth)
    place = pattern.at("credentials")
    place.only(declared["credentials"], CREDENTIALS)
    without = {key: value for key, value in declared.items() if key != "credentials"}
    more = declared["credentials"]
    harness = {
        name: [*without.get("harness", {}).get(name, ()), *more["harness"].get(name, ())]
        for name in (*without.get("harness", {}), *more["harness"])
    }
    listed = {key: [*without[key], *more[key]] for key in CREDENTIALS if key != "harness"}
    return replace(
        _one_topology(pattern, {**without, **listed, "harness": harness}, vocabulary, auth),
        without_credentials=_one_topology(pattern, without, vocabulary, auth),
    )


def _one_topology(
    pattern: Place, declared: Declaration, vocabulary: Vocabulary, auth: str | None
) -> Topology:
    pattern.only(declared, ("name", "summary", "datastores", "nodes", "edges", "proofs"), _OPTIONAL)
    name = pattern.text(declared, "name", NAME)
    place = pattern.at("topology", name)
    datastores = place.names(declared, "datastores", vocabulary.datastores)
    graphs = {each: _graph(place, declared, vocabulary, each) for each in datastores}
    proofs = tuple(
        _proof(place, proof, pattern.file) for proof in place.items(declared, "proofs", at_least=1)
    )
    place.different("proof", [proof.id for proof in proofs])
    for key in ("stacks", "test_helpers", "events"):
        place.names(declared, key, form=NAME, optional=True)
    place.flag(declared, "reads_json")
    use, avoid, retired = (
        place.text(declared, key) if key in declared else "" for key in ("use", "avoid", "retired")
    )
    nodes, edges = graphs[datastores[0]]
    if auth:
        _refuse_unless_open(place, nodes, edges)
    return Topology(
        name=name,
        summary=place.text(declared, "summary"),
        use=use,
        avoid=avoid,
        retired=retired,
        datastores=datastores,
        nodes=nodes,
        edges=edges,
        proofs=tuple(each for each in proofs if each.of != "retried"),
        declared_proofs=proofs,
        adapters=place.names(declared, "adapters", form=NAME, optional=True),
        outputs=place.names(declared, "outputs", form=OUTPUT, optional=True),
        test_packages=_packages(place, declared, "test_dependencies", vocabulary),
        harness=_harness(place, declared, vocabulary),
        proven_with=tuple(each for each in datastores if vocabulary.datastores[each].local),
        experimental={
            each: vocabulary.datastores[each].experimental
            for each in datastores
            if vocabulary.datastores[each].experimental
        },
        graphs=graphs,
        auth=auth,
    )


_OPTIONAL = (
    *("adapters", "stacks", "test_dependencies", "test_helpers", "events", "reads_json", "harness"),
    *("outputs", "use", "avoid", "retired"),
)


def _harness(topology: Place, declared: Declaration, vocabulary: Vocabulary) -> Uses:
    """What proofs use of the modules that they share: parts of theirs, by module."""
    used = declared.get("harness", {})
    place = topology.at("harness")
    place.only(used, (), vocabulary.harness)
    return {
        name: place.names(used, name, vocabulary.harness[name].parts, optional=True)
        for name in used
    }


def _proof(topology: Place, declared: Declaration, file: str) -> Proof:
    topology.only(declared, ("id", "text", "where"), ("smoke", "tolerated", "of"))
    name = topology.text(declared, "id", NAME)
    place = topology.at("proof", name)
    where = place.one_of(declared, "where", WHERE)
    smoke = place.text(declared, "smoke") if "smoke" in declared else None
    if smoke and where == "local":
        raise place.refuse("smoke is only for a proof that runs anywhere")
    return Proof(
        id=f"{file.split('/')[-2]}.{name}",
        text=place.text(declared, "text"),
        where=where,
        smoke=smoke,
        tolerated=place.flag(declared, "tolerated"),
        of=place.one_of(declared, "of", POISON) if "of" in declared else "",
    )


def _graph(place: Place, declared: Declaration, vocabulary: Vocabulary, datastore: str) -> Graph:
    """The topology's graph with what the datastore brings into it."""
    brings = vocabulary.datastores[datastore]
    declared_nodes = tuple(
        read_node(place, node, vocabulary)
        for node in (*place.items(declared, "nodes", at_least=1), *brings.nodes)
    )
    place.different("node", [node.name for node in declared_nodes])
    by_name = {node.name: node for node in declared_nodes}
    left_out = {
        node.name for node in declared_nodes if node.kind == "datastore" and not brings.used_by
    }
    nodes = tuple(node for node in declared_nodes if node.name not in left_out)
    stores = [node.name for node in nodes if node.kind == "datastore"]
    brought = [
        {key: store if value == "{datastore}" else value for key, value in edge.items()}
        for store in stores
        for edge in brings.edges
    ]
    edges = tuple(
        read_edge(place, edge, by_name, vocabulary, datastore)
        for edge in (*place.items(declared, "edges", at_least=1), *brought)
        if not isinstance(edge, Mapping) or edge.get("to") not in left_out
    )
    # Two edges between the same nodes are fine when they differ, as two routes do.
    for number, edge in enumerate(edges):
        if edge in edges[:number]:
            raise place.refuse(f"edge {edge.source} -> {edge.target} is declared more than once")
    if brings.reachable is not None:
        _refuse_unreachable(place, edges, by_name, datastore, brings.reachable)
    elif inside := [node for node in nodes if node.facts.in_vpc]:
        raise place.at("node", inside[0].name).refuse(
            f"a {inside[0].kind} is in a VPC, and {datastore} brings none"
        )
    _refuse_without_effect(place, nodes, edges)
    _refuse_scopes_unless_checked(place, edges, by_name)
    _refuse_two_sources(place, edges, by_name)
    _refuse_unknown_systems(place, edges, by_name)
    return _fitting(nodes, edges, brings)


def _fitting(nodes: tuple[Node, ...], edges: tuple[Edge, ...], brings: Datastore) -> Graph:
    """The graph with the time that functions need for the datastore, and bounded as it needs."""
    stores = {node.name for node in nodes if node.kind == "datastore"}
    users = {edge.source for edge in edges if edge.target in stores}
    apis = {edge.source for edge in edges if edge.target in users and edge.call == "sync"}
    waits = {name: _wait(name, edges, brings) for name in users if brings.waits}

    def fitting_node(node: Node) -> Node:
        changes = {}
        if node.name in waits:
            for each in ("timeout", "former_seconds"):
                if each in node.attributes:
                    changes[each] = max(node.attributes[each], waits[node.name]["timeout"])
        if node.name in apis:
            bounded = _bounded(node.attributes, brings.at_most)
            raised = {f"raised_{name}": node.attributes[name] for name in bounded}
            changes.update(bounded, **raised)
        return replace(node, attributes={**node.attributes, **changes})

    def fitting_edge(edge: Edge) -> Edge:
        changes: dict[str, Any] = {}
        if edge.source in waits and edge.target in stores:
            changes.update(waits[edge.source])
            del changes["timeout"]
        if edge.target in users and "max_concurrency" in edge.kind.attributes:
            changes.update(_bounded({"max_concurrency": None, **edge.attributes}, brings.at_most))
        return replace(edge, attributes={**edge.attributes, **changes})

    return tuple(map(fitting_node, nodes)), tuple(map(fitting_edge, edges))


def _wait(function: str, edges: Iterable[Edge], brings: Datastore) -> Mapping[str, int]:
    """The least timeout of a function, and the shortest of its patience and of other limits."""
    called = {edge.call for edge in edges if edge.target == function} or {"async"}
    owns = any(edge.source == function and edge.attributes.get("access") == "own" for edge in edges)
    ways = [brings.waits[way] for way in ({"own"} if owns else called)]
    limits = {
        limit: min(way[limit] for way in ways)
        for limit in ("connect", "statement", "lock")
        if limit in ways[0]
    }
    return {"timeout": max(way["timeout"] for way in ways), **limits}


def _bounded(attributes: Declaration, at_most: Mapping[str, int]) -> dict[str, int]:
    """Those of the attributes that are more than they may be, or unbounded."""
    return {
        name: most
        for name, most in at_most.items()
        if name in attributes and (attributes[name] is None or attributes[name] > most)
    }


def _refuse_unreachable(
    place: Place,
    edges: Iterable[Edge],
    nodes: Mapping[str, Node],
    datastore: str,
    reachable: tuple[str, ...],
) -> None:
    """Raise UserError for a call out of the VPC that the datastore is in: it would never end.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """
    inside = {
        edge.source
        for edge in edges
        if nodes[edge.target].kind == "datastore" or nodes[edge.target].facts.in_vpc
    }
    for edge in edges:
        kind = nodes[edge.target].kind
        if edge.source in inside and kind not in reachable:
            raise place.refuse(
                f"edge {edge.source} -> {edge.target}: with {datastore} {edge.source} is inside "
                f"the VPC, where no {kind} answers it; what does: {', '.join(reachable)}"
            )


def _refuse_without_effect(place: Place, nodes: Iterable[Node], edges: Iterable[Edge]) -> None:
    """Raise UserError for what is said of asynchronous invocations where there are none."""
    invoked = {edge.target for edge in edges if any(each.id == "E2" for each in edge.failures)}
    for node in nodes:
        for name in ("retries", "failed_events"):
            if name in node.attributes and node.name not in invoked:
                raise place.at("node", node.name).refuse(
                    f"{name} is only for a function that is invoked asynchronously"
                )


def _refuse_two_sources(place: Place, edges: Iterable[Edge], nodes: Mapping[str, Node]) -> None:
    """Raise UserError for a delivery that would read a stream and be put into, or read two."""
    feeding: dict[str, dict[str, str]] = {}
    for edge in edges:
        if nodes[edge.target].kind == "delivery":
            feeding.setdefault(edge.target, {})[edge.source] = nodes[edge.source].kind
    for delivery, sources in feeding.items():
        if len(sources) > 1 and "stream" in sources.values():
            raise place.at("node", delivery).refuse(
                f"{' and '.join(sources)} lead to it, but a delivery that reads a stream has no "
                f"other source"
            )


def _refuse_unknown_systems(place: Place, edges: Iterable[Edge], nodes: Mapping[str, Node]) -> None:
    """Raise UserError for a token of a system that its function does not call."""
    for edge in edges:
        system = edge.attributes.get("signs_in_to")
        called = [
            each.target
            for each in edges
            if each.source == edge.source and nodes[each.target].kind == "external"
        ]
        if system and system not in called:
            raise place.refuse(
                f"edge {edge.source} -> {edge.target}: signs_in_to must be a system that "
                f"{edge.source} calls: {', '.join(called) or 'none'}; got {system!r}"
            )


def _refuse_scopes_unless_checked(
    place: Place, edges: Iterable[Edge], nodes: Mapping[str, Node]
) -> None:
    """Raise UserError for a scope that nobody checks, and for a route that any token opens."""
    by_provider = {edge.source for edge in edges if nodes[edge.target].kind == "openid-provider"}
    checking = by_provider | {edge.source for edge in edges if edge.target in by_provider}
    for edge in edges:
        if "scope" in edge.attributes and edge.source not in checking:
            raise place.refuse(
                f"edge {edge.source} -> {edge.target}: scope is only for an API with an "
                f"openid-provider, which signs the tokens"
            )
        if (
            "route" in edge.attributes
            and edge.source in checking
            and "scope" not in edge.attributes
        ):
            raise place.refuse(
                f"edge {edge.source} -> {edge.target}: scope is missing; without it any token of "
                f"the provider would do, also one that only says who signed in"
            )


def _refuse_unless_open(place: Place, nodes: Iterable[Node], edges: Iterable[Edge]) -> None:
    """Raise UserError where `auth` would authorize nothing, or the topology does so itself."""
    kinds = {node.name: node.kind for node in nodes}
    if "openid-provider" in kinds.values() or any(
        "by" in each.attributes
        for each in edges
        if kinds[each.source] in PUBLIC_APIS or kinds[each.target] in PUBLIC_APIS
    ):
        raise place.refuse("auth is only for an API that has no authorization of its own")
    if not any(
        kinds[each.source] == "client" and kinds[each.target] in PUBLIC_APIS for each in edges
    ):
        raise place.refuse("auth is only for a topology in which a client calls an API")


def read_node(topology: Place, declared: Declaration, vocabulary: Vocabulary) -> Node:
    """The node that a record declares; raises UserError where it does not fit its kind."""
    if not isinstance(declared, Mapping):
        raise topology.refuse(f"a node must be a mapping with name, kind; got {declared!r}")
    name = topology.text(declared, "name", NAME)
    place = topology.at("node", name)
    kind = vocabulary.nodes[place.one_of(declared, "kind", vocabulary.nodes)]
    given = {key: value for key, value in declared.items() if key not in {"name", "kind"}}
    attributes = place.attributes(given, kind.attributes, f"a {kind.name}")
    return Node(name, kind.name, attributes, facts=kind)


def read_edge(
    topology: Place,
    declared: Declaration,
    nodes: Mapping[str, Node],
    vocabulary: Vocabulary,
    datastore: str,
) -> Edge:
    """The edge between `nodes` that a record declares; raises UserError where it does not fit."""
    if not isinstance(declared, Mapping):
        raise topology.refuse(f"an edge must be a mapping with from, to; got {declared!r}")
    source, target = topology.text(declared, "from"), topology.text(declared, "to")
    place = topology.at("edge", f"{source} -> {target}")
    for end in (source, target):
        if end not in nodes:
            raise place.refuse(f"there is no node {end!r}; nodes are: {', '.join(nodes)}")
    kinds = f"{nodes[source].kind} -> {nodes[target].kind}"
    by = declared.get("by", "")
    kind = vocabulary.edges.get(f"{kinds} ({by})" if by else kinds)
    if kind is None:
        ways = vocabulary.edges_between(nodes[source].kind, nodes[target].kind)
        allowed = ", ".join(f"by: {way}" if way else "without by" for way in ways)
        raise place.refuse(
            f"no edge {kinds}{f' by {by}' if by else ''}"
            + (f"; allowed: {allowed}" if ways else "; see the edges in templates/graph.yml")
        )
    for attribute in kind.target_with:
        if attribute not in nodes[target].attributes:
            raise place.refuse(f"{kind.name} needs the attribute {attribute} of {target}")
    for attribute in kind.target_without:
        if nodes[target].attributes.get(attribute):
            raise place.refuse(f"{kind.name} cannot be where {target} has {attribute}")
    given = {key: value for key, value in declared.items() if key not in {"from", "to", "by"}}
    place.attributes(given, kind.attributes, f"an edge {kind.name}")
    if nodes[target].kind == "datastore":
        _refuse_unless_used_so(place, nodes[source], given, vocabulary, datastore)
    return Edge(
        source=source,
        target=target,
        kind=kind,
        failures=tuple(
            _failure(vocabulary.failures[failure], nodes[source], nodes[target])
            for failure in kind.failures
        ),
        attributes={"by": by, **given} if by else given,
    )


def _refuse_unless_used_so(
    place: Place, user: Node, given: Declaration, vocabulary: Vocabulary, datastore: str
) -> None:
    """Raise UserError for a datastore that such a node cannot use, or not in this way."""
    store = vocabulary.datastores[datastore]
    if user.kind not in store.used_by:
        raise place.refuse(
            f"{datastore} cannot be used by a {user.kind}; only by: {', '.join(store.used_by)}"
        )
    if "access" in given and given["access"] not in store.access:
        raise place.refuse(
            f"access to {datastore} must be one of: {', '.join(store.access)}; "
            f"got {given['access']!r}"
        )
    if given.get("reader") and not store.readers:
        raise place.refuse(f"{datastore} has no instances that only readers use")


def _failure(mechanism: Mechanism, source: Node, target: Node) -> Failure:
    """How the edge fails; in an end's name {source}, {target} or a node's kind is the node's."""
    called = {source.kind: source, target.kind: target, "source": source, "target": target}
    at = called[mechanism.fails]
    form = mechanism.where(at.attributes)
    end = form.end
    for hole, node in called.items():
        end = end and end.replace(f"{{{hole}}}", node.name)
    return Failure(form, end, at.name)


def _refuse_what_is_not_carried(place: Place, pattern: Pattern) -> None:
    """Raise UserError for a kind of node that an offered flavour cannot render."""
    for topology, flavour, runtime in product(
        pattern.topologies, pattern.flavours, pattern.runtimes
    ):
        for nodes, _ in topology.graphs.values():
            for node in nodes:
                if not node.facts.carried_by(flavour, runtime):
                    raise (
                        place.at("topology", topology.name)
                        .at("node", node.name)
                        .refuse(
                            f"{flavour} with {runtime} has no {node.kind}; "
                            f"only: {', '.join(node.facts.flavours)}"
                        )
                    )


def _examples(pattern: Place, declared: Declaration, offered: Pattern) -> tuple[Example, ...]:
    answers = {
        "topology": tuple(topology.name for topology in offered.topologies),
        "runtime": offered.runtimes,
        "iac": offered.flavours,
        "datastore": tuple(
            dict.fromkeys(name for each in offered.topologies for name in each.datastores)
        ),
        "job_rows": ("json-lines", "csv"),
    }
    examples = []
    for number, example in enumerate(pattern.items(declared, "examples"), 1):
        place = pattern.at("example", number)
        place.only(example, ("title", "command"), ("of",))
        of = example.get("of", {})
        place.at("of").only(of, (), QUESTIONS)
        for question in of:
            place.one_of(of, question, answers[question])
        examples.append(Example(place.text(example, "title"), place.text(example, "command"), of))
    return tuple(examples)


def _packages(place: Place, declared: Declaration, key: str, vocabulary: Vocabulary) -> Packages:
    return _by(place, declared, key, vocabulary.runtimes)


def _by(
    place: Place, declared: Declaration, key: str, allowed: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Lists of names by one of the names that are allowed."""
    lists = declared.get(key, {})
    within = place.at(key)
    within.only(lists, (), allowed)
    return {name: within.names(lists, name, optional=True) for name in lists}
