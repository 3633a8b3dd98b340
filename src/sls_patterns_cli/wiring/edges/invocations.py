"""Asynchronous invocations of functions, and the destinations of their results.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import re
from collections.abc import Iterator
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, Stack, listed, once_a_stack
from sls_patterns_cli.wiring.model import (
    FUNCTION,
    INVOKE_CONFIG,
    NOWHERE,
    OUTSIDE,
    UNKNOWN,
    Edge,
    End,
    end_at,
    function_at,
)
from sls_patterns_cli.wiring.policies import may, role_of

ASYNCHRONOUS_SERVICES = {
    "codecommit.amazonaws.com",
    "config.amazonaws.com",
    "events.amazonaws.com",
    "iot.amazonaws.com",
    "s3.amazonaws.com",
    "ses.amazonaws.com",
    "sns.amazonaws.com",
}
"""Services that invoke functions asynchronously: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html."""


def invocation(
    stack: Stack, source: str, arn: Any, declared_by: Resource, *, is_function: bool = False
) -> Iterator[Edge]:
    """Yield the asynchronous invocation of a function; nothing for what is no function.

    What is outside is one where `is_function` says so, or its ARN.
    """
    invoked = function_at(stack, arn)
    if invoked:
        function, qualifier = invoked
        end = end_of(stack, function, qualifier)
        yield Edge(source, function.name, "lambda-async", declared_by.name, end, qualifier)
    elif arn is not None and (is_function or ":lambda:" in stack.text(arn)):
        place = stack.place(arn)
        yield Edge(source, place.name, "lambda-async", declared_by.name, UNKNOWN)


def is_durable(function: Resource) -> bool:
    """Tell whether it runs durable executions, which no destination hears of (fact Y12).

    https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
    """
    return bool(function.get("DurableConfig"))


@once_a_stack
def permissions(stack: Stack) -> Iterator[tuple[Resource, Resource | None]]:
    """Return who may invoke functions, each with the function, if that is in the stack."""
    for permission in stack.of_type("AWS::Lambda::Permission"):
        owner = function_at(stack, permission.get("FunctionName"))
        yield permission, owner[0] if owner else None


def configurations(stack: Stack, function: Resource) -> Iterator[Resource]:
    """Yield what is configured for asynchronous invocations of a function, for each qualifier."""
    for config in stack.of_type(INVOKE_CONFIG):
        owner = function_at(stack, config.get("FunctionName"))
        if owner and owner[0] == function:
            yield config


def configuration(stack: Stack, function: Resource, qualifier: str) -> Resource | None:
    """Return what is configured for asynchronous invocations by just this qualifier."""
    return next(
        (
            config
            for config in configurations(stack, function)
            if _means(stack, config.get("Qualifier"), function, qualifier)
        ),
        None,
    )


def end_of(stack: Stack, function: Resource, qualifier: str) -> End:
    """Return where an asynchronous invocation ends that failed for good."""
    config = configuration(stack, function, qualifier)
    destination = config.get("DestinationConfig", "OnFailure", "Destination") if config else None
    if destination and not is_durable(function):
        return end_at(stack, destination)
    return end_at(stack, function.get("DeadLetterConfig", "TargetArn"))


def destinations(stack: Stack) -> Iterator[Edge]:
    """Yield what results are sent on to: an end that is a queue or topic is no edge."""
    for config in stack.of_type(INVOKE_CONFIG):
        owner = function_at(stack, config.get("FunctionName"))
        if owner is None:
            continue
        source = owner[0].name
        success = config.get("DestinationConfig", "OnSuccess", "Destination")
        failure = config.get("DestinationConfig", "OnFailure", "Destination")
        for destination in (success, failure):
            if destination and function_at(stack, destination):
                yield from invocation(stack, source, destination, config)
        if success and not function_at(stack, success):
            target = stack.place(success).name
            yield Edge(source, target, "lambda-async", config.name, NOWHERE, can_end=False)


def alarm_actions(stack: Stack) -> Iterator[Edge]:
    """Yield the functions that alarms invoke.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
    """
    for alarm in stack.of_type("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
            for action in listed(alarm.get(kind)):
                if function_at(stack, action):
                    yield from invocation(stack, alarm.name, action, alarm)


def by_functions(stack: Stack) -> Iterator[Edge]:
    """Yield what functions may invoke that has an end: nobody configures one for other callers."""
    callees = [
        resource
        for resource in stack.of_type(FUNCTION, "AWS::Lambda::Alias", "AWS::Lambda::Version")
        if (invoked := function_at(stack, {"Ref": resource.name}))
        and end_of(stack, *invoked).kind != "none"
    ]
    for caller in stack.functions if callees else ():
        role = role_of(stack, caller)
        for resource in callees:
            if may(stack, role, "lambda:InvokeFunction", resource):
                yield from invocation(stack, caller.name, {"Ref": resource.name}, caller)


def callers_outside(stack: Stack, invoked: set[str]) -> Iterator[tuple[str, str]]:
    """Yield functions that a service may invoke which is configured elsewhere, and the service."""
    for permission, owner in permissions(stack):
        service = stack.text(permission.get("Principal"))
        if owner and owner.name not in invoked and service in ASYNCHRONOUS_SERVICES:
            yield owner.name, service


def by_others(stack: Stack, targets: set[str]) -> Iterator[Edge]:
    """Yield the invocations that functions are ready for, and that nothing here makes."""
    called = {owner.name for _, owner in permissions(stack) if owner}
    for function in stack.functions:
        if function.name not in targets | called:
            yield from of_others(stack, OUTSIDE, function)


def of_others(stack: Stack, source: str, function: Resource) -> Iterator[Edge]:
    """Yield the asynchronous invocations that a function is ready for.

    They are of the alias that it is configured for, and otherwise of the function itself.
    """
    aliases = [
        alias
        for alias in stack.of_type("AWS::Lambda::Alias")
        if (invoked := function_at(stack, {"Ref": alias.name}))
        and invoked[0] == function
        and configuration(stack, *invoked)
    ]
    for alias in aliases:
        config = configuration(stack, function, stack.text(alias.get("Name")))
        yield from invocation(stack, source, {"Ref": alias.name}, config or function)
    unqualified = (
        config
        for config in configurations(stack, function)
        if config.get("Qualifier") in ("$LATEST", None)
    )
    config = next(unqualified, None)
    if not aliases and (config or function.get("DeadLetterConfig")):
        yield from invocation(stack, source, {"Ref": function.name}, config or function)


def _means(stack: Stack, given: Any, function: Resource, qualifier: str) -> bool:
    """Tell whether a qualifier is this one; it may be given by a reference to the alias."""
    if stack.text(given) == qualifier:
        return True
    # As CDK has it: the last part of the alias's ARN.
    of_arn = re.fullmatch(r"\$\{(\w+)\} split at :, part 7", stack.text(given))
    if of_arn:
        given = {"Ref": of_arn[1]}
    alias = function_at(stack, given) if isinstance(given, dict) else None
    return alias is not None and alias == (function, qualifier)
