"""Durable functions: an execution outlasts its invocations, and its version may not.

https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
"""

from collections.abc import Iterator

from contract.aliases import VERSION
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import is_durable
from sls_patterns_cli.wiring.policies import role_statements

FUNCTION = "AWS::Lambda::Function"

MOST_SECONDS = 31_622_400
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-durableconfig.html"""


def durable_violations(stack: Stack) -> Iterator[Violation]:
    """Say which durable function loses executions, or their failures."""
    for function in stack.of_type(FUNCTION):
        if is_durable(function):
            yield from _keeps_failures(stack, function)
            yield from _keeps_versions(stack, function)
            yield from _is_bounded(stack, function)
            yield from _is_invoked_by_a_qualifier(stack, function)


def _keeps_failures(stack: Stack, function: Resource) -> Iterator[Violation]:
    """Y12: no destination hears of an execution that failed."""
    if stack.named(function.get("DeadLetterConfig", "TargetArn")) is None:
        says = "DeadLetterConfig must name a queue: no destination hears of its executions"
        yield Violation("durable", function.name, says)


def _keeps_versions(stack: Stack, function: Resource) -> Iterator[Violation]:
    """O72: an execution ends with the version that began it."""
    for version in stack.of_type(VERSION):
        published = stack.function(version.get("FunctionName"))
        if published and published[0] is function and version.deletion_policy != "Retain":
            must = "Retain: executions that are under way need it"
            value = version.deletion_policy
            yield is_but("durable", version.name, "DeletionPolicy", value, must)


def _is_bounded(stack: Stack, function: Resource) -> Iterator[Violation]:
    """O70: executions are limited, and their names are known for a while."""
    for name, most in (("ExecutionTimeout", MOST_SECONDS), ("RetentionPeriodInDays", 90)):
        value = stack.number(function.get("DurableConfig", name))
        if value is None or not 1 <= value <= most:
            yield is_but("durable", function.name, name, value, f"from 1 to {most}")


def _is_invoked_by_a_qualifier(stack: Stack, function: Resource) -> Iterator[Violation]:
    """O73: Lambda refuses to invoke a durable function without one."""
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in role_statements(stack, role):
            invokes = statement.allow and statement.names_action("lambda:InvokeFunction")
            if invokes and f"${{{function.name}.Arn}}" in statement.resources:
                says = f"may invoke {function.name} without a qualifier, which Lambda refuses"
                yield Violation("durable", role.name, says)
