"""Every call of a function ends before the function's time does.

Without deadlines of its own the SDK waits for longer than Lambda; then a service that does not
answer shows as a timeout, and the function's code never learns of it.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from collections.abc import Iterator

from contract.edges import mappings_of
from contract.ends import DEFAULT_VISIBILITY, polled
from contract.standards import told_of
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.edges.invocations import is_durable
from sls_patterns_cli.wiring.policies import may, role_of

ATTEMPTS = "AWS_MAX_ATTEMPTS"
ALIAS = "AWS::Lambda::Alias"
INVOKES = "AWS::Lambda::EventInvokeConfig"
LAMBDA_ARN = "arn:aws[a-z-]*:lambda:"

# What the code allows an attempt: 1 second to connect, 3 to be answered.
ATTEMPT_SECONDS = 4
# The longest pause before the second attempt, if the service throttles; it doubles up to a limit
# (fact H8). A service that sends x-amz-retry-after may ask for five seconds more, which no timeout
# of a function reserves.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1, 20
# A call with its second attempt.
CALL_SECONDS = 2 * ATTEMPT_SECONDS + PAUSE_SECONDS
# A batch stops when the calls of one more record may not end in time. With less than this to spare,
# a slow first record would send the others back.
BATCH_SECONDS = 5


def deadline_violations(stack: Stack) -> Iterator[Violation]:
    """Say where calls of AWS may take longer than their function."""
    for function in stack.functions:
        called = told_of(stack, function)
        if called:
            # Tokens of several systems are read at the same time, each in one attempt.
            secrets = {
                each.name for each in stack.of_type("AWS::SecretsManager::Secret")
            }.intersection(called)
            yield from _deadline(stack, function, len(called) - max(0, len(secrets) - 1))
        yield from _patience(stack, function)
        yield from _of_others(stack, function)
    for queue, function in polled(stack):
        yield from _is_hidden_for_its_calls(stack, queue, function)


def _deadline(stack: Stack, function: Resource, calls: int) -> Iterator[Violation]:
    attempts = stack.number(function.get("Environment", "Variables", ATTEMPTS))
    if attempts is None:
        must = "a number: the SDK's own default is not the same everywhere"
        yield is_but("deadline", function.name, ATTEMPTS, None, must)
        return
    longest = calls * (attempts * ATTEMPT_SECONDS + _pauses(attempts))
    timeout = stack.number(function.get("Timeout"), 3) or 0
    if timeout < longest:
        must = f"at least {longest}: {calls} calls, {attempts} attempts each"
        yield is_but("deadline", function.name, "Timeout", timeout, must)
    elif timeout < longest + BATCH_SECONDS and _in_batches(stack, function):
        must = f"at least {longest} + {BATCH_SECONDS}: the calls of a record, and of others before"
        yield is_but("deadline", function.name, "Timeout", timeout, must)


def _in_batches(stack: Stack, function: Resource) -> bool:
    """Whether a mapping gives the function several records at a time; SQS's default is ten."""
    return any(
        stack.number(mapping.get("BatchSize")) != 1 for mapping in mappings_of(stack, function)
    )


def _pauses(attempts: int) -> int:
    """Return the seconds for which the SDK may wait between this many attempts."""
    return sum(min(PAUSE_SECONDS * 2**n, LONGEST_PAUSE_SECONDS) for n in range(attempts - 1))


def _patience(stack: Stack, caller: Resource) -> Iterator[Violation]:
    """A function outlasts each function of this stack that it waits for (fact H1).

    It knows such a function by an alias of which no asynchronous events are kept. A durable
    function is started, and not waited for (fact O73).
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-sync.html
    """
    own = stack.number(caller.get("Timeout"), 3) or 0
    for value in (caller.get("Environment", "Variables") or {}).values():
        alias = stack.named(value, ALIAS)
        invoked = stack.function(value)
        if alias is None or invoked is None or _kept(stack, *invoked):
            continue
        callee, _ = invoked
        if is_durable(callee):
            continue
        its = stack.number(callee.get("Timeout"), 3) or 0
        if own <= its:
            must = f"more than the {its} of {callee.name}, which it waits for"
            yield is_but("deadline", caller.name, "Timeout", own, must)
        if not may(stack, role_of(stack, caller), "lambda:InvokeFunction", alias):
            says = f"its role must be allowed lambda:InvokeFunction on {alias.name}"
            yield Violation("deadline", caller.name, says)


def _kept(stack: Stack, function: Resource, qualifier: str) -> bool:
    return any(
        stack.means(config.get("FunctionName"), function)
        and stack.text(config.get("Qualifier")) == qualifier
        for config in stack.of_type(INVOKES)
    )


def _of_others(stack: Stack, caller: Resource) -> Iterator[Violation]:
    """A function of another service is known by a parameter; without permission, it is no use."""
    for value in (caller.get("Environment", "Variables") or {}).values():
        arn = stack.text(value)
        pattern = stack.parameters.get(arn.strip("${}"), {}).get("AllowedPattern", "")
        if not pattern.startswith(LAMBDA_ARN):
            continue
        if not may(stack, role_of(stack, caller), "lambda:InvokeFunction", arn):
            says = f"its role must be allowed lambda:InvokeFunction on {arn}"
            yield Violation("deadline", caller.name, says)


def _is_hidden_for_its_calls(
    stack: Stack, queue: Resource, function: Resource
) -> Iterator[Violation]:
    """A message that a function receives itself is hidden for twice its calls, at most for a run.

    One that failed holds up its group for as long. Six times the timeout is for mappings, which
    try a throttled batch again (fact B38).
    """
    calls = len([*told_of(stack, function), "the delete"])
    least = 2 * calls * CALL_SECONDS
    most = stack.number(function.get("Timeout"), 3) or 0
    visibility = stack.number(queue.get("VisibilityTimeout"), DEFAULT_VISIBILITY) or 0
    if not least <= visibility <= most:
        must = f"from {least} (2 x {calls} calls) to {most} (Timeout of {function.name})"
        yield is_but("E1", queue.name, "VisibilityTimeout", visibility, must)
