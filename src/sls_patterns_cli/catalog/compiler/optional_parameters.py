"""The parameters that a stack has only if they are wanted, by the question `parameters`."""

from collections.abc import Callable, Iterator

from sls_patterns_cli.catalog.compiler import customer_key
from sls_patterns_cli.catalog.compiler.kinds import api, aurora, function, log_group, network, queue
from sls_patterns_cli.catalog.compiler.records import CompiledNode, Graph, Option, OptionalParameter

OPTIONS: dict[Option, str] = {
    "concurrency": "how many functions use a database, or consume from a queue, at a time",
    "capacity": "the least and the most capacity of the database, and when it pauses",
    "retention": "for how many days logs are kept",
    "email": "an email address that gets the alarms",
    "boundary": "a permissions boundary on every role",
    "cors": "which web pages of other origins may call the API",
    "domain": "a domain name of your own for the API",
    "waf": "a web ACL of AWS WAF in front of the API",
    "vpc": "a VPC of yours, and its subnets, instead of one that the stack creates",
    "cluster": "an Aurora cluster in a VPC of yours, instead of those that the stack creates",
    "private-legacy": "a load balancer of yours, by which the API calls a legacy system in a VPC",
    "kms": "a customer managed key of yours for what the stack stores",
}
"""What the parameters of each choice set."""

EMAIL = r"none|[^@\s]+@[^@\s]+\.[^@\s]+"
"""An address to which SNS sends a link that confirms it (fact C24):
https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html"""

PARAMETERS: dict[str, Callable[[CompiledNode], Iterator[OptionalParameter]]] = {
    "http-api": api.parameters,
    "rest-api": api.parameters,
    "function": function.parameters,
    "queue": queue.parameters,
    "aurora-postgresql": aurora.parameters,
    "cache": network.parameters,
    "redshift-serverless": network.parameters,
}
"""By resource."""


def optional_parameters(graph: Graph) -> Iterator[OptionalParameter]:
    """The optional parameters of a stack, node by node."""
    for node in graph.nodes:
        if node["resource"] in PARAMETERS:
            yield from PARAMETERS[node["resource"]](node)
    yield from customer_key.parameters()
    yield OptionalParameter(
        "LogRetentionDays",
        "retention",
        log_group.RETENTION_DAYS,
        "For how many days CloudWatch keeps logs",
        allowed=log_group.RETENTIONS,
    )
    yield OptionalParameter(
        "AlarmEmail",
        "email",
        "none",
        "Who gets the alarms by email; SNS waits 48 hours for the address to confirm",
        pattern=EMAIL,
        default_is_off=True,
    )
    yield OptionalParameter(
        "PermissionsBoundaryArn",
        "boundary",
        "none",
        "A policy that bounds what every role may do",
        default_is_off=True,
    )


def bound_of_datastore(graph: Graph) -> list[str]:
    """The names of the parameters that together bound the connections of a database."""
    return [
        each.name
        for node in graph.nodes
        if node["kind"] == "function"
        for each in function.parameters(node)
    ]
