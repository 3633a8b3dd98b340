"""Who may call a public API: a topology's graph with an answer to the question `auth`.

With `jwt` an OpenID provider signs the tokens of callers, and each route needs a scope. An HTTP API
checks them by itself, a REST API by an authorizer. With `iam` each request has the signature of a
role or user of AWS.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sls_patterns_cli.catalog.declaration import PUBLIC_APIS, Place, read_edge, read_node
from sls_patterns_cli.catalog.kinds import Declaration, Refusals, Vocabulary
from sls_patterns_cli.catalog.model import Edge, Node, Proof, Topology

READING = {"GET", "HEAD"}
"""The methods whose routes need the scope to read; those of all others need the one to write."""

ISSUER_NODE: Declaration = {
    "name": "issuer",
    "kind": "openid-provider",
    "does": "signs the tokens of callers",
}
"""The OpenID provider; the stack's parameters for it have its name."""

AUTHORIZER_NODE: Declaration = {
    "name": "authorize",
    "kind": "function",
    "does": "turns a token into a policy for every route that the token allows",
    "timeout": 10,
    "folder": "authorizer",
}
"""The authorizer of a REST API. Its code is the template's: an update brings it to projects whose
handlers are the user's."""

AUTHORIZED: Declaration = {"header": "Authorization", "cache": 300, "whole_request": True}
"""How an API asks the authorizer; 300 seconds are API Gateway's default:
https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html"""

ALLOWED = {
    "jwt": "callers with a token of the OpenID provider",
    "iam": "roles and users with execute-api:Invoke",
}
"""Who may call by each answer, where it was anyone."""


def answers(topology: Topology) -> tuple[str, ...]:
    """The answers that add to the topology's graph; `none` is an answer beside them.

    There are none where the question is not asked. An API in front of another system passes on what
    its callers send: they have that system's tokens, and no signatures.
    """
    if topology.auth is None:
        return ()
    nodes = {node.name: node for node in topology.nodes}
    apis = _apis(topology)
    proxies = any(
        edge.source in apis and nodes[edge.target].kind == "external" for edge in topology.edges
    )
    return ("jwt",) if proxies else ("jwt", "iam")


def authorized(topology: Topology, auth: str, vocabulary: Vocabulary, datastore: str) -> Topology:
    """The topology with one of its `answers` applied to its nodes and edges.

    Nodes and edges that it adds come last, so that the numbers of the others stay.
    """
    place = Place("authorization")
    apis = _apis(topology)
    kinds = {node.name: node.kind for node in topology.nodes}
    authorizing = [api for api in apis if kinds[api] == "rest-api"]
    added = [ISSUER_NODE, *([AUTHORIZER_NODE] if authorizing else [])] if auth == "jwt" else []
    nodes = (
        *(_allowed(node, auth) for node in topology.nodes),
        *(read_node(place, each, vocabulary) for each in added),
    )
    by_name = {node.name: node for node in nodes}

    def changed(edge: Edge) -> Edge:
        if auth == "iam" and edge.target in apis and by_name[edge.source].kind == "client":
            signed = {"from": edge.source, "to": edge.target, "by": "iam"}
            return read_edge(place, signed, by_name, vocabulary, datastore)
        if auth == "jwt" and edge.source in apis and by_name[edge.target].facts.deployed:
            return replace(edge, attributes={**edge.attributes, "scope": scope(edge)})
        return edge

    checks = list(_checks(apis, authorizing)) if auth == "jwt" else []
    edges = (
        *map(changed, topology.edges),
        *(read_edge(place, each, by_name, vocabulary, datastore) for each in checks),
    )
    return replace(
        topology,
        nodes=nodes,
        edges=edges,
        refusals=_refusals(topology, vocabulary.refusals[auth]),
        harness=_merged(topology.harness, vocabulary.refusals[auth].harness),
        test_packages=_merged(topology.test_packages, vocabulary.refusals[auth].test_packages),
    )


def _checks(apis: Iterable[str], authorizing: Collection[str]) -> Iterator[Declaration]:
    """The edges by which APIs check tokens: by themselves, or by an authorizer."""
    for api in apis:
        if api in authorizing:
            yield {"from": api, "to": AUTHORIZER_NODE["name"], "by": "authorizer", **AUTHORIZED}
        else:
            yield {"from": api, "to": ISSUER_NODE["name"]}
    if authorizing:
        yield {"from": AUTHORIZER_NODE["name"], "to": ISSUER_NODE["name"]}


def scope(edge: Edge) -> str:
    """The scope that a route needs: `orders:write` for `PUT /orders/{id}`."""
    method, path = edge.attributes["route"].split(" ")
    return f"{path.split('/')[1]}:{'read' if method in READING else 'write'}"


def refusals(topology: Topology, vocabulary: Vocabulary) -> dict[str, tuple[Proof, ...]]:
    """The proofs that each of the topology's `answers` adds."""
    return {auth: _refusals(topology, vocabulary.refusals[auth]) for auth in answers(topology)}


def _refusals(topology: Topology, declared: Refusals) -> tuple[Proof, ...]:
    """The proofs that the topology's API, which has one kind, refuses who may not call it."""
    status = declared.refused[next(n.kind for n in topology.nodes if n.kind in PUBLIC_APIS)]
    pattern, _, _ = topology.proofs[0].id.partition(".")
    return tuple(
        Proof(
            id=f"{pattern}.{proof['id']}",
            text=proof["text"].format(refused=status),
            where=proof["where"],
            smoke=proof.get("smoke"),
        )
        for proof in declared.proofs
    )


def _merged(
    some: Mapping[str, Sequence[str]], others: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(dict.fromkeys((*some.get(name, ()), *others.get(name, ()))))
        for name in (*some, *others)
    }


def _apis(topology: Topology) -> list[str]:
    return [node.name for node in topology.nodes if node.kind in PUBLIC_APIS]


def _allowed(node: Node, auth: str) -> Node:
    if node.kind != "client" or node.attributes["allowed"] != "anyone":
        return node
    return replace(node, attributes={**node.attributes, "allowed": ALLOWED[auth]})
