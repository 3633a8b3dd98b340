"""What must hold of a database and of the functions that use it."""

import re
from collections.abc import Iterator
from typing import Any

from contract.edges import CUSTOM_RESOURCES, MAPPING, invoke_config
from contract.stack import Resource, Stack
from contract.standards import routes
from contract.violations import Violation, is_but

CLUSTER = "AWS::RDS::DBCluster"
INSTANCE = "AWS::RDS::DBInstance"

DIGEST = re.compile("[0-9a-f]{40,}")

# For how many seconds a function tries to connect: a paused database takes about 15 to resume, over
# 30 after a day, and one that has just been made takes minutes.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
CONNECT = "PGCONNECT_TIMEOUT"
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
    for cluster in stack.of_type(CLUSTER):
        for function in users(stack, cluster):
            yield from _patience(stack, function)
        yield from _schema(stack, cluster)


def users(stack: Stack, cluster: Resource) -> list[Resource]:
    """Return the functions that are told of the cluster."""
    return [
        function
        for function in stack.functions
        if stack.named(function.get("Environment", "Variables", "PGHOST"), CLUSTER) == cluster
    ]


def schemas(stack: Stack, function: Resource) -> list[Resource]:
    """Return the custom resources that the function makes."""
    return [
        resource
        for resource in stack.resources.values()
        if resource.type.startswith(CUSTOM_RESOURCES)
        and (stack.function(resource.get("ServiceToken")) or [None])[0] == function
    ]


def answers_calls(stack: Stack, function: Resource) -> bool:
    """Tell whether the function is behind an API, whose caller waits."""
    return any((stack.function(target) or [None])[0] == function for target, _, _ in routes(stack))


def _schema(stack: Stack, cluster: Resource) -> Iterator[Violation]:
    """Code meets the schema that it was written for, in every cluster.

    CloudFormation calls the function of a custom resource when a property has changed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes-update.html
    """
    functions = users(stack, cluster)
    made = [schema for function in functions for schema in schemas(stack, function)]
    if functions and not made:
        says = "has no custom resource, by whose function a deployment brings its schema"
        yield Violation("schema", cluster.name, says)
    for schema in made:
        told = set(map(stack.text, schema.properties.values()))
        if f"${{{cluster.name}.DBClusterResourceId}}" not in told:
            says = f"must be told of {cluster.name}.DBClusterResourceId: a new cluster is empty"
            yield Violation("schema", schema.name, says)
        if not any(_is_digest(stack, value) for value in schema.properties.values()):
            says = "must be told of a digest of the migrations: an edited file has its old name"
            yield Violation("schema", schema.name, says)
        for user in functions:
            if schemas(stack, user):
                continue
            mappings = [
                mapping
                for mapping in stack.of_type(MAPPING)
                if (stack.function(mapping.get("FunctionName")) or [None])[0] == user
            ]
            for late in (user, *mappings):
                if schema.name not in stack.comes_after(late):
                    says = f"must depend on {schema.name}, or new code meets the old schema"
                    yield Violation("schema", late.name, says)


def _is_digest(stack: Stack, value: Any) -> bool:
    """Tell whether it is one that was computed, or that whoever deploys passes."""
    passed = isinstance(value, dict) and value.get("Ref") in stack.parameters
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
    for resource in made:
        waits = stack.number(resource.get("ServiceTimeout"), 3600) or 0
        if waits <= timeout:
            must = f"more than the {timeout} of {function.name}"
            yield is_but("patience", resource.name, "ServiceTimeout", waits, must)
        config = invoke_config(stack, function.name, "$LATEST")
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
