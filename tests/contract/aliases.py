"""What callers invoke by an alias: the version that was deployed last, and nobody else may.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, references
from sls_patterns_cli.wiring.edges.invocations import is_durable

ALIAS = "AWS::Lambda::Alias"
VERSION = "AWS::Lambda::Version"
PERMISSION = "AWS::Lambda::Permission"

OF_NO_VERSION = {"ReservedConcurrentExecutions", "Tags"}
"""Properties that a function has for all of its versions: when they change, Lambda publishes none.
https://github.com/aws/aws-cdk/issues/11537, https://github.com/aws/aws-cdk/issues/16913"""


def alias_violations(stack: Stack) -> Iterator[Violation]:
    """Say which alias does not follow deployments, and who may call past it."""
    for alias in stack.of_type(ALIAS):
        yield from _leads_to_a_version(stack, alias)
    for version in stack.of_type(VERSION):
        if version.deletion_policy == "Retain" and not _is_durable(stack, version):
            must = "Delete: $LATEST that is the same as a kept version cannot be published again"
            yield is_but("alias", version.name, "DeletionPolicy", "Retain", must)
        yield from _follows_parameters(stack, version)
    for permission in stack.of_type(PERMISSION):
        yield from _permits(stack, permission)


def invocable(stack: Stack, function: Resource) -> Iterator[Resource]:
    """Return the function and its aliases: a permission for the one is none for the others."""
    yield function
    for alias in stack.of_type(ALIAS):
        if stack.means({"Ref": alias.name}, function):
            yield alias


def _leads_to_a_version(stack: Stack, alias: Resource) -> Iterator[Violation]:
    """A number would stay what it is, and $LATEST is whatever anybody has changed meanwhile."""
    invoked = stack.function(alias.get("FunctionName"))
    led_to = alias.get("FunctionVersion")
    version = stack.named(led_to, VERSION)
    published = version and stack.function(version.get("FunctionName"))
    if published is None or published != invoked:
        must = "that of a version that this stack publishes of the function"
        yield is_but("alias", alias.name, "FunctionVersion", stack.text(led_to), must)


def _follows_parameters(stack: Stack, version: Resource) -> Iterator[Violation]:
    """CloudFormation publishes a version if a property of the version changes, not the function.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
    """
    published = stack.function(version.get("FunctionName"))
    if published is None:
        return
    configuration = {
        name: value for name, value in published[0].properties.items() if name not in OF_NO_VERSION
    }
    told = set(references(version.get("Description")))
    for parameter in sorted({*references(configuration)} & stack.parameters.keys() - told):
        says = f"Description must have {parameter}, or its next value is in no version"
        yield Violation("alias", version.name, says)
    for parameter in sorted(told - {*references(configuration)}):
        says = f"Description must not have {parameter}: Lambda publishes no function as it was"
        yield Violation("alias", version.name, says)


def _is_durable(stack: Stack, version: Resource) -> bool:
    published = stack.function(version.get("FunctionName"))
    return published is not None and is_durable(published[0])


def _permits(stack: Stack, permission: Resource) -> Iterator[Violation]:
    """Each qualifier has a policy of its own; what callers do not invoke needs no permission.

    https://docs.aws.amazon.com/lambda/latest/dg/versioning-aliases-permissions.html
    """
    principal = stack.text(permission.get("Principal"))
    permitted = stack.function(permission.get("FunctionName"))
    if principal == "*" and permission.get("PrincipalOrgID") is None:
        yield is_but("permission", permission.name, "Principal", "*", "a service, role or account")
    if principal.endswith(".amazonaws.com") or permitted is None:
        return
    function, qualifier = permitted
    aliases = {
        stack.text(alias.get("Name"))
        for alias in stack.of_type(ALIAS)
        if stack.means({"Ref": alias.name}, function)
    }
    if aliases and qualifier not in aliases:
        says = f"permits to invoke {function.name} past its alias, and does not hold for the alias"
        yield Violation("permission", permission.name, says)
