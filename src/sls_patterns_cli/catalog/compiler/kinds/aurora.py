"""Aurora Serverless clusters."""

from collections.abc import Iterator, Mapping

from sls_patterns_cli.catalog.compiler.kinds import function, network
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Metric,
    OptionalParameter,
    Output,
    Reference,
    Variable,
    output,
    pascal,
)

PORT = 5432
"""The port of PostgreSQL."""

MOST_CAPACITY = 4
"""The most ACU, which bound the bill; they allow 823 connections:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""

CAPACITIES = (0, 256)
"""The least and the most ACU that a cluster can have:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""

PAUSE_SECONDS = 300
"""After so long without connections a database pauses by default."""

PAUSES = (300, 86_400)
"""The least and the most seconds until a database pauses:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html"""

BACKUP_RETENTION = Duration(7, "days")
"""How long RDS keeps backups."""

MIGRATION_TIME = Duration(5, "minutes")
"""How long CloudFormation waits for the migrations: longer than the timeout of `migrate` (fact
A13)."""

CAPACITY_PERCENT = 90
"""From here on queries get slower:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""


def metric(node: CompiledNode, name: str, statistic: str) -> Metric:
    """A metric of a cluster and its instances.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
    """
    return Metric("AWS/RDS", name, statistic, {"DBClusterIdentifier": Reference(node["id"], "ref")})


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on a cluster whose capacity does not suffice."""
    yield Alarm(
        f"{node['id']}CapacityAlarm",
        TICKET,
        "The database is at the limit of its capacity",
        "raise its maximum, or find the query",
        "90 percent for 15 minutes; a cluster that scales reaches its limit for a moment",
        {"utilization": metric(node, "ACUUtilization", "Average")},
        threshold=CAPACITY_PERCENT,
        period=300,
        periods=3,
    )


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The id, host and port of a cluster."""
    cluster = node["id"]
    yield output(cluster, "Id", "The database cluster", "ref")
    yield output(cluster, "Endpoint", f"The database of {node['does']}", "attr_endpoint_address")
    yield output(cluster, "Port", "Its port", "attr_endpoint_port")


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """The capacity of a cluster, when it pauses, and its network."""
    name = pascal(node["name"])
    least, most = CAPACITIES
    yield OptionalParameter(
        f"{name}MinCapacity",
        "capacity",
        0,
        "The least ACU of the database, in steps of 0.5; it pauses only at 0",
        minimum=least,
        maximum=most,
    )
    yield OptionalParameter(
        f"{name}MaxCapacity",
        "capacity",
        MOST_CAPACITY,
        "The most ACU of the database, in steps of 0.5, which bound the bill and the connections",
        minimum=1,
        maximum=most,
    )
    shortest, longest = PAUSES
    yield OptionalParameter(
        f"{name}SecondsUntilAutoPause",
        "capacity",
        PAUSE_SECONDS,
        "After how many seconds without connections the database pauses",
        minimum=shortest,
        maximum=longest,
    )
    yield from network.parameters(node)


def user(access: str) -> str:
    """The user of the database as which a function signs in: only one may change the schema."""
    return "master" if access == "own" else "service"


def limits(function_id: str, edge: Mapping[str, int]) -> Variable:
    """The variable by which PostgreSQL limits what it does for a function."""
    return Variable(
        function_id,
        "PGOPTIONS",
        f"-c statement_timeout={edge['statement']}s -c lock_timeout={edge['lock']}s",
        "What a function that has ended began must not go on, nor hold its locks.",
    )


def acknowledged(_: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of a cluster and its VPC, in which nothing but functions is."""
    yield function.inside_vpc()
    yield Acknowledgement(
        "AwsSolutions-RDS11", "only the functions reach the port, whatever its number"
    )
    yield Acknowledgement(
        "AwsSolutions-VPC7", "flow logs bill for what they hold; nothing goes in or out of this VPC"
    )
