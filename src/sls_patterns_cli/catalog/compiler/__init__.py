"""Compiles a pattern's graphs into what the templates read: every fact that the wiring asks for.

`make golden` writes them beside `pattern.yml`, as `graphs/<topology>-<datastore>.json`.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sls_patterns_cli.catalog.authorization import answers, authorized
from sls_patterns_cli.catalog.compiler import dead_letters, poison, rollout, variables
from sls_patterns_cli.catalog.compiler.acknowledgements import acknowledgements
from sls_patterns_cli.catalog.compiler.alarms import alarms, thresholds
from sls_patterns_cli.catalog.compiler.customer_key import encryption
from sls_patterns_cli.catalog.compiler.dashboard import dashboard
from sls_patterns_cli.catalog.compiler.difference import difference
from sls_patterns_cli.catalog.compiler.grants import granted
from sls_patterns_cli.catalog.compiler.harness import harness
from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    athena,
    aurora,
    cache,
    delivery,
    function,
    queue,
)
from sls_patterns_cli.catalog.compiler.numbers import numbers
from sls_patterns_cli.catalog.compiler.optional_parameters import (
    bound_of_datastore,
    optional_parameters,
)
from sls_patterns_cli.catalog.compiler.outputs import outputs, read_by_tool
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Graph,
    dead_letter_queue,
    pascal,
    unique,
)
from sls_patterns_cli.catalog.compiler.stack import Stack
from sls_patterns_cli.catalog.compiler.stack_imports import imports, optional_imports
from sls_patterns_cli.catalog.compiler.stack_parts import definition_order, parts
from sls_patterns_cli.catalog.kinds import Datastore, Vocabulary
from sls_patterns_cli.catalog.model import Edge, Node, Pattern, Topology
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.terminal.sentences import listed

# What a function waits for while a caller waits for the function.
ANSWERED_FOR = {"datastore", "table", "function", "remote-function", "external"}
# How many calls of an access process one record: with `write-once` a function reads what has the
# record's id already, with `append` also what the record changes. Every other access takes one.
ACCESS_CALLS = {"write-once": 2, "write-update": 2, "append": 3}
# A function that polls receives a message and deletes it.
POLL_CALLS = 2
# What a project has of its own whose handlers name no poison.
DIFFERS_WITHOUT_POISON = ("nodes", "edges", "record_seconds", "calls_aws", "encryption")
# The group of the functions that use the datastore whose VPC it is.
FUNCTION_GROUP = "FunctionSecurityGroup"
# How the packages of clients begin in TypeScript.
CLIENT_OF_AWS = "@aws-sdk/client-"
# Requests with these methods have no body that a service reads.
WITHOUT_BODY = {"GET", "HEAD", "DELETE", "OPTIONS"}


def graph_file(topology: str, datastore: str, *, credentials: bool = True) -> str:
    """The file of a graph, relative to the pattern's folder."""
    return f"graphs/{topology}-{datastore}{'' if credentials else '-without-credentials'}.json"


def compiled(pattern: Pattern, vocabulary: Vocabulary) -> dict[str, str]:
    """The text of every graph of the pattern, by its file."""
    return {
        graph_file(topology.name, datastore, credentials=each is topology): _text(
            with_answers(pattern, each, vocabulary, datastore)
        )
        for topology in pattern.topologies
        for each in (topology, topology.without_credentials)
        if each
        for datastore in topology.datastores
    }


def with_answers(
    pattern: Pattern, topology: Topology, vocabulary: Vocabulary, datastore: str
) -> Facts:
    """The compiled graph and, if `auth` is asked, what each of its answers changes of it."""

    def on(auth: str) -> Facts:
        answered = topology.on(datastore)
        if auth != "none":
            answered = authorized(answered, auth, vocabulary, datastore)
        return graph(pattern, answered, vocabulary, vocabulary.datastores[datastore]).as_dict()

    base = on("none")
    changes = {auth: difference(base, on(auth)) for auth in answers(topology)}
    former = _former(base, pattern, topology.on(datastore), vocabulary, datastore)
    return {
        **base,
        **({"former": former} if former else {}),
        **({"auth": changes} if changes else {}),
    }


def _former(
    base: Facts, pattern: Pattern, topology: Topology, vocabulary: Vocabulary, datastore: str
) -> Facts | None:
    """What differs from the base where handlers name no poison; None if no release has that."""
    if not any("former_seconds" in node.attributes for node in topology.nodes):
        return None
    chosen = vocabulary.datastores[datastore]
    former = graph(pattern, topology, vocabulary, chosen, former=True).as_dict()
    return difference(base, base | {each: former[each] for each in DIFFERS_WITHOUT_POISON})


def graph(
    pattern: Pattern,
    topology: Topology,
    vocabulary: Vocabulary,
    datastore: Datastore,
    *,
    former: bool = False,
) -> Stack:
    """The compiled record of one graph; a `former` one is of a project that names no poison."""
    topology = poison.treated(topology, former=former)
    compilation = _Compilation(pattern, topology, vocabulary, datastore)
    return Stack(
        **compilation.wiring(),
        **compilation.failures(),
        **compilation.infrastructure(),
        **compilation.code(),
        **compilation.dependencies(),
    )


class _Compilation:
    """A graph on its way to a record: what several of its facts follow from."""

    def __init__(
        self, pattern: Pattern, topology: Topology, vocabulary: Vocabulary, datastore: Datastore
    ) -> None:
        self._pattern, self._topology = pattern, topology
        self._vocabulary, self._datastore = vocabulary, datastore
        self._nodes = {node.name: node for node in topology.nodes}
        self._edges = topology.edges
        self._facts = {
            name: _node(node, self._edges, self._nodes, datastore)
            for name, node in self._nodes.items()
        }
        bare = Graph(self._facts, tuple(map(self._edge, self._edges)))
        for facts in self._facts.values():
            if "raised_rate_limit" in facts:
                facts["bound_by"] = bound_of_datastore(bare)
            if facts["kind"] == "function":
                facts["configured_by"] = variables.parameters_of(facts["id"], bare)
            # An API that nobody asks to authorize its callers is called by servers, and what is in
            # front of another system has that system's origins.
            if (
                facts["kind"] in api.NAMES
                and (topology.auth or facts["subject"])
                and not facts["replaces"]
            ):
                facts["cors"] = _cors(CompiledNode(facts, bare))
        self._graph = granted(bare)
        self._kinds = [node.kind for node in topology.nodes]
        self._mechanisms = unique(each.id for edge in self._edges for each in edge.failures)
        self._ending = unique(each.id for edge in self._edges for each in edge.failures if each.end)
        self._ends = _dead_letter_queues(self._edges, self._nodes, datastore)
        self._used = {
            *(each.target for each in self._edges if self._kind(each.source) == "function"),
            *(each.source for each in self._edges if each.attributes.get("by") == "poll"),
        }
        # The one that was answered, and those that nodes are whatever the answer is.
        always = unique(node.facts.resource for node in topology.nodes if node.facts.resource)
        self._datastores = [datastore, *(vocabulary.datastores[name] for name in always)]

    def _edge(self, declared: Edge) -> Facts:
        found = [*variables.of_edge(declared, self._nodes, self._facts, self._datastore)]
        facts = {**edge(declared), "variables": [each.as_dict() for each in found]}
        if self._facts[declared.target]["resource"] == "aurora-postgresql":
            facts["user"] = aurora.user(declared.attributes["access"])
        return facts

    def _kind(self, name: str) -> str:
        return self._nodes[name].kind

    def _names(self, kind: str) -> list[str]:
        return [node.name for node in self._topology.nodes if node.kind == kind]

    def wiring(self) -> Facts:
        """The nodes and edges, and what proofs are made of."""
        return {
            "local": self._datastore.local,
            "experimental": self._datastore.experimental,
            "harness": harness(self._topology, self._datastore, self._vocabulary),
            "refusals": [proof.declared() for proof in self._topology.refusals],
            "nodes": self._graph.facts,
            "edges": list(self._graph.edges),
            "numbers": numbers(),
            "mechanisms": self._mechanisms,
            "mechanisms_with_ends": self._ending,
        }

    def failures(self) -> Facts:
        """Where failures end, who is told, and the way back."""
        edges, nodes = self._edges, self._nodes
        set_aside = _set_aside_queues(edges, nodes, self._datastore)
        ids = {name: node["id"] for name, node in self._facts.items()}
        section = f"When {'an execution' if self._ending == ['E7'] else 'a message'} fails"
        queues = [each["id"] for each in self._ends]
        found = list(alarms(self._graph, queues, section))
        brought = {node["name"] for node in self._datastore.nodes}
        own = [name for name in self._names("function") if name not in brought]
        replayed = _replayed(self._ends, self._vocabulary)
        ending = [each for each in edges if any(failure.end for failure in each.failures)]
        redrive = dead_letters.tool([*self._ends, *set_aside], edges, nodes, ids, self._vocabulary)
        read = {*self._topology.outputs, *read_by_tool(redrive)}
        return {
            "ends": unique(each.end for edge in edges for each in edge.failures if each.end),
            "dead_letter_queues": self._ends,
            "set_aside_queues": set_aside,
            "redrive": redrive,
            "alarms": [each.as_dict() for each in found],
            "dashboard": dashboard(self._graph, found).as_dict(),
            "alarm_metrics": sum(len(each.metrics) for each in found),
            "optional_parameters": [each.as_dict() for each in optional_parameters(self._graph)],
            "thresholds": [vars(each) for each in thresholds(found)],
            "failures_section": section,
            "replayed": replayed,
            "handed_over": _handed_over(self._ends, edges, nodes),
            "hidden_seconds": dead_letters.hidden_seconds(
                int(nodes[name].attributes["timeout"]) for name in replayed
            ),
            "record_seconds": _record_seconds(edges, nodes, self._datastore),
            "seconds_to_end": max(
                (_seconds_to_end(each, self._facts) for each in ending), default=0
            ),
            "outputs": [each.as_dict() for each in outputs(self._graph, read)],
            "acknowledgements": [each.as_dict() for each in acknowledgements(self._graph)],
            "rollout": rollout.additions(self._graph, own, found),
            "stack_imports": imports(self._graph, found),
            "optional_imports": optional_imports(self._graph),
            "encryption": encryption(self._graph),
        }

    def infrastructure(self) -> Facts:
        """What is deployed, what it needs, and what stays of it."""
        topology, edges = self._topology, self._edges
        brought = {node["name"] for node in self._datastore.nodes}
        reserved = sum(node.attributes.get("reserved_concurrency", 0) for node in topology.nodes)
        callers = [each for node in self._facts.values() for each in node.get("callers", ())]
        return {
            "resources": unique(
                _resource(node, self._datastore) for node in topology.nodes if node.facts.deployed
            ),
            "parameters": [
                *(
                    f"{pascal(node.name)}{parameter}"
                    for node in topology.nodes
                    for parameter in node.facts.parameters
                ),
                *(f"{caller}Arn" for caller in callers),
            ],
            "required_parameters": [
                f"{pascal(node.name)}{parameter}"
                for node in topology.nodes
                for parameter in node.facts.required
            ],
            "protected": [
                node.name
                for node in topology.nodes
                for store in [self._vocabulary.datastores.get(_resource(node, self._datastore))]
                if store and store.protected and not node.attributes.get("cache")
            ],
            "moved": _moved(edges, self._nodes),
            "account_needs": [
                # It writes its access log by a role of the account.
                *(["rest-api-logs"] if "rest-api" in self._kinds else []),
                *(["unreserved-concurrency"] if reserved else []),
            ],
            "reserved_concurrency": reserved,
            "caller_actions": unique(
                action
                for each in edges
                if each.source not in brought
                for action in each.kind.actions
            ),
            "grants": bool(self._ends) or any(each["grants"] for each in self._graph.edges),
            "retained": listed(
                name
                for retained in (
                    *(each.retained for each in self._datastores),
                    *(node.facts.retained for node in topology.nodes),
                    *(each.kind.retained for edge in edges for each in edge.failures),
                )
                for name in retained
            ),
            "stack_order": definition_order(self._graph),
            "stack_parts": parts(self._graph),
        }

    def code(self) -> Facts:
        """What the project's own code is made of."""
        topology, datastore = self._topology, self._datastore
        edges, nodes = self._edges, self._nodes
        migrations = [*datastore.migrations, *self._pattern.migrations.get(datastore.name, ())]
        requests = [each.attributes["request"] for each in edges if "request" in each.attributes]
        machines = [node for node in topology.nodes if node.kind == "state-machine"]
        return {
            "functions": [
                node.name
                for node in topology.nodes
                if node.kind == "function" and "folder" not in node.attributes
            ],
            "remote_functions": self._names("remote-function"),
            "stores": [
                name
                for name in self._names("datastore")
                if any(
                    self._kind(each.source) == "function" for each in edges if each.target == name
                )
            ],
            "adapters": unique(
                [
                    *(
                        node.attributes.get("adapter", node.name)
                        for node in topology.nodes
                        if node.name in self._used and node.facts.adapter
                    ),
                    *topology.adapters,
                    *(adapter for each in edges for adapter in _adapters(each)),
                    *datastore.adapters,
                ]
            ),
            "variables": dict(sorted(variables.examples(edges, nodes, datastore))),
            "migrations": migrations if datastore.nodes else [],
            "tool_migrations": [] if datastore.nodes else migrations,
            "state_machines": [node.name for node in machines],
            "linted_machines": [node.name for node in machines if "map" not in node.attributes],
            "mapping_templates": [
                *(f"{request}.{kind}" for kind in ("request", "response") for request in requests),
                *unique(each.attributes["errors"] for each in edges if "errors" in each.attributes),
            ],
            # Or it sets aside what its event source brings.
            "calls_aws": bool(poison.senders(edges))
            or any(self._calls_sdk(each) or variables.is_of_source(each, nodes) for each in edges),
            "sdk_targets": unique(each.target for each in edges if self._calls_sdk(each)),
        }

    def _calls_sdk(self, edge: Edge) -> bool:
        """Whether a function calls AWS: where a datastore is in a VPC, it needs no SDK."""
        target = self._nodes[edge.target]
        return (
            self._kind(edge.source) == "function"
            and target.facts.deployed
            and not target.facts.in_vpc
            and (target.kind != "datastore" or self._datastore.reachable is None)
        )

    def dependencies(self) -> Facts:
        """The packages that code and tests need, by runtime."""
        edges, vocabulary = self._edges, self._vocabulary
        used = {_resource(self._nodes[name], self._datastore) for name in self._used}
        calling = self._by_runtime(
            self._pattern.packages,
            *(each.packages for each in self._datastores if (each.resource or each.name) in used),
            *(node.facts.packages for node in self._topology.nodes),
            *(each.kind.packages for each in edges),
        )
        # Whose way back is that of the failure.
        returned = [
            failure.kind
            for each in edges
            if not _way_back(each, edges, self._nodes)
            for failure in each.failures
        ]
        return {
            "clients": unique(
                [
                    *vocabulary.clients(
                        self._kinds,
                        (each.kind for each in edges),
                        returned,
                        unique(each.name for each in self._datastores),
                    ),
                    # By it proofs read the tables that deliveries fill.
                    *(["athena"] if any(map(athena.is_queried, self._graph.nodes)) else []),
                ]
            ),
            "packages": self._by_runtime(
                calling, *(poison.PACKAGES for _ in poison.senders(edges))
            ),
            # The adapter that sends poison has its tests in this repository.
            "stubs_aws": any(
                name.startswith(CLIENT_OF_AWS) for name in calling.get("typescript", ())
            ),
            "test_packages": self._by_runtime(
                self._pattern.test_packages,
                # What only the proofs need.
                *([self._topology.test_packages] if self._datastore.local else []),
                *(each.test_packages for each in self._datastores),
            ),
            "tool_packages": self._by_runtime(
                *(each.kind.test_packages for each in edges),
                *(each.packages for each in returned),
            ),
        }

    def _by_runtime(self, *packages: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return {
            runtime: unique(name for each in packages for name in each.get(runtime, ()))
            for runtime in self._pattern.runtimes
        }


def _cors(node: CompiledNode) -> Facts:
    """What pages of other origins may send to an API, and read of its answers."""
    checks = [edge["header"] for edge in node.outgoing if edge.get("by") == "authorizer"]
    if node.get("signed"):
        checks = [*api.SIGNED_HEADERS]
    elif node["issuer"]:
        checks = ["Authorization"]
    routes = [edge for edge in node.outgoing if "route" in edge]
    facts = api.cors(routes, checks)
    if node["kind"] == "rest-api":
        facts["answered_by"] = api.answered_by(node)
    return facts


def _node(
    node: Node, edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> Facts:
    incoming = [number for number, edge in enumerate(edges) if edge.target == node.name]
    outgoing = [number for number, edge in enumerate(edges) if edge.source == node.name]
    facts: Facts = {
        "name": node.name,
        "kind": node.kind,
        "resource": _resource(node, datastore),
        "id": logical_id(node, datastore),
        "shape": node.facts.shape,
        **node.attributes,
        "incoming": incoming,
        "outgoing": outgoing,
    }
    targets = [nodes[edges[number].target] for number in outgoing]
    facts |= _table_format(node, datastore)
    facts |= _inside_vpc(node, facts["resource"], targets, datastore)
    facts |= _ways_out(node, edges, nodes, datastore, inside="security_groups" in facts)
    if node.kind == "function":
        failing = {failure.id for number in incoming for failure in edges[number].failures}
        facts |= function.invoked(node.attributes, asynchronously="E2" in failing)
        facts["reads_stream"] = "E5" in failing
        facts["invokes_itself"] = node in targets
        # Who calls it by its alias from outside: the stack has a parameter for each.
        facts["callers"] = [
            logical_id(nodes[edges[number].source], datastore)
            for number in incoming
            if "alias" in node.attributes
            and nodes[edges[number].source].kind == "client"
            and edges[number].call == "sync"
        ]
    if node.kind == "delivery":
        if datastore.loads_every is not None and any(each.kind == "datastore" for each in targets):
            facts["buffer_seconds"] = datastore.loads_every
        facts["late_after_minutes"] = delivery.late_after_minutes(facts["buffer_seconds"])
    if node.kind == "queue":
        facts |= _visibility(node, edges, nodes, datastore)
        # Nothing takes what a rule sends there, so people are told.
        facts["kept_for_inspection"] = not outgoing and any(
            nodes[edges[number].source].kind == "event-bus" for number in incoming
        )
    if node.kind == "external":
        # An API hands requests on to it.
        facts["proxied"] = any(
            nodes[edges[number].source].kind in {"http-api", "rest-api"} for number in incoming
        )
        facts["called"] = any(nodes[edges[number].source].kind == "function" for number in incoming)
    if node.kind in {"http-api", "rest-api"}:
        facts["answers_for_datastore"] = any(
            nodes[edge.source] in targets
            and nodes[edge.source].kind == "function"
            and nodes[edge.target].kind == "datastore"
            for edge in edges
        )
        if any(edges[number].attributes.get("by") == "iam" for number in incoming):
            facts["signed"] = True
        facts["issuer"] = next(
            (target.name for target in targets if target.kind == "openid-provider"), None
        )
        facts["subject"] = api.subject(
            signed="signed" in facts,
            tokens=facts["issuer"] is not None,
            authorizer=any(
                edges[number].attributes.get("by") == "authorizer" for number in outgoing
            ),
        )
        facts["calls_services"] = any(
            target.facts.deployed and target.kind != "function" for target in targets
        )
        # The system whose routes it takes over: a routes file says which.
        facts["replaces"] = next(
            (logical_id(target, datastore) for target in targets if target.kind == "external"), None
        )
        # What fails behind it is an answer of the API or of its function; no error of a function
        # shows it.
        facts["answers_for_others"] = bool(
            facts["calls_services"]
            or facts["replaces"]
            or any(
                nodes[edge.source] in targets
                and edge.call == "sync"
                and nodes[edge.target].kind in ANSWERED_FOR
                for edge in edges
            )
        )
    return facts


def _table_format(node: Node, datastore: Datastore) -> Facts:
    if node.kind != "datastore" or not datastore.table_format:
        return {}
    return {"table_format": datastore.table_format}


def _inside_vpc(node: Node, resource: str, targets: Iterable[Node], datastore: Datastore) -> Facts:
    """What a function has for what it calls in a VPC, and a cache for whom it lets in."""
    if resource == "cache":
        return {"access": cache.access(node.attributes)}
    groups = list(_security_groups(targets, datastore)) if node.kind == "function" else []
    return {"security_groups": groups} if groups else {}


def _ways_out(
    node: Node,
    edges: tuple[Edge, ...],
    nodes: Mapping[str, Node],
    datastore: Datastore,
    *,
    inside: bool,
) -> Facts:
    """What leads out of the VPC of a datastore, and for which functions `inside`.

    SQS answers there over IPv6, which costs nothing; what functions call outside AWS may not.
    """
    if datastore.reachable is None:
        return {}
    senders = poison.senders(edges)
    if node.kind == "function":
        return {"sends_over_ipv6": node.name in senders} if inside else {}
    if node.kind != "datastore":
        return {}
    users = {edge.source for edge in edges if edge.target == node.name}
    called = {nodes[edge.target].kind for edge in edges if edge.source in users}
    if "external" in datastore.reachable and "external" in called:
        return {"way_out": "nat"}
    return {"way_out": "none" if users.isdisjoint(senders) else "ipv6"}


def _security_groups(targets: Iterable[Node], datastore: Datastore) -> Iterator[str]:
    """The security groups of a function that calls these nodes: one for each that is in the VPC.

    So a function reaches no more of the VPC than its edges say.
    """
    if datastore.reachable is not None and any(each.kind == "datastore" for each in targets):
        yield FUNCTION_GROUP
    yield from unique(cache.client_group(each.name) for each in targets if each.kind == "cache")


def _moved(edges: tuple[Edge, ...], nodes: Mapping[str, Node]) -> list[Facts]:
    """What a routes file says at first: the paths that functions serve instead of another system.

    A path has moved with everything below it.
    """
    replacing = {edge.source for edge in edges if nodes[edge.target].kind == "external"}
    moved = [
        {
            "path": edge.attributes["route"].split(" ")[1],
            "function": edge.target,
            "api": pascal(edge.source),
        }
        for edge in edges
        if edge.source in replacing and nodes[edge.target].kind == "function"
        if "route" in edge.attributes and nodes[edge.source].kind in {"http-api", "rest-api"}
    ]
    return [each for each in moved if not each["path"].endswith("/{proxy+}")]


def _dead_letter_queues(
    edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> list[Facts]:
    """The ends of failures; `edges` are the numbers of those that fail there, `at` where it shows.

    `of_deployments`: what fails there was no message but a step of a deployment.
    """
    brought = {node["name"] for node in datastore.nodes}
    queues: dict[str, Facts] = {}
    for number, each in enumerate(edges):
        for failure in each.failures:
            if failure.end:
                queue = queues.setdefault(
                    failure.end,
                    {
                        "id": dead_letter_queue(failure.end.removesuffix("-dlq")),
                        "at": failure.at,
                        "way_back": _way_back(each, edges, nodes) or failure.kind.way_back,
                        # SQS counts the time of a message that it moves from its first sending,
                        # of a FIFO queue from the move.
                        "expires_from": "move"
                        if failure.id != "E1" or nodes[each.source].attributes.get("fifo")
                        else "sending",
                        "of_deployments": True,
                        "edges": [],
                    },
                )
                if nodes[each.target].kind == "datastore":
                    queue["way_back"] = [*queue["way_back"], *datastore.way_back]
                queue["of_deployments"] = queue["of_deployments"] and each.source in brought
                if number not in queue["edges"]:
                    queue["edges"].append(number)
    return list(queues.values())


def _replayed(ends: Iterable[Facts], vocabulary: Vocabulary) -> list[str]:
    """The functions that process again what is in their dead-letter queue, outside its source."""
    return unique(
        end["at"]
        for end in ends
        if not end["of_deployments"]
        and any("to-function" in vocabulary.redrives[each].after for each in end["way_back"])
    )


def _handed_over(
    ends: Iterable[Facts], edges: tuple[Edge, ...], nodes: Mapping[str, Node]
) -> list[str]:
    """The functions to which a topic or an event bus could not deliver."""
    return unique(
        edges[number].target
        for end in ends
        if {"subscriptions", "undelivered-events"} & {*end["way_back"]}
        for number in end["edges"]
        if nodes[edges[number].target].kind == "function"
    )


def _set_aside_queues(
    edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> list[Facts]:
    """The queues that nothing consumes, in the form of the dead-letter queues.

    `at` sets the messages aside, and `back_to` is where they came from: the bus itself, or the
    queue that the function consumes.
    """
    consumed = {edge.source for edge in edges}
    queues = []
    for number, each in enumerate(edges):
        if each.kind.set_aside and nodes[each.target].kind == "queue":
            sources = [edge.source for edge in edges if edge.target == each.source]
            back_to = (
                [name for name in sources if nodes[name].kind == "queue"]
                if nodes[each.source].kind == "function"
                else [each.source]
            )
            if each.target not in consumed and back_to:
                queues.append(
                    {
                        "id": logical_id(nodes[each.target], datastore),
                        "at": each.source,
                        "back_to": back_to[0],
                        "way_back": each.kind.set_aside,
                        "expires_from": "move",
                        "of_deployments": False,
                        "edges": [number],
                    }
                )
    return queues


def _way_back(edge: Edge, edges: tuple[Edge, ...], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """What sends back what failed at the edge, if that is not what its failure says.

    What a delivery could not pass on goes back the way by which it came.
    """
    if edge.kind.way_back or nodes[edge.source].kind != "delivery":
        return edge.kind.way_back
    before = (each.kind.way_back for each in edges if each.target == edge.source)
    return next(filter(None, before), ())


def _adapters(edge: Edge) -> tuple[str, ...]:
    """The adapters that code for the edge uses beside those of its nodes."""
    if edge.attributes.get("poison") == poison.SENT:
        return (*edge.kind.adapters, "dead-letter-queue")
    method, *_ = edge.attributes.get("route", "GET").split()
    if method in WITHOUT_BODY:
        return edge.kind.adapters
    return (*edge.kind.adapters, *edge.kind.body_adapters)


def _record_seconds(
    edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> int | None:
    """The seconds that all calls for one record of a batch take at most; None without batches.

    Where several functions consume batches, that of the slowest.
    """

    def seconds(consumer: str) -> int:
        # It keeps records of a stream that cannot be processed.
        kept = any(
            failure.id == "E5"
            for edge in edges
            if edge.target == consumer
            for failure in edge.failures
        )
        # Before it ends, it starts what processes the rest.
        continued = any(edge.source == edge.target == consumer for edge in edges)
        calls = _message_seconds(consumer, edges, nodes, datastore)
        return calls + function.CALL_SECONDS * (kept + continued)

    consumers = {edge.target for edge in edges if _takes_batches(edge)}
    return max(map(seconds, consumers), default=None)


def _takes_batches(edge: Edge) -> bool:
    return edge.attributes.get("batch_size", 1) > 1 or edge.attributes.get("by") == "poll"


def _message_seconds(
    consumer: str, edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> int:
    """The seconds that a function's calls for one message or record take at most."""
    waits = datastore.waits.get("async", {})
    accesses: dict[str, int] = {}
    declared = 0
    for edge in edges:
        if edge.source == consumer != edge.target:
            if "seconds" in edge.attributes:
                declared += edge.attributes["seconds"]
                continue
            calls = ACCESS_CALLS.get(edge.attributes.get("access", ""), 1)
            accesses[edge.target] = max(calls, accesses.get(edge.target, 0))
    polls = any(edge.attributes.get("by") == "poll" for edge in edges if edge.target == consumer)
    of_calls = (
        waits["record"] + waits["statement"] * (calls - 1)
        if waits and nodes[target].kind == "datastore"
        else function.CALL_SECONDS * calls
        for target, calls in accesses.items()
    )
    own = (POLL_CALLS if polls else 0) + (consumer in poison.senders(edges))
    return sum(of_calls) + declared + function.CALL_SECONDS * own


def _visibility(
    node: Node, edges: tuple[Edge, ...], nodes: Mapping[str, Node], datastore: Datastore
) -> Facts:
    """How long a received message is invisible, how often it is received, and why.

    Raises:
        UserError: a function may take longer for a message than it has time.
    """
    for edge in edges:
        if edge.source == node.name:
            takes = _message_seconds(edge.target, edges, nodes, datastore)
            has = int(nodes[edge.target].attributes["timeout"])
            if edge.attributes["poison"] != poison.FORMER and has < takes:
                raise UserError(
                    f"the function {edge.target} has {has} s for a message that may take {takes} s"
                )
            hidden = (
                queue.polled(takes) if edge.attributes.get("by") == "poll" else queue.mapped(has)
            )
            return hidden | queue.ends(
                node.name,
                hidden["visibility_timeout"],
                fifo=node.attributes.get("fifo", False),
                former=edge.attributes["poison"] == poison.FORMER,
            )
    return {"visibility_timeout": None}


def _seconds_to_end(edge: Edge, facts: Mapping[str, Facts]) -> int:
    """How long at most until what fails at an edge is in its dead-letter queue."""
    hidden = facts[edge.source].get("visibility_timeout")
    return queue.FEWEST_RECEIVES * int(hidden) if hidden else function.SECONDS_TO_END


def edge(edge: Edge) -> Facts:
    """The facts of an edge; a failure's `at` is the node where it shows."""
    return {
        "from": edge.source,
        "to": edge.target,
        **edge.attributes,
        "call": edge.call,
        "failures": [
            {
                "id": failure.id,
                "end": failure.end,
                "queue": failure.end and dead_letter_queue(failure.end.removesuffix("-dlq")),
                "at": failure.at,
            }
            for failure in edge.failures
        ],
    }


def _resource(node: Node, datastore: Datastore) -> str:
    """What a node becomes: a datastore is what was answered."""
    if node.kind == "datastore":
        return datastore.resource or datastore.name
    return node.facts.resource or node.kind


def logical_id(node: Node, datastore: Datastore) -> str:
    """The node's id in the template, such as `ReceiveFunction` or `EventsTable`."""
    suffix = datastore.suffix if node.kind == "datastore" else node.facts.suffix
    return f"{pascal(node.name)}{suffix}"


def _text(facts: Facts) -> str:
    """JSON with a line for each node, edge and list, so that a diff reads well."""
    lines = []
    for key, value in facts.items():
        if key == "dashboard":
            lines.append(f' "{key}": {{\n{_dashboard(value)}\n }}')
        elif key == "auth" and value:
            changes = [f'"{auth}": {_text(each).strip()}' for auth, each in value.items()]
            lines.append(f' "{key}": {{\n' + textwrap.indent(",\n".join(changes), "  ") + "\n }")
        elif key in {"nodes", "redrive", "edges", "slices"} and value and isinstance(value, dict):
            entries = [f"  {json.dumps(name)}: {_line(node)}" for name, node in value.items()]
            lines.append(f' "{key}": {{\n' + ",\n".join(entries) + "\n }")
        elif key in {"edges", "alarms", "thresholds", "outputs", "acknowledgements"} and value:
            entries = [f"  {_line(entry)}" for entry in value]
            lines.append(f' "{key}": [\n' + ",\n".join(entries) + "\n ]")
        else:
            lines.append(f' "{key}": {_line(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dashboard(facts: Mapping[str, Any]) -> str:
    rows = (
        "   [\n" + ",\n".join(f"    {_line(widget)}" for widget in row) + "\n   ]"
        for row in facts["rows"]
    )
    others = [f'  "{key}": {_line(value)}' for key, value in facts.items() if key != "rows"]
    return ",\n".join([*others, '  "rows": [\n' + ",\n".join(rows) + "\n  ]"])


def _line(value: Any) -> str:
    """JSON on one line, without what Jinja would read as the start of a tag."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("(?<={)[{%#]", lambda found: f"\\u{ord(found[0]):04x}", text)
