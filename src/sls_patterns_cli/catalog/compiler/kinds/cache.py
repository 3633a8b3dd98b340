"""ElastiCache Serverless caches."""

from collections.abc import Iterator, Mapping
from typing import Any

from sls_patterns_cli.catalog.compiler.kinds.function import inside_vpc, reported
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Acknowledgement,
    Alarm,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    output,
    pascal,
)

PORT = 6379
"""The port of Valkey (fact B21)."""

READER_PORT = 6380
"""The port at which clients find readers (fact B21)."""

STORAGE_GIGABYTES = 1
"""Above it, the cache evicts what was used least recently; it bounds the bill:
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html"""

UNITS_PER_SECOND = 10_000
"""From so many processing units (ECPU) in a second on, it throttles; they bound the bill, too."""


CLIENT_COMMANDS = {
    "python": "+command +cluster|slots",
    "typescript": "+info +cluster|slots +cluster|info",
}
"""What the clients, redis-py and iovalkey, ask of a cluster before the first command (fact J7)."""


def access(attributes: Mapping[str, Any]) -> dict[str, list[str]]:
    """The parts of the access string of a cache's user, by runtime.

    They are the keys, the commands that the node declares with them, and what the client asks
    itself.
    """
    keys, _, commands = attributes["access_string"].partition(" +")
    return {
        runtime: [f"on {keys} -@all", f"+{commands}", asked]
        for runtime, asked in CLIENT_COMMANDS.items()
    }


def client_group(name: str) -> str:
    """The logical id of the security group of the functions that use a cache beside a datastore."""
    return f"{pascal(name)}ClientSecurityGroup"


def metric(node: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of a cache; its dimension is that of a serverless one (fact M6).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
    """
    return Metric("AWS/ElastiCache", name, statistic, {"clusterId": Reference(node["id"], "ref")})


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of a cache."""
    yield Alarm(
        f"{node['id']}ThrottlesAlarm",
        TICKET,
        "The cache is throttled",
        "raise ECPUPerSecond of its CacheUsageLimits",
        "callers work without the cache meanwhile; AWS recommends 5 of 5 minutes for throttles",
        {"throttled": metric(node, "ThrottledCmds")},
        periods=5,
    )
    if node["kind"] == "datastore":
        return
    for function in node.sources:
        if is_served_without(function):
            yield Alarm(
                f"{function['id']}WithoutCacheAlarm",
                TICKET,
                f"The {function['name']} function works without its cache",
                "check the cache and its security group",
                "callers are still served; 3 of 3 minutes, since a cache may fail over",
                {"unavailable": reported(function, "CacheUnavailable")},
                periods=3,
            )


def is_served_without(function: CompiledNode) -> bool:
    """Whether callers of a function wait for its answer, which the datastore gives as well.

    What nobody waits for fails instead, and is tried again.
    """
    waited_for = any(edge["call"] == "sync" for edge in function.incoming)
    return waited_for and any(target["kind"] == "datastore" for target in function.targets)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a cache."""
    yield output(node["id"], "Name", f"The cache of {node['does']}", "ref", where_read=True)


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """What is found of the VPC of a cache that brings its own."""
    if node["kind"] == "datastore":
        yield inside_vpc()
        yield Acknowledgement(
            "AwsSolutions-VPC7", "flow logs bill for what they hold; only functions are in this VPC"
        )


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to connect, which names the cache and the user (fact J6)."""
    yield Grant(source["id"], ("elasticache:Connect",), Reference(target["id"], "cache_arn"))
    user = Reference(f"{pascal(target['name'])}User", "attr_arn")
    yield Grant(source["id"], ("elasticache:Connect",), user)
