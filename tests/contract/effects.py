"""What a function did outside AWS is known for as long as its message may come back.

A consumer that calls an HTTP system records what it did there. Once that record has expired, a
message that comes back, from a redrive at the latest, makes the function do it again (fact O100).
"""

from collections.abc import Iterator

from contract.edges import Edge, edges
from contract.ends import DEFAULT_RETENTION
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.model import QUEUE, TABLE

SECONDS_OF_A_DAY = 86400
# How the patterns of parameters begin that are addresses of HTTP systems.
ADDRESSES = ("https?://", "https://")
NAME, DAYS = "_TABLE_NAME", "_DAYS"


def effect_violations(stack: Stack) -> Iterator[Violation]:
    """Say which records of such a consumer expire before its last message can come."""
    for edge in edges(stack):
        function = stack.resources.get(edge.target)
        if function in stack.functions and edge.end and _calls_outside(stack, function):
            yield from _outlived(stack, edge, function)


def _calls_outside(stack: Stack, function: Resource) -> bool:
    """Whether the function knows the address of an HTTP system, which is a parameter."""
    values = (function.get("Environment", "Variables") or {}).values()
    names = (stack.text(value).strip("${}") for value in values)
    return any(
        stack.parameters.get(name, {}).get("AllowedPattern", "").startswith(ADDRESSES)
        for name in names
    )


def _outlived(stack: Stack, edge: Edge, function: Resource) -> Iterator[Violation]:
    variables = function.get("Environment", "Variables") or {}
    seconds = _longest(stack, edge)
    for variable in variables:
        table = stack.named(variables.get(variable.removesuffix(DAYS) + NAME, ""), TABLE)
        if not variable.endswith(DAYS) or table is None:
            continue
        days = stack.number(variables[variable], 0) or 0
        if days * SECONDS_OF_A_DAY <= seconds:
            must = (
                f"more than {seconds / SECONDS_OF_A_DAY:g}: so old is a message of {edge.source} "
                f"that a redrive brings back, and {table.name} would have forgotten what it did"
            )
            yield is_but("effect", function.name, variable, days, f"{must} (fact O100)")


def _longest(stack: Stack, edge: Edge) -> int:
    """Return the age of the last message of a redrive: in the source, in its end, and again."""
    source, end = stack.resources.get(edge.source), stack.resources[edge.end or ""]
    kept = stack.number(end.get("MessageRetentionPeriod"), DEFAULT_RETENTION) or 0
    if source is None or source.type != QUEUE:
        return kept
    return kept + 2 * (stack.number(source.get("MessageRetentionPeriod"), DEFAULT_RETENTION) or 0)
