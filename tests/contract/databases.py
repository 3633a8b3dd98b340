"""What must hold of a database and of the functions that use it."""

import re
from collections.abc import Iterator
from typing import Any

from contract.edges import CUSTOM_RESOURCES, event_source, mappings_of
from contract.standards import STAGES, is_cache, routes
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.apis import api_of
from sls_patterns_cli.wiring.edges.invocations import configuration
from sls_patterns_cli.wiring.model import TABLE

CLUSTER = "AWS::RDS::DBCluster"
INSTANCE = "AWS::RDS::DBInstance"
ALIAS = "AWS::Lambda::Alias"

PROTECTION = {CLUSTER: "DeletionProtection", TABLE: "DeletionProtectionEnabled"}

# By the most capacity units; at less than one unit as the least, there are 2,000 at most.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
CONNECTIONS = {1: 189, 4: 823, 8: 1669, 16: 3360, 32: 5000}
LEAST_UNITS_FOR_MORE, MOST_WITHOUT = 1, 2000
LEAST_WITH_READER = 2

# A shard is read by one invocation at a time, or as many as ParallelizationFactor says. A table has
# a partition for each 1,000 write units, and by its quota up to 40,000 of them (fact K5).
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MOST_SHARDS_OF_A_TABLE = 40

UNBOUNDED = (
    "nothing bounds how often it runs at a time: MaximumConcurrency of its mappings, "
    "throttling of its API, or ReservedConcurrentExecutions"
)

DIGEST = re.compile("[0-9a-f]{40,}")

# For how many seconds a function tries to connect: a paused database takes about 15 to resume, over
# 30 after a day, and one that has just been made takes minutes.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
CONNECT = "PGCONNECT_TIMEOUT"
OPTIONS = "PGOPTIONS"
# The migrations of a schema limit their statements themselves.
LIMITS = re.compile(r"-c statement_timeout=(\d+)s -c lock_timeout=(\d+)s")
LEAST_FOR_A_CALLER = 20
LEAST_FOR_A_CONSUMER = 30
LEAST_FOR_THE_SCHEMA = 120
# What is left of the function's time for an answer, for other records of a batch, for migrations.
LEFT_FOR_A_CALLER = 3
LEFT_FOR_A_CONSUMER = 20
LEFT_FOR_THE_SCHEMA = 45


def database_violations(stack: Stack) -> Iterator[Violation]:
    """Say where the stack falls short of what its databases need."""
    for instance in stack.of_type(INSTANCE):
        yield from _version(stack, instance)
    for type_, name in PROTECTION.items():
        for resource in stack.of_type(type_):
            yield from _protection(stack, resource, name)
    for cluster in (*stack.of_type(CLUSTER), None):
        for function in users(stack, cluster):
            yield from _patience(stack, function)
        yield from _schema(stack, cluster)
        yield from _connections(stack, cluster)
        if cluster:
            yield from _capacity(stack, cluster)


def _protection(stack: Stack, resource: Resource, name: str) -> Iterator[Violation]:
    """What holds data is deleted by nobody, unless whoever deploys says otherwise."""
    if is_cache(resource):
        return
    value = resource.get(name)
    if isinstance(value, dict) and value.get("Ref") in stack.parameters:
        value = stack.parameters[value["Ref"]].get("Default")
    if value not in (True, "true"):
        yield is_but("protection", resource.name, name, value, "true")


def users(stack: Stack, cluster: Resource | None) -> list[Resource]:
    """Return the functions that are told of the cluster; without one, of what exists already."""
    hosts = {
        function.name: host
        for function in stack.functions
        if (host := function.get("Environment", "Variables", "PGHOST")) is not None
    }
    return [
        function
        for function in stack.functions
        if function.name in hosts and stack.named(hosts[function.name], CLUSTER) == cluster
    ]


def schemas(stack: Stack, function: Resource) -> list[Resource]:
    """Return the custom resources that the function makes."""
    return [
        resource
        for resource in stack.resources.values()
        if resource.type.startswith(CUSTOM_RESOURCES)
        and stack.means(resource.get("ServiceToken"), function)
    ]


def answers_calls(stack: Stack, function: Resource) -> bool:
    """Tell whether the function is behind an API, whose caller waits, or one that waits for it."""
    return any(
        stack.means(target, each)
        for each in (function, *callers_of(stack, function))
        for target, _, _ in routes(stack)
    )


def callers_of(stack: Stack, function: Resource) -> list[Resource]:
    """Return the functions that invoke it by its alias, and wait."""
    return [
        caller
        for caller in stack.functions
        for value in (caller.get("Environment", "Variables") or {}).values()
        if stack.named(value, ALIAS) and (stack.function(value) or (None,))[0] == function
    ]


def _schema(stack: Stack, cluster: Resource | None) -> Iterator[Violation]:
    """Code meets the schema that it was written for, in every cluster.

    CloudFormation calls the function of a custom resource when a property has changed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes-update.html
    """
    functions = users(stack, cluster)
    made = [schema for function in functions for schema in schemas(stack, function)]
    if functions and not made:
        says = "has no custom resource, by whose function a deployment brings its schema"
        yield Violation("schema", cluster.name if cluster else "existing cluster", says)
    for schema in made:
        told = set(map(stack.text, schema.properties.values()))
        if cluster and f"${{{cluster.name}.DBClusterResourceId}}" not in told:
            says = f"must be told of {cluster.name}.DBClusterResourceId: a new cluster is empty"
            yield Violation("schema", schema.name, says)
        if not any(_is_digest(stack, value) for value in schema.properties.values()):
            says = "must be told of a digest of the migrations: an edited file has its old name"
            yield Violation("schema", schema.name, says)
        for user in functions:
            if schemas(stack, user):
                continue
            for late in (user, *mappings_of(stack, user)):
                if schema.name not in stack.comes_after(late):
                    says = f"must depend on {schema.name}, or new code meets the old schema"
                    yield Violation("schema", late.name, says)


def _connections(stack: Stack, cluster: Resource | None) -> Iterator[Violation]:
    """A function takes a connection for each of its environments; a database has not more of them.

    Those that only read may have an instance of their own, with as many (fact M5).
    Reserved concurrency would bound them as well, but an account may have none to reserve.
    """
    most = {"ReadEndpoint": 0, "Endpoint": 0}
    for function in users(stack, cluster):
        host = stack.text(function.get("Environment", "Variables", "PGHOST"))
        endpoint = "ReadEndpoint" if ".ReadEndpoint." in host else "Endpoint"
        bound = _concurrency(stack, function)
        if bound is None:
            says = (
                "nothing bounds how often it runs at a time: MaximumConcurrency of its mappings, "
            )
            says += "throttling of its API, or ReservedConcurrentExecutions"
            yield Violation("bounded", function.name, says)
        most[endpoint] += bound or 0
    if cluster is None:  # how many connections it has, nobody can read here
        return
    if most["ReadEndpoint"] and len(_instances(stack, cluster)) < LEAST_WITH_READER:
        says = "has one instance, the writer: its ReadEndpoint is that of readers"
        yield Violation("reader", cluster.name, says)
    connections = _most_connections(stack, cluster)
    if max(most.values()) > connections:
        times = max(most.values())
        says = f"has {connections} connections, but its functions may run {times} times at a time"
        yield Violation("bounded", cluster.name, says)


def _capacity(stack: Stack, cluster: Resource) -> Iterator[Violation]:
    """RDS refuses a time until a pause without a pause, and a least capacity above the most."""
    capacity = cluster.get("ServerlessV2ScalingConfiguration") or {}
    least, most = (stack.number(capacity.get(f"{each}Capacity"), 0) or 0 for each in ("Min", "Max"))
    if "SecondsUntilAutoPause" in capacity and least:
        says = "has SecondsUntilAutoPause, which RDS refuses unless MinCapacity is 0"
        yield Violation("O1", cluster.name, says)
    if least > most:
        says = f"has a MinCapacity of {least}, more than its MaxCapacity of {most}"
        yield Violation("O1", cluster.name, says)


def _instances(stack: Stack, cluster: Resource) -> list[Resource]:
    return [
        instance
        for instance in stack.of_type(INSTANCE)
        if stack.named(instance.get("DBClusterIdentifier"), CLUSTER) == cluster
    ]


def _most_connections(stack: Stack, cluster: Resource) -> int:
    capacity = cluster.get("ServerlessV2ScalingConfiguration") or {}
    units = stack.number(capacity.get("MaxCapacity"), 0) or 0
    connections = max((most for least, most in CONNECTIONS.items() if least <= units), default=0)
    if (stack.number(capacity.get("MinCapacity"), 0) or 0) < LEAST_UNITS_FOR_MORE:
        connections = min(connections, MOST_WITHOUT)
    return connections


def _concurrency(stack: Stack, function: Resource) -> int | None:
    """Return how often a function runs at a time, at most; None where nothing bounds it."""
    reserved = stack.number(function.get("ReservedConcurrentExecutions"))
    if reserved is not None:
        return reserved
    bounds = [1 for _ in schemas(stack, function)]
    waited_for = [_consumers(stack, mapping) for mapping in mappings_of(stack, function)]
    waited_for += [_concurrency(stack, caller) for caller in callers_of(stack, function)]
    for limit in waited_for:
        if limit is None:
            return None
        bounds.append(limit)
    timeout = stack.number(function.get("Timeout"), 3) or 0
    apis = {api.name: api for target, _, api in routes(stack) if stack.means(target, function)}
    for api in apis.values():
        for stage in stack.of_type(*STAGES):
            if api_of(stack, stage) == api:
                rate, burst = _throttling(stack, stage)
                if rate is None or burst is None:
                    return None
                bounds.append(rate * timeout + burst)
    return sum(bounds) if bounds else None


def _consumers(stack: Stack, mapping: Resource) -> int | None:
    """Return how many invocations a mapping makes at a time, at most."""
    source = event_source(stack, mapping)
    if source and source.type == TABLE:
        factor = stack.number(mapping.get("ParallelizationFactor"), 1) or 1
        return MOST_SHARDS_OF_A_TABLE * factor
    return stack.number(mapping.get("ScalingConfig", "MaximumConcurrency"))


def _throttling(stack: Stack, stage: Resource) -> tuple[int | None, int | None]:
    """Return how many requests a second a stage lets through, and how many at once."""
    methods = stage.get("MethodSettings") or [{}]
    settings = stage.get("DefaultRouteSettings") or methods[0]
    return (
        stack.number(settings.get("ThrottlingRateLimit")),
        stack.number(settings.get("ThrottlingBurstLimit")),
    )


def _is_digest(stack: Stack, value: Any) -> bool:
    """Tell whether it is one that was computed, or that whoever deploys passes: not a name."""
    declared = stack.parameters.get(str(value.get("Ref"))) if isinstance(value, dict) else None
    passed = declared is not None and "AllowedPattern" not in declared
    return passed or bool(DIGEST.fullmatch(str(value)))


def _patience(stack: Stack, function: Resource) -> Iterator[Violation]:
    made = schemas(stack, function)
    if made:
        least, left = LEAST_FOR_THE_SCHEMA, LEFT_FOR_THE_SCHEMA
    elif answers_calls(stack, function):
        least, left = LEAST_FOR_A_CALLER, LEFT_FOR_A_CALLER
    else:
        least, left = LEAST_FOR_A_CONSUMER, LEFT_FOR_A_CONSUMER
    connect = stack.number(function.get("Environment", "Variables", CONNECT))
    if connect is None or connect < least:
        yield is_but("patience", function.name, CONNECT, connect, f"at least {least}")
    timeout = stack.number(function.get("Timeout"), 3) or 0
    if timeout < (connect or least) + left:
        must = f"at least {connect or least} ({CONNECT}) + {left}"
        yield is_but("patience", function.name, "Timeout", timeout, must)
    if not made:
        options = function.get("Environment", "Variables", OPTIONS)
        limits = LIMITS.fullmatch(str(options))
        if limits is None or not 0 < int(limits[2]) <= int(limits[1]) < timeout:
            must = f"a statement_timeout below the {timeout} of Timeout, and a lock_timeout"
            yield is_but("patience", function.name, OPTIONS, options, must)
    for resource in made:
        waits = stack.number(resource.get("ServiceTimeout"), 3600) or 0
        if waits <= timeout:
            must = f"more than the {timeout} of {function.name}"
            yield is_but("patience", resource.name, "ServiceTimeout", waits, must)
        config = configuration(stack, function, "$LATEST")
        retries = stack.number(config.get("MaximumRetryAttempts")) if config else None
        if retries != 0:
            # CloudFormation has its answer by then, or waits no longer.
            name = config.name if config else function.name
            yield is_but("patience", name, "MaximumRetryAttempts", retries, "0")


def _version(stack: Stack, instance: Resource) -> Iterator[Violation]:
    """A minor version that is both pinned and upgraded drifts: later deployments downgrade it.

    One instance without automatic upgrades keeps the whole cluster from them.
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_UpgradeDBInstance.Upgrading.html
    """
    cluster = stack.named(instance.get("DBClusterIdentifier"), CLUSTER)
    pinned = cluster is not None and "." in str(cluster.get("EngineVersion"))
    upgraded = instance.get("AutoMinorVersionUpgrade")
    if cluster and pinned and upgraded not in (False, "false"):
        must = f"false, since {cluster.name} pins version {cluster.get('EngineVersion')}"
        yield is_but("version", instance.name, "AutoMinorVersionUpgrade", upgraded, must)
