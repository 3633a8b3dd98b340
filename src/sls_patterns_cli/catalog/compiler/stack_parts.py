"""What the code of a CDK stack needs beside its resources: methods, imports and files.

Each follows from the graph. Templates print what is named here, and look at no printed code.
"""

from collections.abc import Callable

from sls_patterns_cli.catalog.compiler.kinds import athena
from sls_patterns_cli.catalog.compiler.records import CompiledNode, Graph


def parts(graph: Graph) -> list[str]:
    """The names of what the stack's code shares, for either language."""
    return [name for name, needed in PARTS.items() if needed(graph)]


def definition_order(graph: Graph) -> list[str]:
    """The names of the nodes as a stack defines them: what others are made of comes first."""
    return [node["name"] for node in sorted(graph.nodes, key=_place)]


def _place(node: CompiledNode) -> int:
    """In which of four groups a node is defined; by default in the third."""
    if node["kind"] in {"external", "openid-provider", "remote-function"}:
        return 0  # a parameter
    if node["resource"] == "aurora-postgresql" or (
        node["resource"] == "cache" and node["kind"] == "datastore"
    ):
        return 0  # it brings the network
    if node["kind"] == "cache":
        return 1  # functions are in its clients' security group
    if node["kind"] == "function" and any(e.get("by") == "authorizer" for e in node.incoming):
        return 1  # APIs are defined with it
    replaces = node["kind"] == "rest-api" and node["replaces"]
    if node["kind"] in {"delivery", "state-machine"} or replaces:
        return 3  # it refers to functions
    return 2


def has_part(name: str) -> Callable[[Graph], bool]:
    """Whether the stack's code has a part."""
    return PARTS[name]


def any_node(fits: Callable[[CompiledNode], bool]) -> Callable[[Graph], bool]:
    """Whether a node fits."""
    return lambda graph: any(fits(node) for node in graph.nodes)


def of(*resources: str) -> Callable[[Graph], bool]:
    """Whether there is a node of one of the resources."""
    return any_node(lambda node: node["resource"] in resources)


def _fails_as(failure: str) -> Callable[[Graph], bool]:
    return lambda graph: any(
        each["id"] == failure for edge in graph.edges for each in edge["failures"]
    )


def either(*needed: Callable[[Graph], bool]) -> Callable[[Graph], bool]:
    """Whether at least one of these is so."""
    return lambda graph: any(each(graph) for each in needed)


def _delivers(*kinds: str) -> Callable[[Graph], bool]:
    """Whether rules of EventBridge deliver from a node of a kind."""
    return any_node(lambda node: node["kind"] in kinds and bool(node["outgoing"]))


def _grants_by_statements(graph: Graph) -> bool:
    """Whether permissions are statements, where CDK has no grant that is as narrow."""
    facts = [*(node.facts for node in graph.nodes), *graph.edges]
    return any(grant["method"] is None for each in facts for grant in each.get("grants", ()))


_EVENTS_IN_BUCKET = any_node(lambda node: node.get("failed_events") == "bucket")

_IS_STANDARD = any_node(lambda node: node["kind"] == "state-machine" and not node.get("express"))

_DELIVERY_RULES = _delivers("event-bus", "bucket")

_REPORTED_BUCKETS = either(_fails_as("E5"), of("delivery"), _EVENTS_IN_BUCKET)

_FAILURE_RULES = either(_REPORTED_BUCKETS, _IS_STANDARD)

_LIST_STREAMS = any_node(lambda node: node["resource"] == "dynamodb" and bool(node["outgoing"]))

PARTS: dict[str, Callable[[Graph], bool]] = {
    "dead-letter-queues": lambda graph: any(
        each["end"] for edge in graph.edges for each in edge["failures"]
    ),
    "fifo-dead-letter-queues": any_node(
        lambda node: bool(node["kind"] == "queue" and node.get("fifo") and node["outgoing"])
    ),
    # Rules that deliver to a target, and those that report failures.
    "delivery-rules": _DELIVERY_RULES,
    "bus-rules": _delivers("event-bus"),
    "failure-rules": _FAILURE_RULES,
    # Buckets about whose objects a rule reports, and those that send their events to rules.
    "reported-buckets": _REPORTED_BUCKETS,
    "notified-buckets": _delivers("bucket"),
    "delivery-streams": of("delivery"),
    "queried-tables": any_node(athena.is_queried),
    "named-log-groups": either(
        of("http-api", "rest-api", "delivery", "log-group"),
        any_node(lambda node: bool(node["kind"] == "state-machine" and node.get("express"))),
    ),
    "permitted-callers": any_node(lambda node: bool(node.get("callers"))),
    "iam": either(
        _grants_by_statements,
        _DELIVERY_RULES,
        _FAILURE_RULES,
        of("aurora-postgresql", "redshift-serverless", "schedule", "state-machine"),
        any_node(
            lambda node: (
                node["kind"] == "rest-api" and bool(node["calls_services"] or node["replaces"])
            )
        ),
        any_node(
            lambda node: (
                node["kind"] == "http-api"
                and any(target["kind"] == "state-machine" for target in node.targets)
            )
        ),
    ),
    # Python's type checker is told what CDK's types leave open.
    "casts": either(
        _REPORTED_BUCKETS,
        _delivers("bucket", "log-group"),
        _LIST_STREAMS,
        any_node(lambda node: node["kind"] == "queue" and not node["outgoing"]),
        lambda graph: any(edge["from"] == edge["to"] for edge in graph.edges),
    ),
    # The files that it reads: migrations, definitions, and templates of requests to a service.
    "migrations": of("aurora-postgresql"),
    "definitions": of("state-machine"),
    "mapping-templates": lambda graph: any("action" in edge for edge in graph.edges),
    "routes": any_node(lambda node: bool(node.get("replaces"))),
    # Its test follows references to the ends of failures.
    "referenced-ends": either(of("queue"), _IS_STANDARD, _fails_as("E5"), _EVENTS_IN_BUCKET),
    "lists-streams": _LIST_STREAMS,
    "delivers-logs": any_node(
        lambda node: bool(node["kind"] == "state-machine" and node.get("express"))
    ),
}
