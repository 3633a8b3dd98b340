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

PORTS = (1150, 65_535)
"""The ports that a cluster can have:
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html"""

RESOURCE_ID = "cluster-[A-Z0-9]+"
"""The resource id of a cluster. Permissions for its name, for an instance or for a proxy let nobody
sign in (fact O32)."""

DATABASE = "[A-Za-z_][A-Za-z0-9_-]{0,62}"
USER = "[a-z_][a-z0-9_]{0,62}"
"""Names of 63 bytes at most; those of users need no quotes, and PostgreSQL reserves `none`:
https://www.postgresql.org/docs/16/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS"""

BACKUP_RETENTION = Duration(7, "days")
"""How long RDS keeps backups."""

MIGRATION_TIME = Duration(5, "minutes")
"""How long CloudFormation waits for the migrations: longer than the timeout of `migrate` (fact
A13)."""

CAPACITY_PERCENT = 90
"""From here on queries get slower:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""


def endpoint(kind: str) -> str:
    """The pattern of the endpoints of a kind, `cluster` or `cluster-ro`.

    Tokens are signed for such a name, which its certificate has, and not for an alias in DNS (fact
    O36): https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
    """
    return rf"[a-z][a-z0-9-]*\.{kind}-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(\.cn)?"


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
        left_out_by="cluster",
    )


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The id, host and port of a cluster."""
    cluster = node["id"]
    yield output(cluster, "Id", "The database cluster", "ref")
    yield output(cluster, "Endpoint", f"The database of {node['does']}", "attr_endpoint_address")
    yield output(cluster, "Port", "", "attr_endpoint_port")


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """The capacity of a cluster, when it pauses, its network, and one that exists instead."""
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
    yield from _existing(node)


def _existing(node: CompiledNode) -> Iterator[OptionalParameter]:
    """An existing cluster, and as whom to sign in to it."""

    def text(name: str, description: str, pattern: str) -> OptionalParameter:
        return OptionalParameter(name, "cluster", "none", description, pattern=f"none|{pattern}")

    yield text(
        "ClusterEndpoint",
        "The cluster endpoint of an existing Aurora cluster; with none, the stack creates one",
        endpoint("cluster"),
    )
    if any("reader" in edge for edge in node.incoming):
        yield text("ClusterReaderEndpoint", "Its reader endpoint", endpoint("cluster-ro"))
    least, most = PORTS
    yield OptionalParameter("ClusterPort", "cluster", PORT, "Its port", minimum=least, maximum=most)
    yield text(
        "ClusterResourceId",
        "Its resource id, which is not its name; permissions to sign in name it",
        RESOURCE_ID,
    )
    yield text(
        "ClusterSecurityGroupId",
        "A security group of the cluster, to which the stack adds a rule for its functions",
        network.SECURITY_GROUP,
    )
    yield text("ClusterDatabaseName", "The database in it, which exists", DATABASE)
    yield text("ClusterUser", "The user as which functions sign in", USER)
    yield text(
        "ClusterMigrationUser", "The user that owns the database, and applies the migrations", USER
    )


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
