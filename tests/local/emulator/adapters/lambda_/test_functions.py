"""Functions: their interpreter and environment, errors, logs, updates and concurrency."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.adapters.lambda_ import environment_starts
from sls_patterns_cli.local.languages.interpreters import Interpreter

FUNCTIONS = """
Resources:
  Introspective:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: introspective, LogFormat: JSON}
      Environment: {Variables: {OWN: value, AUTH: mine, NUMBER: 7, SWITCH: true}}
      InlineCode: |
        import importlib.util, logging, os, sys
        logging.getLogger().info("hello", extra={"answer": 42})
        def handler(event, context):
            logging.getLogger("mine").warning("twice\\nlined")
            print("printed")
            return {
                "version": list(sys.version_info[:3]),
                "environment": dict(os.environ),
                "emulator": importlib.util.find_spec("ministack") is not None,
                "packages": [path for path in sys.path if "site-packages" in path],
                "left_ms": context.get_remaining_time_in_millis(),
                "arn": context.invoked_function_arn,
            }
  Silent:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: "def handler(event, context): return event"}
  Failing:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: failing}
      InlineCode: |
        invocations = 0
        class Refused(Exception): pass
        def handler(event, context):
            global invocations
            invocations += 1
            if event == "unserialisable":
                return object()
            raise Refused(f"no {invocations}")
  Talkative:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: talkative}
      InlineCode: |
        import os
        def handler(event, context):
            for number in range(event["lines"]):
                print(f"line {number}")
            if event.get("die"):
                os._exit(1)
  Broken:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: "import nothing_of_that_name"}
  Slow:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {WORD: old}}
      InlineCode: |
        import os, time
        def handler(event, context):
            time.sleep(event)
            return os.environ["WORD"]
  Reserved:
    Type: AWS::Serverless::Function
    Properties:
      ReservedConcurrentExecutions: 1
      InlineCode: |
        import time
        def handler(event, context):
            time.sleep(1)
  SlowToStart:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import os, time
        time.sleep(0.5)
        def handler(event, context):
            return os.getpid()
  Meeting:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 60
      InlineCode: |
        import os, pathlib, time
        def handler(event, context):
            place = pathlib.Path(event["place"])
            (place / context.aws_request_id).touch()
            while len(list(place.iterdir())) < event["count"]:
                time.sleep(0.05)
Outputs:
  SlowToStart: {Value: !Ref SlowToStart}
  Meeting: {Value: !Ref Meeting}
  Introspective: {Value: !Ref Introspective}
  Silent: {Value: !Ref Silent}
  Failing: {Value: !Ref Failing}
  Broken: {Value: !Ref Broken}
  Talkative: {Value: !Ref Talkative}
  Slow: {Value: !Ref Slow}
  Reserved: {Value: !Ref Reserved}
"""


@pytest.fixture(scope="module")
def functions(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(FUNCTIONS)


@pytest.fixture
def invoke(client: Client, functions: dict[str, str]) -> Callable[..., tuple[str | None, Any]]:
    def invoke_function(name: str, event: Any = None) -> tuple[str | None, Any]:
        answer = client("lambda").invoke(
            FunctionName=functions[name], Payload=json.dumps(event).encode()
        )
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    return invoke_function


Invoke = Callable[..., tuple[str | None, Any]]


def test_a_function_runs_on_its_runtime_with_nothing_of_the_emulator(
    invoke: Invoke, interpreter: Interpreter
) -> None:
    error, seen = invoke("Introspective")

    assert error is None
    assert tuple(seen["version"]) == interpreter.version
    assert not seen["emulator"]
    assert seen["packages"] == []
    environment = seen["environment"]
    assert environment["OWN"] == "value"
    assert environment["AUTH"] == "mine"
    assert (environment["NUMBER"], environment["SWITCH"]) == ("7", "true")
    assert environment["AWS_REGION"] == "eu-west-1"
    leaked = {"GATEWAY_PORT", "BIND_HOST", "PYTHONPATH", "HOME", "SLS_PATTERNS_INTERPRETERS"}
    assert not leaked & environment.keys()
    assert 0 < seen["left_ms"] <= 10_000
    assert ":function:" in seen["arn"]


def test_a_functions_log_goes_to_its_declared_group_in_its_declared_format(
    invoke: Invoke, client: Client
) -> None:
    invoke("Introspective")

    events = client("logs").filter_log_events(logGroupName="introspective")["events"]
    lines = [event["message"] for event in events]
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    warning = next(entry for entry in entries if entry["level"] == "WARNING")
    assert warning["message"] == "twice\nlined"
    assert warning["logger"] == "mine"
    assert warning["requestId"]
    assert "printed" in lines


def test_the_log_is_whole_when_the_invocation_returns(invoke: Invoke, client: Client) -> None:
    def lines() -> int:
        pages = (
            client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName="talkative", filterPattern="line")
        )
        return sum(len(page["events"]) for page in pages)

    assert invoke("Talkative", {"lines": 3000}) == (None, None)
    assert lines() == 3000
    error, _ = invoke("Talkative", {"lines": 2, "die": True})
    assert error
    assert lines() == 3002
    assert invoke("Talkative", {"lines": 1}) == (None, None)
    assert lines() == 3003


def test_a_warm_silent_invocation_takes_no_50_ms(invoke: Invoke) -> None:
    invoke("Silent")
    seconds = []
    for _ in range(20):
        start = time.monotonic()
        assert invoke("Silent", {"a": 1}) == (None, {"a": 1})
        seconds.append(time.monotonic() - start)
    # A wait after each invocation is in the fastest one, too, and what else runs here is not.
    assert min(seconds) < 0.04


def test_an_exception_keeps_its_class_and_the_environment_lives_on(
    invoke: Invoke, client: Client
) -> None:
    error, first = invoke("Failing")
    _, second = invoke("Failing")

    assert error == "Unhandled"
    assert first["errorType"] == "Refused"
    assert first["errorMessage"] == "no 1"
    assert "Refused(" in "".join(first["stackTrace"])
    assert second["errorMessage"] == "no 2"
    logged = client("logs").filter_log_events(
        logGroupName="failing", filterPattern='"[ERROR] Refused: no 2"'
    )
    assert logged["events"]


def test_a_result_that_is_no_json_is_a_marshalling_error(invoke: Invoke) -> None:
    error, answer = invoke("Failing", "unserialisable")
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.MarshalError"


def test_a_module_that_cannot_be_imported_is_an_error_that_names_it(invoke: Invoke) -> None:
    error, answer = invoke("Broken")
    assert error
    assert "nothing_of_that_name" in answer["errorMessage"]


def test_an_update_lets_the_running_invocation_end(
    invoke: Invoke, client: Client, functions: dict[str, str]
) -> None:
    assert invoke("Slow", 0) == (None, "old")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, "Slow", 1)
        time.sleep(0.4)  # well into the invocation
        client("lambda").update_function_configuration(
            FunctionName=functions["Slow"], Environment={"Variables": {"WORD": "new"}}
        )
        client("lambda").get_waiter("function_updated_v2").wait(FunctionName=functions["Slow"])
        assert not running.done()
        assert invoke("Slow", 0) == (None, "new")
        assert running.result() == (None, "old")


def test_a_burst_waits_for_few_environments(invoke: Invoke) -> None:
    with ThreadPoolExecutor(60) as callers:
        answers = list(callers.map(lambda _: invoke("SlowToStart"), range(60)))

    assert {error for error, _ in answers} == {None}
    assert len({process for _, process in answers}) <= environment_starts.FEW


def test_an_environment_that_has_died_is_started_again(invoke: Invoke) -> None:
    _, process = invoke("SlowToStart")
    os.kill(process, signal.SIGKILL)

    def another() -> bool:
        error, answer = invoke("SlowToStart")
        return error is None and answer != process

    wait_until(another)


def test_invocations_that_wait_for_each_other_all_get_an_environment(
    invoke: Invoke, tmp_path: Path
) -> None:
    count = environment_starts.FEW + 1
    event = {"place": str(tmp_path), "count": count}
    with ThreadPoolExecutor(count) as callers:
        answers = list(callers.map(lambda _: invoke("Meeting", event), range(count)))
    assert answers == [(None, None)] * count


def test_reserved_concurrency_of_a_template_is_a_limit(invoke: Invoke, client: Client) -> None:
    throttled = client("lambda").exceptions.TooManyRequestsException

    def is_throttled(_: int) -> bool:
        try:
            invoke("Reserved")
        except throttled:
            return True
        return False

    with ThreadPoolExecutor(2) as callers:
        # Again where the first was over before the second began.
        wait_until(lambda: any(callers.map(is_throttled, range(2))))
