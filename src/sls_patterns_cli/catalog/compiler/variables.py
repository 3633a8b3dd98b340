"""The environment variables by which functions know other nodes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from sls_patterns_cli.catalog.compiler.kinds import aurora
from sls_patterns_cli.catalog.compiler.kinds.queue import DEAD_LETTER_VARIABLE
from sls_patterns_cli.catalog.compiler.poison import SENT
from sls_patterns_cli.catalog.compiler.records import (
    Attribute,
    Facts,
    Graph,
    Reference,
    Variable,
    dead_letter_queue,
    pascal,
)
from sls_patterns_cli.catalog.kinds import Datastore
from sls_patterns_cli.catalog.model import Edge, Node

Declared = Mapping[str, str]

PARAMETERS = {"parameter", "parameter_list"}
"""The attributes of references to parameters of the stack."""


def of_edge(
    edge: Edge, nodes: Mapping[str, Node], facts: Mapping[str, Facts], datastore: Datastore
) -> Iterator[Variable]:
    """The variables that an edge gives to the function at one of its ends.

    A datastore in a VPC has others, by which its client connects.
    """
    known = _known(edge, nodes, datastore)
    if known:
        user, node, variable = known
        ids = {"node": node.name, "source": edge.source, "target": edge.target}
        pascal_ids = {name: pascal(each) for name, each in ids.items()}
        resource = variable.get("of", facts[node.name]["id"]).format(**pascal_ids)
        yield Variable(
            facts[user.name]["id"],
            _name(node, variable["name"]),
            Reference(resource, cast("Attribute", variable["value"])),
            variable.get("reason"),
        )
        # Code sets when an item expires; a bucket has a rule for its objects.
        if "days" in node.attributes and facts[node.name]["resource"] == "dynamodb":
            yield Variable(
                facts[user.name]["id"], _name(node, "DAYS"), int(node.attributes["days"])
            )
    if nodes[edge.target].kind == "openid-provider" and nodes[edge.source].kind == "function":
        provider = nodes[edge.target]
        audiences = Reference(f"{facts[provider.name]['id']}Audience", "parameter_list")
        yield Variable(facts[edge.source]["id"], _name(provider, "AUDIENCE"), audiences)
    if edge.attributes.get("poison") == SENT:
        yield Variable(
            facts[edge.target]["id"],
            DEAD_LETTER_VARIABLE,
            Reference(dead_letter_queue(edge.source), "queue_url"),
        )
    if "statement" in edge.attributes:
        yield aurora.limits(facts[edge.source]["id"], edge.attributes)


def examples(
    edges: Iterable[Edge], nodes: Mapping[str, Node], datastore: Datastore
) -> Iterator[tuple[str, str]]:
    """The names of the variables, and what each may hold in unit tests.

    Those of datastores have no example: the adapters' own tests set them.
    """
    for edge in edges:
        known = _known(edge, nodes, datastore)
        if known and "example" in known[2]:
            _, node, variable = known
            short = node.name.removesuffix(f"-{node.kind}")
            yield _name(node, variable["name"]), variable["example"].replace("{name}", short)
            if node.kind == "openid-provider":
                yield _name(node, "AUDIENCE"), "orders,invoices"
            if "days" in node.attributes:
                yield _name(node, "DAYS"), str(node.attributes["days"])
        if edge.attributes.get("poison") == SENT:
            yield DEAD_LETTER_VARIABLE, f"https://sqs.example/{edge.source}-dlq"


def parameters_of(function: str, graph: Graph) -> list[Facts]:
    """The parameters of the stack that the variables of a function have, by its id.

    Of another function it is the name with the alias: a version's description has room for 256
    characters, and three ARNs have more.
    """
    found: dict[str, Facts] = {}
    for edge in graph.edges:
        by_name = graph.node(edge["to"])["kind"] == "remote-function"
        for variable in edge["variables"]:
            value = variable["value"]
            if (
                variable["function"] == function
                and isinstance(value, dict)
                and value["attribute"] in PARAMETERS
            ):
                attribute = "parameter_function" if by_name else value["attribute"]
                found[value["id"]] = {**value, "attribute": attribute}
    return list(found.values())


def is_of_source(edge: Edge, nodes: Mapping[str, Node]) -> bool:
    """Whether the edge gives a variable to the function that it leads to."""
    return (
        nodes[edge.source].kind != "function"
        and nodes[edge.target].kind == "function"
        and edge.kind.variable is not None
    )


def _known(
    edge: Edge, nodes: Mapping[str, Node], datastore: Datastore
) -> tuple[Node, Node, Declared] | None:
    """The function that knows a node by the edge, the node, and the variable; None without one."""
    user, node = nodes[edge.source], nodes[edge.target]
    # What a function reads, it knows by its source.
    if edge.attributes.get("by") == "poll" or is_of_source(edge, nodes):
        user, node = node, user
    of_kind = datastore.variable if node.kind == "datastore" else node.facts.variable
    variable = edge.kind.variable or of_kind
    if user.kind != "function" or node is user or not variable:
        return None
    return user, node, variable


def _name(node: Node, end: str) -> str:
    return f"{node.name}-{end}".replace("-", "_").upper()
