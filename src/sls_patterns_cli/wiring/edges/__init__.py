"""Every asynchronous edge of a stack: one module a mechanism."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack, once_a_stack
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


@once_a_stack
def edges(stack: Stack) -> Iterator[Edge]:
    """Return every asynchronous edge, with its end, in the order of the mechanisms."""
    yield from dict.fromkeys(edge for of in MECHANISMS for edge in of(stack))


@once_a_stack
def ends(stack: Stack) -> Iterator[Edge]:
    """Return the edges that have an end in the stack, also of what only others may send.

    A function with a dead-letter queue that nothing here invokes is there for somebody else.
    """
    found = edges(stack)
    waiting = invocations.by_others(stack, {edge.target for edge in found})
    yield from (each for each in (*found, *waiting) if each.end.kind == "resource")
