"""Every call of a function ends before the function's time does.

Without deadlines of its own the SDK waits for longer than Lambda; then a service that does not
answer shows as a timeout, and the function's code never learns of it.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from collections.abc import Iterator

from contract.stack import Resource, Stack
from contract.standards import told_of
from contract.violations import Violation, is_but

ATTEMPTS = "AWS_MAX_ATTEMPTS"

# What the code allows an attempt: 1 second to connect, 3 to be answered.
ATTEMPT_SECONDS = 4
# The longest pause before the second attempt.
PAUSE_SECONDS = 1


def deadline_violations(stack: Stack) -> Iterator[Violation]:
    """Say where calls of AWS may take longer than their function."""
    for function in stack.functions:
        called = told_of(stack, function)
        if called:
            yield from _deadline(stack, function, len(called))


def _deadline(stack: Stack, function: Resource, calls: int) -> Iterator[Violation]:
    attempts = stack.number(function.get("Environment", "Variables", ATTEMPTS))
    if attempts is None:
        must = "a number: the SDK's own default is not the same everywhere"
        yield is_but("deadline", function.name, ATTEMPTS, None, must)
        return
    longest = calls * (attempts * ATTEMPT_SECONDS + PAUSE_SECONDS)
    timeout = stack.number(function.get("Timeout"), 3) or 0
    if timeout < longest:
        must = f"at least {longest}: {calls} calls, {attempts} attempts each"
        yield is_but("deadline", function.name, "Timeout", timeout, must)
