"""A durable function's execution replays, waits without running, times out, and fails for good.

AWS: a function with `DurableConfig` is invoked by a version, an alias or `$LATEST` written out. An
execution stays with the version that began it. Its name makes the start idempotent while AWS keeps
it: the same payload gets the execution that there is, another one
DurableExecutionAlreadyStartedException. A step that is to be tried again is PENDING, then READY.
A checkpoint that is sent again with its ClientToken, as AWS's SDKs do when an answer does not come,
gets the answer that it has had; any other with a token that is used up gets "Invalid checkpoint
token".
https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
https://github.com/aws/aws-durable-execution-sdk-js/issues/917

An invocation that fails (its environment is killed, it takes too long) is tried again with what has
been checkpointed; AWS's own local runner does so after 5 s, and gives up at the fifth failure in a
row: https://pypi.org/project/aws-durable-execution-sdk-python-testing/
An execution that was started asynchronously and ends as FAILED, STOPPED or TIMED_OUT is not
retried: its event goes to the dead-letter queue of the function, and to no destination.
https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html

Emulator: runs one only where DurableConfig says `Enabled`, which AWS does not know, and forgets it
of a template's functions. It replays with the code of `$LATEST`, forgets what was started
asynchronously, knows no names, and sends nothing to a dead-letter queue. It does not know the
policy of AWS that SAM and CDK give to a durable function. It reads no ClientToken, so a checkpoint
that is sent again fails its execution, and it refuses a token in other words than AWS.
Here an execution knows its last checkpoint, where AWS knows all of 15 minutes.
"""

import asyncio
import contextvars
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, new_uuid
from ministack.services import iam, lambda_durable, lambda_svc
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters import rely_on, replace
from sls_patterns_cli.local.emulator.adapters.lambda_ import calls, environment_starts, traces
from sls_patterns_cli.local.emulator.adapters.lambda_.asynchronous_invocation import (
    _dead_letter_queue,
    _error,
    _Queue,
)
from sls_patterns_cli.local.emulator.adapters.lambda_.destinations import keep
from sls_patterns_cli.local.emulator.adapters.lambda_.payload_limits import refusal
from sls_patterns_cli.local.emulator.timescale import here

FAILURES_IN_A_ROW = 5
PAUSE_SECONDS = 5

SYNCHRONOUS_SECONDS = 900

WAITS = {
    "StepOptions": ("NextAttemptDelaySeconds",),
    "WaitOptions": ("WaitSeconds",),
    "CallbackOptions": ("TimeoutSeconds", "HeartbeatTimeoutSeconds"),
}
"""Which seconds of an update are waits."""

ACTIONS = {
    "checkpoint": "CheckpointDurableExecution",
    "state": "GetDurableExecutionState",
    "history": "GetDurableExecutionHistory",
    "stop": "StopDurableExecution",
    None: "GetDurableExecution",
}
POLICY = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
POLICY_ACTIONS = [
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    *("lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"),
]
"""https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaBasicDurableExecutionRolePolicy.html"""

_EXECUTION_PATH = re.compile(
    r"/durable-executions/(?P<arn>arn.+?)(/(?P<action>checkpoint|state|history|stop))?$"
)

Record = dict[str, Any]

_queues: dict[str, _Queue] = {}


def apply() -> None:
    rely_on(lambda_durable.create_execution_for_invoke, "e95d06d3690b")
    rely_on(lambda_durable.schedule_resume, "f2a1efd626b8")
    rely_on(lambda_durable._resume_loop, "598ec8a52100")
    replace(lambda_svc, "_invoke", "ab193779e5c2", _invoking)
    replace(lambda_svc, "invoke_async_with_retry", "289fe4d3cbd4", _handed_over)
    replace(lambda_svc, "invoke_durable_resume", "2e51e02417fd", _going_on)
    replace(lambda_durable, "handle_checkpoint", "f18c34172b7d", _checkpointing)
    replace(lambda_durable, "_apply_update", "9f8f0bb73fb2", _updating)
    replace(lambda_durable, "_next_expiry", "945f09b60435", _expiring)
    replace(lambda_durable, "_resume_execution", "9e4e55100322", _resuming)
    replace(lambda_durable, "handle_stop", "161bcd565580", _stopping)
    replace(iam_actions, "_lambda_action", "19fa24ebca40", _acting)
    replace(iam_actions, "extract_resource_arn", "82f51700695c", _of_an_execution)
    _add_policy()
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    replace(handlers, "create", "8b2cf80e961d", _creating)
    replace(handlers, "update", "4855410e37d7", _changing)


def _add_policy() -> None:
    statement = {"Effect": "Allow", "Action": POLICY_ACTIONS, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    record = iam._make_aws_managed_record(POLICY, document)
    iam._aws_managed_policies[record["Arn"]] = record


def _creating(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_function(logical_id: str, properties: Record, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        _keep_config(created[0], properties)
        return created

    return create_function


def _changing(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_function(
        physical_id: str, old: Record, new: Record, stack: str, logical_id: str
    ) -> Any:
        if bool(old.get("DurableConfig")) != bool(new.get("DurableConfig")):
            # https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html
            raise ValueError("DurableConfig can only be given when a function is created")
        # Its numbers change without another function.
        kept = {**old, "DurableConfig": new.get("DurableConfig")}
        updated = update(physical_id, kept, new, stack, logical_id)
        _keep_config(updated[0], new)
        return updated

    return update_function


def _keep_config(function: str, properties: Record) -> None:
    if given := properties.get("DurableConfig"):
        config = {name: int(value) for name, value in given.items()}
        lambda_svc._functions[function]["config"]["DurableConfig"] = config


def _durable_config(function: Record | None) -> Record:
    return ((function or {}).get("config") or {}).get("DurableConfig") or {}


def _invoking(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoke_function(
        name: str,
        event: Any,
        headers: dict[str, str],
        path_qualifier: str | None = None,
        query_params: Record | None = None,
    ) -> Any:
        given = {key.lower(): value for key, value in headers.items()}
        kind = given.get("x-amz-invocation-type", "RequestResponse")
        function = lambda_svc._functions.get(name)
        if not _durable_config(function) or kind == "DryRun":
            return await invoke(name, event, headers, path_qualifier, query_params)
        if refused := refusal(event, kind):
            return refused
        qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
        wanted = given.get("x-amz-durable-execution-name")
        execution = _started_before(name, wanted) if wanted else None
        if refused := _refusal(name, qualifier, execution, event):
            return refused
        if execution is None:
            execution = _start(name, qualifier, event, wanted, asynchronous=kind == "Event")
        answer = {
            "X-Amz-Executed-Version": execution["Version"],
            "X-Amz-Durable-Execution-Arn": execution["DurableExecutionArn"],
        }
        if kind == "Event":
            return 202, answer, b""
        return await _outcome(execution, answer)

    return invoke_function


def _refusal(function: str, qualifier: str, execution: Record | None, event: Any) -> Any:
    if not qualifier:
        return error_response_json(
            "InvalidParameterValueException",
            "You cannot invoke a durable function using an unqualified ARN.",
            HTTPStatus.BAD_REQUEST,
        )
    arn = f"{lambda_svc._func_arn(function)}:{qualifier}"
    if lambda_svc._get_func_record_for_ref(arn)[0] is None:
        message = f"Function not found: {arn}"
        return error_response_json("ResourceNotFoundException", message, HTTPStatus.NOT_FOUND)
    if execution and json.loads(execution["InputPayload"]) != event:
        return error_response_json(
            "DurableExecutionAlreadyStartedException",
            f"There is an execution {execution['DurableExecutionName']} with another payload.",
            HTTPStatus.CONFLICT,
        )
    return None


def _handed_over(invoke: Callable[..., None]) -> Callable[..., None]:
    """What a service hands over to a durable function starts an execution."""

    def invoke_asynchronously(function: Record, event: Any) -> None:
        if not _durable_config(function):
            invoke(function, event)
            return
        name, qualifier = lambda_svc._resolve_name_and_qualifier(function["config"]["FunctionArn"])
        _start(name, qualifier or "$LATEST", event, None, asynchronous=True)

    return invoke_asynchronously


def _started_before(function: str, name: str) -> Record | None:
    arn = lambda_svc._func_arn(function)
    return next(
        (
            each
            for each in list(lambda_durable._executions.values())
            if each["FunctionArn"] == arn and each["DurableExecutionName"] == name
        ),
        None,
    )


def _start(
    function: str, qualifier: str, event: Any, name: str | None, *, asynchronous: bool
) -> Record:
    owner = lambda_svc._functions[function]
    alias = owner["aliases"].get(qualifier)
    version = alias.get("FunctionVersion") if alias else qualifier
    execution: Record = lambda_durable.create_execution_for_invoke(
        lambda_svc._func_arn(function), version, json.dumps(event), name
    )
    execution["_Asynchronous"] = asynchronous
    execution["_Failures"] = 0
    limit = _durable_config(owner)["ExecutionTimeout"]
    execution["_TimeoutDeadline"] = time.time() + here().execution_limit(limit)
    _put(execution)
    return execution


def _put(execution: Record) -> None:
    """Let the execution go on as soon as one of the threads of its function has time."""
    execution["_QueuedAt"] = time.time()
    context = contextvars.copy_context()
    context.run(traces.current.set, traces.current.get() or traces.new_header())
    queue = _queues.setdefault(execution["FunctionArn"], _Queue())
    queue.put(partial(context.run, _go_on, execution))


def _go_on(execution: Record) -> None:
    """Invoke the function with what has been checkpointed, once."""
    if execution["Status"] != "RUNNING":
        return
    arn = execution["DurableExecutionArn"]
    execution["CheckpointToken"] = lambda_durable.new_checkpoint_token()
    started, wait = time.time(), environment_starts.Wait()
    environment_starts.waiting.set(wait)
    result = _invoke_version(execution)
    # What the machine could not do at once is not the execution's time.
    queued_at = execution.pop("_QueuedAt")
    execution["_TimeoutDeadline"] += started - queued_at + wait.so_far()
    failed = bool(result.get("error"))
    error = _described(result) if failed else None
    lambda_durable.record_invocation_completed(arn, started, new_uuid(), error)
    if execution["Status"] != "RUNNING":
        return  # It was stopped meanwhile.
    answer: Any = result.get("body")
    answer = json.loads(answer) if isinstance(answer, str | bytes) and answer else answer
    answer = answer if isinstance(answer, dict) and not failed else {}
    status = answer.get("Status")
    if status in ("SUCCEEDED", "FAILED"):
        given = answer.get("Error") or {"ErrorMessage": "no message"}
        lambda_durable.mark_execution_completed(
            arn, answer.get("Result"), given if status == "FAILED" else None
        )
    elif status != "PENDING":
        execution["_Failures"] += 1
        if execution["_Failures"] == FAILURES_IN_A_ROW:
            lambda_durable.mark_execution_completed(arn, None, error or _described(result))
        else:
            execution["_AgainAt"] = time.time() + here().divided(PAUSE_SECONDS)
    else:
        execution["_Failures"] = 0
    if execution["Status"] == "RUNNING":
        lambda_durable.schedule_resume(arn)
    else:
        _ended(execution)


def _invoke_version(execution: Record) -> Record:
    version = f"{execution['FunctionArn']}:{execution['Version']}"
    event = {
        "DurableExecutionArn": execution["DurableExecutionArn"],
        "CheckpointToken": execution["CheckpointToken"],
        "InitialExecutionState": {
            "Operations": lambda_durable._serialize_operations(
                execution["Operations"], for_event=True
            ),
            "NextMarker": "",
        },
    }
    gone = {"error": True, "body": {"errorMessage": f"There is no {version} any more."}}
    return calls.call(version, event) or gone


def _described(result: Record) -> Record:
    body = result.get("body")
    body = body if isinstance(body, dict) else {"errorMessage": str(body)}
    return {
        "ErrorType": str(body.get("errorType", "Unhandled")),
        "ErrorMessage": str(body.get("errorMessage", "")) or "no message",
    }


def _checkpointing(checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    def handle_checkpoint(arn: str, body: bytes) -> Any:
        execution = lambda_durable._executions.get(lambda_durable._parse_execution_arn(arn))
        if execution is None:
            return checkpoint(arn, body)
        given = json.loads(body)
        sent, answer = execution.get("_LastCheckpoint", (None, None))
        if sent and given.get("ClientToken") == sent:
            return answer
        if given.get("CheckpointToken") != execution["CheckpointToken"]:
            message = "Invalid checkpoint token"
            kind = "InvalidParameterValueException"
            return error_response_json(kind, message, HTTPStatus.BAD_REQUEST)
        answer = checkpoint(arn, body)
        if answer[0] == HTTPStatus.OK:
            execution["_LastCheckpoint"] = given.get("ClientToken"), answer
        return answer

    return handle_checkpoint


def _updating(update: Callable[..., None]) -> Callable[..., None]:
    def apply_update(execution: Record, given: Record) -> None:
        changed = dict(given)
        for options, names in WAITS.items():
            if options in given:
                waits = {
                    name: here().divided(value)
                    for name, value in given[options].items()
                    if name in names and value
                }
                changed[options] = {**given[options], **waits}
        update(execution, changed)
        if given["Type"] == "STEP":
            _tell_attempts(execution, given)

    return apply_update


def _tell_attempts(execution: Record, given: Record) -> None:
    step = next(each for each in execution["Operations"] if each["Id"] == given["Id"])
    if given["Action"] == "RETRY":
        step["Status"] = "PENDING"
        step["StepDetails"]["Attempt"] += 1
    else:
        step["StepDetails"].pop("NextAttemptTimestamp", None)


def _pending_until(operation: Record) -> float | None:
    """When a step that is pending gets ready."""
    if operation["Type"] != "STEP" or operation["Status"] != "PENDING":
        return None
    moment: float = operation["StepDetails"]["NextAttemptTimestamp"]
    return moment


def _waits_until(execution: Record) -> float | None:
    """When the first of its waits and callbacks is over."""
    moment: float | None = inspect.unwrap(lambda_durable._next_expiry)(execution)
    return moment


def _expiring(_find: Callable[..., float | None]) -> Callable[..., float | None]:
    def next_expiry(execution: Record) -> float | None:
        moments = [
            _waits_until(execution),
            execution.get("_AgainAt"),
            *map(_pending_until, execution["Operations"]),
        ]
        return min((each for each in moments if each is not None), default=None)

    return next_expiry


def _resuming(resume: Callable[..., None]) -> Callable[..., None]:
    def resume_execution(arn: str, account: str, region: str | None = None) -> None:
        execution = lambda_durable._executions.get(arn)
        if not execution or execution["Status"] != "RUNNING" or "_QueuedAt" in execution:
            return  # It is looked at again when it has run.
        now = time.time()
        if now >= execution["_TimeoutDeadline"]:
            lambda_durable._time_out_execution(execution)
            _ended(execution)
        elif _is_ready(execution, now):
            _put(execution)
        elif _has_waited(execution, now):
            resume(arn, account, region)
        else:
            lambda_durable.schedule_resume(arn)

    return resume_execution


def _is_ready(execution: Record, now: float) -> bool:
    """Whether a step, or an invocation that failed, is to be tried again."""
    ready = False
    for operation in execution["Operations"]:
        moment = _pending_until(operation)
        if moment is not None and moment <= now:
            operation["Status"], ready = "READY", True
            operation["StepDetails"].pop("NextAttemptTimestamp")
    if execution.get("_AgainAt", now + 1) <= now:
        ready = bool(execution.pop("_AgainAt"))
    return ready


def _has_waited(execution: Record, now: float) -> bool:
    """Whether a wait or a callback is over."""
    moment = _waits_until(execution)
    return (moment is not None and moment <= now) or any(
        each["Type"] == "CALLBACK"
        and each["Status"] in ("SUCCEEDED", "FAILED")
        and not each["CallbackDetails"].get("_replayed")
        for each in execution["Operations"]
    )


def _going_on(_resume: Callable[..., None]) -> Callable[..., None]:
    def invoke_durable_resume(_function: str, arn: str, _event: Any) -> None:
        _put(lambda_durable._executions[arn])

    return invoke_durable_resume


def _stopping(stop: Callable[..., Any]) -> Callable[..., Any]:
    def handle_stop(arn: str, body: bytes) -> Any:
        answer = stop(arn, body)
        if answer[0] == HTTPStatus.OK:
            _ended(lambda_durable._executions[lambda_durable._parse_execution_arn(arn)])
        return answer

    return handle_stop


def _ended(execution: Record) -> None:
    """Send the event of an execution that failed for good to the dead-letter queue."""
    if execution["Status"] == "SUCCEEDED" or not execution["_Asynchronous"]:
        return
    function = lambda_svc._get_func_record_for_ref(execution["FunctionArn"])[0]
    if function is None:
        return
    dead_letters = _dead_letter_queue(function)
    error = execution["Error"] or {}
    message = str(error.get("ErrorMessage") or execution["Status"])
    kept = ""
    with traces.carried(None):
        if dead_letters and keep(
            function["config"]["Role"],
            dead_letters,
            execution["InputPayload"],
            "",
            **_error({"body": {"errorMessage": message}}),
        ):
            kept = dead_letters
    arn = execution["FunctionArn"]
    journal.note(journal.GivenUp("lambda-async", arn, arn, kept, seconds=None))


async def _outcome(execution: Record, headers: dict[str, str]) -> Any:
    """Wait for the end of an execution as a synchronous caller does."""
    until = time.monotonic() + SYNCHRONOUS_SECONDS
    while execution["Status"] == "RUNNING" and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    headers = {**headers, "Content-Type": "application/json"}
    if execution["Status"] == "SUCCEEDED":
        return HTTPStatus.OK.value, headers, (execution["Result"] or "null").encode()
    error = execution["Error"] or {}
    told = {
        "errorType": error.get("ErrorType") or execution["Status"],
        "errorMessage": error.get("ErrorMessage", ""),
    }
    headers["X-Amz-Function-Error"] = "Unhandled"
    return HTTPStatus.OK.value, headers, json.dumps(told).encode()


def _acting(find: Callable[..., str | None]) -> Callable[..., str | None]:
    """Each of these actions has a permission of its own.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    """

    def lambda_action(method: str, path: str) -> str | None:
        match _EXECUTION_PATH.search(path):
            case None:
                return find(method, path)
            case found:
                return ACTIONS[found["action"]]

    return lambda_action


def _of_an_execution(find: Callable[..., str]) -> Callable[..., str]:
    def extract_resource_arn(service: str, method: str, path: str, *rest: Any) -> str:
        found = _EXECUTION_PATH.search(path) if service == "lambda" else None
        return unquote(found["arn"]) if found else find(service, method, path, *rest)

    return extract_resource_arn
