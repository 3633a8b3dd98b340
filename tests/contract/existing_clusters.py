"""What must hold of a function that uses a database cluster of another stack."""

import re
from collections.abc import Iterator
from typing import Any

from contract.edges import CUSTOM_RESOURCES
from contract.networks import GROUP, RULE, groups_of
from contract.violations import Violation

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.policies import role_statements

SIGN_IN = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser"
"""Before the resource id of a cluster and the name of a user."""

RESOURCE_ID = "cluster-[A-Z0-9]+"


def existing_cluster_violations(
    stack: Stack, function: Resource, role: Resource
) -> Iterator[Violation]:
    """Say why a function cannot sign in to an existing cluster, or finds another schema there."""
    variables = function.get("Environment", "Variables")
    user, database, port = (stack.text(variables.get(f"PG{name}")) for name in _VARIABLES)
    clusters = [each for each in _may_sign_in(stack, role, user) if _is_resource_id(stack, each)]
    if not clusters:
        says = f"its role must be allowed rds-db:connect as {user} on the resource id of a cluster"
        yield Violation("role", function.name, f"{says} (fact O32)")
    if not function.get("VpcConfig", "SubnetIds"):
        yield Violation("vpc", function.name, "must be inside the VPC, where the cluster is")
    rules = list(_rules(stack, function, port))
    if not rules:
        says = f"no rule of a security group of elsewhere lets it in at port {port} (fact O33)"
        yield Violation("vpc", function.name, says)
    for schema in _schemas(stack, function):
        told = set(map(stack.text, schema.properties.values()))
        for what in (*clusters[:1], database):
            if what not in told:
                says = f"must be told of {what}: another database has no schema yet"
                yield Violation("schema", schema.name, says)
        if rules and not {rule.name for rule in rules} & stack.comes_after(schema):
            says = f"must come after {rules[0].name}, or {function.name} cannot connect (fact O33)"
            yield Violation("schema", schema.name, says)


_VARIABLES = ("USER", "DATABASE", "PORT")


def _may_sign_in(stack: Stack, role: Resource, user: str) -> Iterator[str]:
    """Yield what the role may sign in to as the user."""
    for statement in role_statements(stack, role):
        if statement.allow and "rds-db:connect" in statement.actions:
            for resource in statement.resources:
                place, _, named = resource.rpartition(":")
                cluster, _, whom = named.partition("/")
                if place == SIGN_IN and whom == user:
                    yield cluster


def _is_resource_id(stack: Stack, cluster: str) -> bool:
    """Tell whether it is a cluster's resource id, or a parameter that takes nothing else."""
    named = re.fullmatch(r"\$\{(\w+)\}", cluster)
    if named:
        declared: dict[str, Any] = stack.parameters.get(named[1]) or {}
        return declared.get("AllowedPattern") == f"none|{RESOURCE_ID}"
    return re.fullmatch(RESOURCE_ID, cluster) is not None


def _rules(stack: Stack, function: Resource, port: str) -> Iterator[Resource]:
    """Yield the rules by which a security group of elsewhere lets the function in."""
    for rule in stack.of_type(RULE):
        source = stack.named(rule.get("SourceSecurityGroupId"), GROUP)
        ports = {stack.text(rule.get(name)) for name in ("FromPort", "ToPort")}
        group = rule.get("GroupId")
        given = group is not None and stack.named(group, GROUP) is None
        if given and source and source.name in groups_of(stack, function) and ports == {port}:
            yield rule


def _schemas(stack: Stack, function: Resource) -> Iterator[Resource]:
    for resource in stack.resources.values():
        made = resource.type.startswith(CUSTOM_RESOURCES)
        if made and stack.means(resource.get("ServiceToken"), function):
            yield resource
