"""What must hold of a serverless cache and of the functions that use it."""

import re
from collections.abc import Iterator

from contract.alarms import CACHE_THROTTLES, watched
from contract.networks import GROUP, admitted, groups_of, rules
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.policies import may, role_of

CACHE = "AWS::ElastiCache::ServerlessCache"
USER, USER_GROUP = "AWS::ElastiCache::User", "AWS::ElastiCache::UserGroup"
CONNECT = "elasticache:Connect"
# Of writers and readers: a cluster client finds both among the nodes, and connects to either.
PORTS = {6379, 6380}
LEAST_SUBNETS, MOST_SUBNETS = 2, 3
LONGEST_NAME = 40
# A node's name, a hyphen, and 12 digits of the stack's id.
REFERENCE = re.compile(r"\$\{[^}]*\}")
UNIQUE = "0123456789ab"
# Keys, and single commands; nothing that means all of them, or a category.
LIMITED = re.compile(r"on( ~[^ *]+\*)+ -@all( \+[a-z|]+)+")


def cache_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its caches need."""
    for cache in stack.of_type(CACHE):
        yield from watched(stack, cache, CACHE_THROTTLES)
        yield from _name(stack, cache)
        yield from _limits(stack, cache)
        yield from _network(stack, cache)
        yield from _group(stack, cache)
        for function in stack.functions:
            if _is_told(stack, cache, function):
                yield from _client(stack, cache, function)
            else:
                yield from _stranger(stack, cache, function)


def _client(stack: Stack, cache: Resource, function: Resource) -> Iterator[Violation]:
    """A client without TLS hangs, as one outside the VPC does (fact B21).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/wwe-troubleshooting.html
    """
    for name, text in _addresses(stack, cache, function):
        if not text.startswith("rediss://"):
            must = "rediss://…: the cache answers nothing without TLS"
            yield is_but("transport", function.name, name, text, must)
        elif not text.startswith(f"rediss://${{{cache.name}}}@"):
            must = f"rediss://${{{cache.name}}}@…: nobody connects without a user (fact J8)"
            yield is_but("transport", function.name, name, text, must)
        if not function.get("VpcConfig", "SubnetIds"):
            says = f"must be inside the VPC, where {cache.name} is"
            yield Violation("vpc", function.name, says)
        elif cache.get("SecurityGroupIds") and not (
            groups_of(stack, function) & admitted(stack, cache.get("SecurityGroupIds"))
        ):
            says = f"has no security group that {cache.name} admits, and would wait for it"
            yield Violation("vpc", function.name, f"{says} (fact T7)")
        for resource in (cache, *_users(stack, cache)):
            if not may(stack, role_of(stack, function), CONNECT, resource):
                says = f"may not {CONNECT} as {resource.name} says (fact J6)"
                yield Violation("permission", function.name, says)


def _stranger(stack: Stack, cache: Resource, function: Resource) -> Iterator[Violation]:
    """Whoever is not told of a cache neither reaches it nor may connect."""
    if groups_of(stack, function) & admitted(stack, cache.get("SecurityGroupIds")):
        yield Violation("vpc", function.name, f"reaches {cache.name}, which it is not told of")
    if may(stack, role_of(stack, function), CONNECT, cache):
        says = f"may {CONNECT} {cache.name}, which it is not told of"
        yield Violation("permission", function.name, says)


def _group(stack: Stack, cache: Resource) -> Iterator[Violation]:
    """Without a user group everybody whom the network lets in may do anything (fact J8).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
    """
    group = stack.named(cache.get("UserGroupId"), USER_GROUP)
    if group is None:
        says = "has no user group of this stack, so anybody inside may do anything (fact J8)"
        yield Violation("user", cache.name, says)
        return
    if group.get("Engine") != "valkey":
        must = "valkey: another group lets users in without a password (fact J8)"
        yield is_but("user", group.name, "Engine", group.get("Engine"), must)
    users = _users(stack, cache)
    if not users:
        yield Violation("user", group.name, "has no user of this stack")
    for user in users:
        yield from _user(stack, cache, user)


def _user(stack: Stack, cache: Resource, user: Resource) -> Iterator[Violation]:
    """Code signs in by IAM as the user that has the cache's name (fact J6).

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
    """
    mode = user.get("AuthenticationMode", "Type")
    if mode != "iam":
        yield is_but("user", user.name, "AuthenticationMode.Type", mode, "iam")
    called = stack.text(cache.get("ServerlessCacheName"))
    for name in ("UserId", "UserName"):
        if (text := stack.text(user.get(name))) != called:
            yield is_but("user", user.name, name, text, f"the name of {cache.name} (fact J6)")
    given = stack.text(user.get("AccessString"))
    if not LIMITED.fullmatch(given):
        must = "on, prefixes of keys, -@all, and the commands of the code"
        yield is_but("user", user.name, "AccessString", given, must)


def _users(stack: Stack, cache: Resource) -> list[Resource]:
    group = stack.named(cache.get("UserGroupId"), USER_GROUP)
    named = (group.get("UserIds") or []) if group else []
    return [user for each in named if (user := stack.named(each, USER))]


def _is_told(stack: Stack, cache: Resource, function: Resource) -> bool:
    return any(_addresses(stack, cache, function))


def _addresses(stack: Stack, cache: Resource, function: Resource) -> Iterator[tuple[str, str]]:
    """Return the variables of the function that say where the cache is."""
    for name, value in (function.get("Environment", "Variables") or {}).items():
        if f"${{{cache.name}.Endpoint.Address}}" in (text := stack.text(value)):
            yield name, text


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
        for rule in rules(stack, group):
            first = stack.number(rule.get("FromPort"), -1)
            last = stack.number(rule.get("ToPort"), -1)
            opened |= {port for port in PORTS if (first or 0) <= port <= (last or 0)}
            if "CidrIp" in rule:
                says = f"admits {rule['CidrIp']} to {cache.name}"
                yield Violation("network", group.name, says)
    if closed := sorted(PORTS - opened):
        says = f"no security group of it lets clients reach {', '.join(map(str, closed))}"
        yield Violation("network", cache.name, says)
