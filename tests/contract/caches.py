"""What must hold of a serverless cache and of the functions that use it."""

import re
from collections.abc import Iterator

from contract.alarms import CACHE_THROTTLES, watched
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack

CACHE = "AWS::ElastiCache::ServerlessCache"
GROUP = "AWS::EC2::SecurityGroup"
RULE = "AWS::EC2::SecurityGroupIngress"

# Of writers and readers: a cluster client finds both among the nodes, and connects to either.
PORTS = {6379, 6380}
LEAST_SUBNETS, MOST_SUBNETS = 2, 3
LONGEST_NAME = 40
# A node's name, a hyphen, and 12 digits of the stack's id.
REFERENCE = re.compile(r"\$\{[^}]*\}")
UNIQUE = "0123456789ab"


def cache_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its caches need."""
    for cache in stack.of_type(CACHE):
        yield from watched(stack, cache, CACHE_THROTTLES)
        yield from _name(stack, cache)
        yield from _limits(stack, cache)
        yield from _network(stack, cache)
        for function in stack.functions:
            yield from _client(stack, cache, function)


def _client(stack: Stack, cache: Resource, function: Resource) -> Iterator[Violation]:
    """A client without TLS hangs, as one outside the VPC does (fact B21).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/wwe-troubleshooting.html
    """
    for name, value in (function.get("Environment", "Variables") or {}).items():
        text = stack.text(value)
        if f"${{{cache.name}.Endpoint.Address}}" not in text:
            continue
        if not text.startswith("rediss://"):
            must = "rediss://…: the cache answers nothing without TLS"
            yield is_but("transport", function.name, name, text, must)
        if not function.get("VpcConfig", "SubnetIds"):
            says = f"must be inside the VPC, where {cache.name} is"
            yield Violation("vpc", function.name, says)
            continue
        own = _groups(stack, function.get("VpcConfig", "SecurityGroupIds"))
        if cache.get("SecurityGroupIds") and not own & _admitted(stack, cache):
            says = f"has no security group that {cache.name} admits, and would wait for it"
            yield Violation("vpc", function.name, f"{says} (fact T7)")


def _name(stack: Stack, cache: Resource) -> Iterator[Violation]:
    """A name is required, and no longer than that of many a stack (fact M1).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateServerlessCache.html
    """
    name = stack.text(cache.get("ServerlessCacheName"))
    if "AWS::StackName" in name:
        must = "one without the stack's name, which may be longer"
        yield is_but("name", cache.name, "ServerlessCacheName", name, must)
    elif "AWS::StackId" not in name and "${?}" not in name:
        must = "unique: a part of the stack's id is"
        yield is_but("name", cache.name, "ServerlessCacheName", name, must)
    elif len(REFERENCE.sub(UNIQUE, name).partition(" split")[0]) > LONGEST_NAME:
        yield is_but("name", cache.name, "ServerlessCacheName", name, f"{LONGEST_NAME} characters")


def _limits(stack: Stack, cache: Resource) -> Iterator[Violation]:
    """Without limits any caller decides how much it costs (fact M3).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html#scaling-serverless
    """
    for what in ("DataStorage", "ECPUPerSecond"):
        most = stack.number(cache.get("CacheUsageLimits", what, "Maximum"))
        if most is None:
            must = "a number: nothing else bounds the bill"
            yield is_but("limit", cache.name, f"CacheUsageLimits.{what}.Maximum", most, must)


def _network(stack: Stack, cache: Resource) -> Iterator[Violation]:
    subnets = cache.get("SubnetIds") or []
    if not LEAST_SUBNETS <= len(subnets) <= MOST_SUBNETS:
        must = f"{LEAST_SUBNETS} or {MOST_SUBNETS}, else those of the default VPC are taken"
        yield is_but("network", cache.name, "SubnetIds", len(subnets) or None, must)
    groups = [stack.named(group, GROUP) for group in cache.get("SecurityGroupIds") or []]
    opened: set[int] = set()
    for group in filter(None, groups):
        for rule in _rules(stack, group):
            first = stack.number(rule.get("FromPort"), -1)
            last = stack.number(rule.get("ToPort"), -1)
            opened |= {port for port in PORTS if (first or 0) <= port <= (last or 0)}
            if "CidrIp" in rule:
                says = f"admits {rule['CidrIp']} to {cache.name}, which has no password"
                yield Violation("network", group.name, says)
    if closed := sorted(PORTS - opened):
        says = f"no security group of it lets clients reach {', '.join(map(str, closed))}"
        yield Violation("network", cache.name, says)


def _admitted(stack: Stack, cache: Resource) -> set[str]:
    """Return the security groups whose members reach the cache."""
    groups = map(stack.resources.__getitem__, _groups(stack, cache.get("SecurityGroupIds")))
    rules = [rule for group in groups for rule in _rules(stack, group)]
    return _groups(stack, [rule.get("SourceSecurityGroupId") for rule in rules])


def _groups(stack: Stack, named: list[object] | None) -> set[str]:
    found = [stack.named(each, GROUP) for each in named or []]
    return {group.name for group in found if group}


def _rules(stack: Stack, group: Resource) -> Iterator[dict[str, object]]:
    yield from group.get("SecurityGroupIngress") or []
    for rule in stack.of_type(RULE):
        if stack.named(rule.get("GroupId"), GROUP) == group:
            yield dict(rule.properties)
