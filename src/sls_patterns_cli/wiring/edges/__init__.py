"""Every asynchronous edge of a stack: one module a mechanism."""

from collections.abc import Iterator
from dataclasses import replace

from sls_patterns_cli.cloudformation.stack import Resource, Stack, once_a_stack
from sls_patterns_cli.wiring.edges import (
    apis,
    buckets,
    buses,
    deliveries,
    executions,
    invocations,
    logs,
    mail,
    mappings,
    pipes,
    rules,
    schedules,
    things,
    topics,
)
from sls_patterns_cli.wiring.model import Edge

MECHANISMS = (
    mappings.edges,
    topics.edges,
    rules.edges,
    buses.edges,
    schedules.edges,
    buckets.edges,
    logs.edges,
    things.edges,
    mail.edges,
    pipes.edges,
    apis.edges,
    executions.edges,
    deliveries.edges,
    invocations.destinations,
    invocations.alarm_actions,
    invocations.by_functions,
)


SWITCHES = (
    (("Enabled",), (False, "false")),  # an event source mapping
    (("State",), ("DISABLED", "STOPPED")),  # a rule, schedule or subscriber
    (("DesiredState",), ("STOPPED",)),  # a pipe
    (("TopicRulePayload", "RuleDisabled"), (True, "true")),
)


@once_a_stack
def edges(stack: Stack) -> Iterator[Edge]:
    """Return every asynchronous edge, with its end, in the order of the mechanisms.

    A function with a failure destination or dead-letter queue that nothing here invokes is there
    for somebody outside.
    """
    found = list(dict.fromkeys(edge for of in MECHANISMS for edge in of(stack)))
    waiting = invocations.by_others(stack, {edge.target for edge in found})
    for edge in (*found, *(each for each in waiting if each.end.kind != "none")):
        is_off = _is_off(stack.resources[edge.declared_by])
        yield replace(edge, is_enabled=False) if is_off else edge


def _is_off(declared: Resource) -> bool:
    """Tell whether what makes an edge is there, but switched off."""
    return any(declared.get(*path) in values for path, values in SWITCHES)


@once_a_stack
def ends(stack: Stack) -> Iterator[Edge]:
    """Return the edges that have an end in the stack, also of what only others send or start.

    A queue that nothing here polls is received from by code. Whoever waits for an express machine
    has its answer, but what that keeps has an end.
    """
    found = edges(stack)
    received = mappings.by_code(stack, {edge.source for edge in found})
    started = {edge.target for edge in found if edge.mechanism == "step-functions"}
    executed = executions.by_others(stack, started)
    kept = executions.kept_by_express(stack)
    every = (*found, *received, *executed, *kept)
    yield from (each for each in every if each.end.kind == "resource")
