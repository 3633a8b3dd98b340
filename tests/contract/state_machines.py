"""E7: what a state machine does about its failures, read from its definition (ASL)."""

from collections.abc import Iterator
from typing import Any

from contract.alarms import EXPRESS, KEEPING, UNDONE, keeps, watched
from contract.aliases import invocable
from contract.ends import dead_letter_queue, rule_to_end
from contract.maps import distributed_maps, invoked, kept_items, qualified, tolerates
from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack, dictionaries
from sls_patterns_cli.wiring.edges.apis import api_of, integrations
from sls_patterns_cli.wiring.edges.executions import (
    SENDS,
    definition,
    is_failure_rule,
    kept_by_express,
)
from sls_patterns_cli.wiring.model import BUCKET, MACHINE, QUEUE, RULE, TABLE
from sls_patterns_cli.wiring.policies import may, role_of, trusts

# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
# How executions fail, and with which error; one that times out or is aborted may have none.
FAILED = {"FAILED": "SomeError", "TIMED_OUT": None, "ABORTED": None}
NOT_FAILED = ("RUNNING", "SUCCEEDED")
# What the input of an execution has: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
# A task adds its other parameters to the batch that it passes on.
INPUT_BYTES, FOR_PARAMETERS = 262_144, 10_000
# Where the header of CSV is, and whether the machine has it.
HEADERS = {("FIRST_ROW", False), ("GIVEN", True)}
# What the role of a machine that logs needs: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
DELIVERING = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
# How the results of a distributed map are written, in parts where there are many.
# https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html#resultwriter-iam-policies
WRITING = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
)
INTEGRATION = "arn:${AWS::Partition}:states:::"
INVOKES = f"{INTEGRATION}lambda:invoke"
READS, WRITES = f"{INTEGRATION}s3:getObject", f"{INTEGRATION}s3:putObject"
DYNAMODB = f"{INTEGRATION}dynamodb:"
# It changes nothing.
READING = f"{DYNAMODB}getItem"
INVOKING = "lambda:InvokeFunction"
WAITS = ":states:action/StartSyncExecution"
JSON = "application/json"
# API Gateway waits no longer: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LONGEST_ANSWER = 29
EXPRESS_SECONDS = 300
# Step Functions keeps the name of an execution for so long after its end: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME_DAYS = 90
THROTTLED = "Lambda.TooManyRequestsException"
# AWS advises 6 attempts that begin after 2 seconds and wait twice as long each time: 126 seconds.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
THROTTLED_FOR = 120
STATUS_CHANGE = "Step Functions Execution Status Change"


def state_machine_violations(stack: Stack) -> Iterator[Violation]:
    """Say what the state machines lack, whoever starts them."""
    for machine in stack.of_type(MACHINE):
        express = machine.get("StateMachineType") == "EXPRESS"
        rule = "E7x" if express else "E7"
        yield from _definition(stack, machine, rule)
        yield from _started_by_apis(stack, machine, rule)
        yield from _answered_by_apis(stack, machine)
        if express:
            yield from _logs_errors(stack, machine)
            yield from _keeps_half_done(stack, machine)
        else:
            yield from _failure_queue(stack, machine)
        yield from _distributed_maps(stack, machine, rule)
        if express:
            of_machine = KEEPING if keeps(stack, machine) else EXPRESS
            for metric in of_machine:
                yield from watched(stack, machine, metric)
        if not express and _final_errors(definition(stack, machine)):
            for as_share in (False, True):
                yield from watched(stack, machine, UNDONE, as_share=as_share)


def _definition(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and
    https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html (timeouts)."""
    parsed = definition(stack, machine)
    if not parsed:
        yield Violation(rule, machine.name, "its definition must be in the template")
        return
    if not isinstance(parsed.get("TimeoutSeconds"), int):
        yield is_but(rule, machine.name, "TimeoutSeconds", parsed.get("TimeoutSeconds"), "a number")
    maps = distributed_maps(parsed)
    mapped = {name for state in maps for name, _, _ in _tasks(state["ItemProcessor"])}
    kept = {
        name
        for state in maps
        for name, _, _ in _tasks(state["ItemProcessor"])
        if not tolerates(state)
    }
    for name, state, forward in _tasks(parsed):
        yield from _task(stack, machine, f"{machine.name}.{name}", state, rule)
        # A machine with a distributed map has nothing to undo: a redrive goes on with what failed.
        # Of an express machine nothing can be redriven (fact R17).
        changes_something = rule == "E7x" and state.get("Resource") != READING
        if _sends(state):
            continue
        if (forward or changes_something) and (name in kept or not mapped):
            yield from _caught(machine, name, state, rule)
    yield from _turned(parsed, machine, rule)
    yield from _throttled(stack, machine, rule)
    if not mapped:
        yield from _compensated(stack, machine, rule)
    for name, state in parsed.get("States", {}).items():
        inner = (end for branch in state.get("Branches", []) for end in branch["States"].values())
        if any(end["Type"] == "Fail" for end in inner):
            yield from _caught(machine, name, state, rule)


def _keeps_half_done(stack: Stack, machine: Resource) -> Iterator[Violation]:
    """Ask whether an express machine that undoes its work keeps what it could not undo (fact C26).

    The state that keeps it ends the execution, and is tried until that times out, which pages.
    """
    parsed = definition(stack, machine)
    if not any(invoked(stack, state) for _, state, forward in _tasks(parsed) if not forward):
        return
    ends = [edge.end.name for edge in kept_by_express(stack) if edge.target == machine.name]
    if not ends:
        says = "must send what it leaves half done, by name and input, to a queue (fact C26)"
        yield Violation("E7x", machine.name, says)
        return
    for end in ends:
        yield from dead_letter_queue(stack, end)
        if not may(stack, role_of(stack, machine), "sqs:SendMessage", stack.resources[end]):
            yield Violation(
                "E7x", machine.name, f"its role must be allowed sqs:SendMessage on {end}"
            )
    states = parsed["States"]
    keeping = {name for name, state in states.items() if _sends(state)}
    total = parsed.get("TimeoutSeconds", 0)
    for name in sorted(keeping):
        state, place = states[name], f"{machine.name}.{name}"
        if not state.get("End") or state.get("Catch"):
            says = "must end the execution: one that fails as well is told of twice (fact C26)"
            yield Violation("E7x", place, says)
        if sum(map(sum, map(_waits, state.get("Retry") or []))) < total:
            must = f"at least the {total} of {machine.name} (fact C26)"
            yield is_but("E7x", place, "how long it is tried", "less", must)
    for name, state, forward in _tasks(parsed):
        turns = {catch["Next"] for catch in state.get("Catch") or []}
        if not forward and turns and name not in keeping and not keeping & _after(states, turns):
            yield Violation(
                "E7x", f"{machine.name}.{name}", "what fails there is not kept (fact C26)"
            )


def _sends(state: dict[str, Any]) -> bool:
    return str(state.get("Resource")).endswith(SENDS)


def _ends_badly(states: dict[str, Any], name: str) -> bool:
    """Tell whether a state fails or keeps the execution, or only chooses between these."""
    state = states.get(name, {})
    if state.get("Type") != "Choice":
        return state.get("Type") == "Fail" or _sends(state)
    then = (state.get("Default"), *(each.get("Next") for each in state.get("Choices", [])))
    return all(
        states.get(each, {}).get("Type") != "Choice" and _ends_badly(states, each)
        for each in then
        if each
    )


def _after(states: dict[str, Any], turns: set[str]) -> set[str]:
    """Return the states that may follow."""
    found: set[str] = set()
    coming = list(turns)
    while coming:
        name = coming.pop()
        if name in states and name not in found:
            found.add(name)
            state = states[name]
            chosen = (each.get("Next") for each in state.get("Choices", []))
            coming += [state.get("Next"), state.get("Default"), *chosen]
    return found


def _caught(machine: Resource, name: str, state: dict[str, Any], rule: str) -> Iterator[Violation]:
    caught = [error for catch in state.get("Catch") or [] for error in catch.get("ErrorEquals", [])]
    if "States.ALL" not in caught:
        yield is_but(rule, f"{machine.name}.{name}", "Catch", caught or None, "States.ALL")


def _turned(parsed: dict[str, Any], machine: Resource, rule: str) -> Iterator[Violation]:
    """Ask whether a machine goes another way where a task has failed (fact R17).

    Before an end there is none: a Fail state, or one that keeps the execution.
    """
    for scope in dictionaries(parsed):
        states = scope.get("States", {})
        forward = _forward(states, scope.get("StartAt"))
        for name, state in states.items():
            for turn in (catch.get("Next") for catch in state.get("Catch") or []):
                if turn in {*forward, state.get("Next")} and not _ends_badly(states, turn):
                    says = f"Catch leads to {turn}, as if nothing had failed (fact R17)"
                    yield Violation(rule, f"{machine.name}.{name}", says)


def _distributed_maps(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """The parts of a map are executions of the machine itself, and may be redriven (fact B16).

    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
    """
    role = role_of(stack, machine)
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    part = f"{place}:execution:${{{machine.name}.Name}}/part:1"
    for state in distributed_maps(definition(stack, machine)):
        if not may(stack, role, "states:StartExecution", machine):
            says = f"its role must be allowed states:StartExecution on {machine.name}"
            yield Violation(rule, machine.name, says)
        for action in ("DescribeExecution", "StopExecution", "RedriveExecution"):
            if not may(stack, role, f"states:{action}", part):
                says = f"its role must be allowed states:{action} on its parts"
                yield Violation(rule, machine.name, says)
        writer = state.get("ResultWriter") or {}
        given = writer.get("Parameters") or writer.get("Arguments") or {}
        bucket = (
            stack.named(given.get("Bucket"), BUCKET) if writer.get("Resource") == WRITES else None
        )
        for action in WRITING if bucket else ():
            if bucket and not may(stack, role, action, f"${{{bucket.name}.Arn}}/results/1"):
                says = f"its role must be allowed {action} on objects of {bucket.name}"
                yield Violation(rule, machine.name, says)
        if not bucket:
            # The state's output would be that of all items, and fail beyond 256 KiB.
            # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
            yield Violation(rule, machine.name, "a map must write its results to a bucket")
        yield from _reader(stack, machine, state, rule)
        if state["ItemProcessor"]["ProcessorConfig"].get("ExecutionType") == "EXPRESS":
            yield from _in_time(machine, state["ItemProcessor"], rule)
        if tolerates(state):
            yield from _tolerated_items(stack, machine, state)
        else:
            yield from _failed_items(stack, machine, state["ItemProcessor"])


def _reader(
    stack: Stack, machine: Resource, state: dict[str, Any], rule: str
) -> Iterator[Violation]:
    """The machine reads the items in the name of its own role (fact R1).

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    """
    reader = state.get("ItemReader") or {}
    given = reader.get("Parameters") or reader.get("Arguments") or {}
    bucket = stack.named(given.get("Bucket"), BUCKET)
    if reader and not bucket:
        yield Violation(rule, machine.name, "its ItemReader must read a bucket of this stack")
    if bucket and reader.get("Resource") != READS:
        yield is_but(
            rule, machine.name, "Resource of its ItemReader", reader.get("Resource"), READS
        )
    if bucket and not may(
        stack, role_of(stack, machine), "s3:GetObject", f"${{{bucket.name}.Arn}}/items"
    ):
        says = f"its role must be allowed s3:GetObject on objects of {bucket.name}"
        yield Violation(rule, machine.name, says)


def _in_time(machine: Resource, processor: dict[str, Any], rule: str) -> Iterator[Violation]:
    """Ask whether an express execution tries and keeps an item within its 5 minutes (fact R3).

    https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
    """
    seconds = sum(_longest(state) for state in processor.get("States", {}).values())
    if seconds > EXPRESS_SECONDS:
        must = f"no more than {EXPRESS_SECONDS} seconds"
        yield is_but(rule, machine.name, "what an item takes with all retries", seconds, must)


def _longest(state: dict[str, Any]) -> float:
    """Return the seconds that a task takes with all retries, each of which times out.

    Lambda refuses what it throttles at once, here within a second.
    """
    seconds = float(state.get("TimeoutSeconds", 0))
    longest = seconds
    for retry in state.get("Retry") or []:
        attempt = 1 if retry.get("ErrorEquals") == [THROTTLED] else seconds
        longest += sum(attempt + wait for wait in _waits(retry))
    return longest


def _waits(retry: dict[str, Any]) -> list[float]:
    """Return the longest seconds before each attempt of a retrier."""
    first, most = retry.get("IntervalSeconds", 1), retry.get("MaxDelaySeconds", float("inf"))
    return [
        min(most, first * retry.get("BackoffRate", 2) ** attempt)
        for attempt in range(retry.get("MaxAttempts", 3))
    ]


def _throttled(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """Ask whether each task waits while its function is throttled (fact R11).

    Functions compete for the concurrency of the account, most of all those of a map's items. The
    first retrier that matches decides, so the one for throttling must precede those for other
    errors. An API cannot wait for minutes: where it waits for the machine, the machine's own
    timeout is the limit.
    """
    parsed = definition(stack, machine)
    mapped = bool(distributed_maps(parsed))
    total = parsed.get("TimeoutSeconds")
    answers = isinstance(total, int) and total < LONGEST_ANSWER
    for name, state, _ in _tasks(parsed):
        if not invoked(stack, state):
            continue
        task = f"{machine.name}.{name}"
        first, *others = state.get("Retry") or [{}]
        if first.get("ErrorEquals") != [THROTTLED]:
            must = f"for {THROTTLED}"
            yield is_but(rule, task, "the first Retry", first.get("ErrorEquals"), must)
        elif not answers and (seconds := sum(_waits(first))) < THROTTLED_FOR:
            must = f"at least {THROTTLED_FOR} seconds"
            yield is_but(rule, task, "how long it waits while it is throttled", seconds, must)
        elif mapped and not any(map(_of_all, others)):
            yield Violation(rule, task, "Retry must retry all errors, and not only throttling")


def _of_all(retry: dict[str, Any]) -> bool:
    return "States.ALL" in retry.get("ErrorEquals", []) and retry.get("MaxAttempts", 3) > 0


def _compensated(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """Ask whether a compensation is retried after any error, for most of the machine's time.

    Timeouts and functions that run out of memory have errors of their own (fact R12). What fails
    for good leaves the order half undone. The retries must leave time for the way there, and an
    express machine has too little for more than a few.
    """
    parsed = definition(stack, machine)
    total = parsed.get("TimeoutSeconds")
    for name, state, forward in _tasks(parsed):
        if forward:
            continue
        task = f"{machine.name}.{name}"
        retry = next(filter(_of_all, state.get("Retry") or []), None)
        if retry is None:
            yield Violation(rule, task, "Retry of a compensation must retry States.ALL")
        elif rule == "E7" and isinstance(total, int):
            longest = _longest({**state, "Retry": [retry]})
            if not total / 2 <= longest <= total:
                must = f"between half and all of the {total} of {machine.name}"
                yield is_but(rule, task, "what it takes with all retries", longest, must)


def _failed_items(
    stack: Stack, machine: Resource, processor: dict[str, Any]
) -> Iterator[Violation]:
    """Ask whether what fails of an item is kept, and the map goes on (fact R2).

    One failed execution fails a map run unless it tolerates failures, and then the run succeeds: no
    redrive does its failed items again. So a queue must keep them.
    https://docs.aws.amazon.com/step-functions/latest/dg/maprun-fail-threshold.html
    """
    role = role_of(stack, machine)
    for name, function, queue in kept_items(stack, processor):
        if queue is None:
            says = f"what {function.name} cannot process must be sent to a queue of this stack"
            yield Violation("E9", f"{machine.name}.{name}", says)
            continue
        yield from dead_letter_queue(stack, queue.name)
        if not may(stack, role, "sqs:SendMessage", queue):
            says = f"its role must be allowed sqs:SendMessage on {queue.name}"
            yield Violation("E9", machine.name, says)


def _tolerated_items(stack: Stack, machine: Resource, state: dict[str, Any]) -> Iterator[Violation]:
    """Ask whether a map ends if too many items fail, and whether all can be read and handed on.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html#maprun-fail-threshold
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    percentage = state.get("ToleratedFailurePercentage", 0)
    if not isinstance(percentage, (int, float)) or percentage >= 100:
        must = "below 100, as nobody learns of failures that are all tolerated (fact O42)"
        yield is_but("E11", machine.name, "ToleratedFailurePercentage", percentage, must)
    reader = (state.get("ItemReader") or {}).get("ReaderConfig") or {}
    location, header = reader.get("CSVHeaderLocation"), reader.get("CSVHeaders")
    if reader.get("InputType") == "CSV" and (location, bool(header)) not in HEADERS:
        must = "FIRST_ROW, or GIVEN with CSVHeaders, as values have no other names (fact O47)"
        yield is_but("E11", machine.name, "CSVHeaderLocation", location, must)
    most = INPUT_BYTES - FOR_PARAMETERS
    size = (state.get("ItemBatcher") or {}).get("MaxInputBytesPerBatch")
    if not isinstance(size, int) or size > most:
        must = f"at most {most}, which leaves room for the other parameters of a task (fact O40)"
        yield is_but("E11", machine.name, "MaxInputBytesPerBatch", size, must)
    output = (state.get("ResultWriter", {}).get("WriterConfig") or {}).get("OutputType")
    if output != "JSONL":
        must = "JSONL, so that files of any size can be read (fact O43)"
        yield is_but("E11", machine.name, "OutputType of its ResultWriter", output, must)
    place = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    own = f"{place}:execution:${{{machine.name}.Name}}:1"
    if not may(stack, role_of(stack, machine), "states:DescribeExecution", own):
        says = "its role must be allowed states:DescribeExecution on its executions (fact O41)"
        yield Violation("E11", machine.name, says)


def _task(
    stack: Stack, machine: Resource, task: str, state: dict[str, Any], rule: str
) -> Iterator[Violation]:
    timeout = state.get("TimeoutSeconds")
    if not isinstance(timeout, int):
        yield is_but(rule, task, "TimeoutSeconds", timeout, "a number")
    function = invoked(stack, state)
    called = state.get("Resource")
    remote = _remote(stack, machine, state)
    if not str(called).startswith(INTEGRATION) and not stack.function(called):
        must = f"a resource of this stack, or of AWS in its partition ({INTEGRATION}…, fact R15)"
        yield is_but(rule, task, "Resource", called, must)
    elif function is None and remote is None and str(called).startswith(INVOKES):
        must = "FunctionName must be a function of this stack, or a parameter"
        yield Violation(rule, task, must)
    if remote is not None:
        yield from _bounded(stack, machine, task, state, rule)
    if function is not None:
        own = stack.number(function.get("Timeout"), 3) or 0
        if isinstance(timeout, int) and own >= timeout:
            must = f"more than the {own} of {function.name}"
            yield is_but(rule, task, "TimeoutSeconds", timeout, must)
    called_function = qualified(stack, state) or remote
    if called_function and not may(stack, role_of(stack, machine), INVOKING, called_function):
        name = remote if isinstance(called_function, str) else called_function.name
        says = f"its role must be allowed {INVOKING} on {name}"
        yield Violation(rule, machine.name, says)
    yield from _table(stack, machine, task, state, rule)
    # Left out, they are 2 and 3: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    retries = [r for r in state.get("Retry") or [] if r.get("MaxAttempts", 3) > 0]
    if not any(r.get("BackoffRate", 2) > 1 for r in retries):
        yield Violation(rule, task, "Retry must try again with a BackoffRate above 1")
    elif not all(r.get("JitterStrategy") == "FULL" for r in retries):
        yield Violation(rule, task, "Retry must have JitterStrategy FULL")


def _table(
    stack: Stack, machine: Resource, task: str, state: dict[str, Any], rule: str
) -> Iterator[Violation]:
    """Ask whether a task may do with a table what it does, in the name of the machine's role.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-ddb.html
    """
    called = str(state.get("Resource"))
    if not called.startswith(DYNAMODB):
        return
    given = state.get("Arguments") or state.get("Parameters") or {}
    table = stack.named(given.get("TableName"), TABLE)
    operation = called.removeprefix(DYNAMODB)
    action = f"dynamodb:{operation[0].upper()}{operation[1:]}"
    if table is None:
        yield Violation(rule, task, "TableName must be a table of this stack (fact R16)")
    elif not may(stack, role_of(stack, machine), action, table):
        says = f"its role must be allowed {action} on {table.name} (fact R16)"
        yield Violation(rule, task, says)


def _tasks(scope: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each task, and whether it is on the way forward: it runs without anything having failed.

    A compensation that fails for good may fail the execution, since a redrive goes on with it; of
    a Fail state a redrive would make nothing but the same failure.
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    states = scope.get("States", {})
    forward = _forward(states, scope.get("StartAt"))
    for name, state in states.items():
        if state.get("Type") == "Task":
            yield name, state, name in forward
        for inner in (
            *state.get("Branches", []),
            state.get("ItemProcessor") or state.get("Iterator") or {},
        ):
            yield from _tasks(inner)


def _forward(states: dict[str, Any], start: str | None) -> set[str]:
    """Return the states that are reached without a failure.

    A rule of a Choice that leads where a Catch leads is a rejection that a task has answered.
    """
    undoing = {caught["Next"] for state in states.values() for caught in state.get("Catch", [])}
    found: set[str] = set()
    coming = [start]
    while coming:
        name = coming.pop()
        if name in states and name not in found:
            found.add(name)
            state = states[name]
            chosen = {choice.get("Next") for choice in state.get("Choices", [])}
            coming += [state.get("Next"), state.get("Default"), *(chosen - undoing)]
    return found


def _bounded(
    stack: Stack, machine: Resource, task: str, state: dict[str, Any], rule: str
) -> Iterator[Violation]:
    """Nobody here bounds what the function of another service answers, or when."""
    caught = [error for catch in state.get("Catch") or [] for error in catch.get("ErrorEquals", [])]
    if "States.DataLimitExceeded" not in caught:
        must = "States.DataLimitExceeded by its name: States.ALL may not catch it (fact P2)"
        yield is_but(rule, task, "Catch", caught or None, must)
    attempts = 1 + sum(retry.get("MaxAttempts", 3) for retry in state.get("Retry") or [])
    waits = sum(
        retry.get("IntervalSeconds", 1) * retry.get("BackoffRate", 2) ** attempt
        for retry in state.get("Retry") or []
        for attempt in range(retry.get("MaxAttempts", 3))
    )
    timeout, total = state.get("TimeoutSeconds"), definition(stack, machine).get("TimeoutSeconds")
    if isinstance(timeout, int) and isinstance(total, int) and timeout * attempts + waits >= total:
        must = f"so small that {attempts} attempts end within the {total} of {machine.name}"
        yield is_but(rule, task, "TimeoutSeconds", timeout, must)


def _remote(stack: Stack, machine: Resource, state: dict[str, Any]) -> str | None:
    """Return the function of another service that a task invokes: a parameter has its ARN.

    What is not substituted looks the same, where it has the parameter's name.
    """
    named = str((state.get("Arguments") or state.get("Parameters") or {}).get("FunctionName"))
    substituted = (machine.get("DefinitionSubstitutions") or {}).values()
    is_given = named in map(stack.text, substituted)
    return named if is_given and named.strip("${}") in stack.parameters else None


def _started_by_apis(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html."""
    for api, integration in integrations(stack):
        if not str(integration.get("integrationSubtype")).startswith("StepFunctions-Start"):
            continue
        started = stack.by_arn(integration.get("requestParameters", {}).get("StateMachineArn"))
        if started != machine:
            continue
        arn = integration.get("credentials") or integration.get("credentialsArn")
        role = stack.by_arn(arn, "AWS::IAM::Role")
        if role is None or not trusts(stack, role, "apigateway.amazonaws.com"):
            says = "must start the machine in the name of a role that API Gateway may assume"
            yield Violation(rule, api_of(stack, api).name, says)
        elif not may(stack, role, "states:StartExecution", machine):
            says = f"its role must be allowed states:StartExecution on {machine.name}"
            yield Violation(rule, api_of(stack, api).name, says)
        yield from _remembered(stack, machine, rule)


def _remembered(stack: Stack, machine: Resource, rule: str) -> Iterator[Violation]:
    """A client names the execution, and may start it again when its name is forgotten."""
    for function in stack.functions:
        role = role_of(stack, machine)
        if any(may(stack, role, INVOKING, each) for each in invocable(stack, function)):
            for name, days in (function.get("Environment", "Variables") or {}).items():
                if name.endswith("_DAYS") and int(days) <= NAME_DAYS:
                    must = f"more than the {NAME_DAYS} of a name (fact R10)"
                    yield is_but(rule, function.name, name, days, must)


def _answered_by_apis(stack: Stack, machine: Resource) -> Iterator[Violation]:
    """StartSyncExecution answers 200 whatever became of the execution (fact P1).

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
    """
    for part, integration in integrations(stack):
        request = stack.text((integration.get("requestTemplates") or {}).get(JSON))
        started = f"${{{machine.name}}}" in request or f"${{{machine.name}.Arn}}" in request
        if not started or not stack.text(integration.get("uri")).endswith(WAITS):
            continue
        api = api_of(stack, part).name
        if machine.get("StateMachineType") != "EXPRESS":
            yield Violation("E7x", api, f"StartSyncExecution needs {machine.name} to be express")
        role = stack.by_arn(integration.get("credentials"), "AWS::IAM::Role")
        if role is None or not trusts(stack, role, "apigateway.amazonaws.com"):
            says = "must start the machine in the name of a role that API Gateway may assume"
            yield Violation("E7x", api, says)
        elif not may(stack, role, "states:StartSyncExecution", machine):
            says = f"its role must be allowed states:StartSyncExecution on {machine.name}"
            yield Violation("E7x", api, says)
        total = definition(stack, machine).get("TimeoutSeconds")
        if isinstance(total, int) and total >= LONGEST_ANSWER:
            must = f"less than the {LONGEST_ANSWER} that API Gateway waits"
            yield is_but("E7x", machine.name, "TimeoutSeconds", total, must)
        answer = _answer_template(integration)
        if "$.status" not in answer or "$context.responseOverride.status" not in answer:
            says = "its response template must set the status by $.status of the execution"
            yield Violation("E7x", api, says)
        for name in ("cause", "error"):
            if f"$.{name}'" in answer:
                yield Violation("E7x", api, f"its response template must not tell $.{name}")


def _answer_template(integration: dict[str, Any]) -> str:
    """Return the template of the answer where the call of the service has succeeded."""
    responses = integration.get("responses") or {}
    of_methods = [
        response
        for response in integration.get("integrationResponses") or []
        if not response.get("SelectionPattern")
    ]
    response = responses.get("default") or (of_methods[0] if of_methods else {})
    templates = response.get("responseTemplates") or response.get("ResponseTemplates") or {}
    return str(templates.get(JSON, ""))


def _failure_queue(stack: Stack, machine: Resource) -> Iterator[Violation]:
    rules = [
        rule
        for rule in stack.of_type(RULE)
        if is_failure_rule(rule)
        and STATUS_CHANGE in (rule.get("EventPattern", "detail-type") or [])
        and set(map(stack.text, rule.get("EventPattern", "detail", "stateMachineArn") or []))
        & stack.arns(machine)
        and rule.get("State") != "DISABLED"
    ]
    yield from _carried(stack, machine, [rule.get("EventPattern", "detail") for rule in rules])
    for rule in rules:
        queues = [stack.by_arn(target.get("Arn"), QUEUE) for target in rule.get("Targets") or []]
        if not any(queues):
            yield Violation("E7", rule.name, "its target must be a queue of this stack")
        for queue in queues:
            if queue:
                yield from dead_letter_queue(stack, queue.name)
                yield from rule_to_end(stack, rule, queue, "E7")


def _carried(
    stack: Stack, machine: Resource, patterns: list[dict[str, Any]]
) -> Iterator[Violation]:
    """Say which failures the rules of a machine leave out, and what else they carry."""

    def carried(status: str, error: str | None) -> bool:
        return any(_carries(each, {"status": status, "error": error}) for each in patterns)

    for status, error in sorted(FAILED.items()):
        if not carried(status, error):
            yield Violation("E7", machine.name, f"no rule carries {status} executions to a queue")
    for status in NOT_FAILED:
        if carried(status, None):
            yield Violation("E7", machine.name, f"a rule carries {status} executions to a queue")
    for error in _final_errors(definition(stack, machine)):
        if carried("FAILED", error):
            says = f"no rule may carry {error}: a redrive of that can only fail again (fact R14)"
            yield Violation("E7", machine.name, says)


def _final_errors(parsed: dict[str, Any]) -> list[str]:
    """Return the errors with which Fail states end an execution.

    A redrive runs the state that failed once more, with the same definition and input.
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    ends = (state for state in parsed.get("States", {}).values() if state.get("Type") == "Fail")
    return [end["Error"] for end in ends if "Error" in end]


def _carries(pattern: dict[str, Any], detail: dict[str, Any]) -> bool:
    """Tell whether an event pattern lets through events with these fields, whatever others are.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    either = pattern.get("$or")
    return all(
        any(_is_like(value, allowed) for allowed in pattern.get(name, [value]))
        for name, value in detail.items()
    ) and (not either or any(_carries(each, detail) for each in either))


def _is_like(value: Any, allowed: Any) -> bool:
    if isinstance(allowed, dict):
        unlike = allowed.get("anything-but")
        return value not in (unlike if isinstance(unlike, list) else [unlike])
    return bool(value == allowed)


def _logs_errors(stack: Stack, machine: Resource) -> Iterator[Violation]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html."""
    level = machine.get("LoggingConfiguration", "Level")
    if level not in {"ERROR", "ALL"}:
        yield is_but("E7x", machine.name, "LoggingConfiguration.Level", level, "ERROR or ALL")
    groups = [
        stack.text(destination.get("CloudWatchLogsLogGroup", {}).get("LogGroupArn"))
        for destination in machine.get("LoggingConfiguration", "Destinations") or []
    ]
    declared = {f"${{{group.name}.Arn}}" for group in stack.of_type("AWS::Logs::LogGroup")}
    if not {group.removesuffix(":*") for group in groups} & declared:
        yield Violation("E7x", machine.name, "must log to a log group of this stack")
    role = role_of(stack, machine)
    for action in DELIVERING:
        if not may(stack, role, action, "*"):
            yield Violation("E7x", machine.name, f"its role must be allowed {action}")
