"""Node.js functions: their interpreter and environment, errors, logs and ends."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local.support import REGION, wait_until

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.languages import interpreters
from sls_patterns_cli.local.languages.interpreters import Interpreter

RUNTIME = "nodejs24.x"

FUNCTIONS = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: nodejs24.x, Handler: index.handler, Timeout: 10}
Resources:
  Introspective:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: introspective, LogFormat: JSON}
      Environment: {Variables: {OWN: value}}
      InlineCode: |
        exports.handler = async (event, context) => {
          console.warn("twice\\nlined");
          process.stdout.write("printed\\n");
          return {
            version: process.versions.node,
            environment: process.env,
            arn: context.invokedFunctionArn,
            left: context.getRemainingTimeInMillis(),
          };
        };
  Module:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import { basename } from "node:path";
        export const handler = async (event) => basename(event);
  Counting:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: {LogGroup: counting}
      InlineCode: |
        class Refused extends Error { name = "Refused"; }
        let invocations = 0;
        exports.handler = async (event) => {
          invocations += 1;
          if (event === "fail") throw new Refused(`no ${invocations}`);
          if (event === "circle") { const circle = {}; circle.circle = circle; return circle; }
          if (event === "reject") {
            Promise.reject(new Refused("later"));
            await new Promise(() => {});
          }
          if (event === "exit") process.exit(3);
          if (event === "nothing") return undefined;
          return invocations;
        };
  Hanging:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 1
      InlineCode: "exports.handler = () => new Promise(() => {});"
  Callback:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "exports.handler = (event, context, callback) => callback(null, event);"
  Calling:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        const http = require("node:http");
        const { hostname, port } = new URL(process.env.AWS_ENDPOINT_URL);
        exports.handler = (prefix) => new Promise((resolve, reject) => {
          http.get({ hostname: prefix + hostname, port, path: "/" }, (answer) => {
            answer.resume();
            resolve(answer.statusCode);
          }).on("error", reject);
        });
Outputs:
"""

Invoke = Callable[..., tuple[str | None, Any]]


@pytest.fixture(scope="module")
def node() -> Interpreter:
    return interpreters.find(RUNTIME)[0]


@pytest.fixture(scope="module")
def emulator(node: Interpreter) -> Iterator[Emulator]:
    with Emulator(REGION, {RUNTIME: node.executable}) as running:
        yield running


@pytest.fixture(scope="module")
def invoke(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    names = ("Introspective", "Module", "Counting", "Hanging", "Callback", "Calling")
    file = tmp_path_factory.mktemp("node") / "template.yaml"
    outputs = "".join(f"  {name}: {{Value: !Ref {name}}}\n" for name in names)
    file.write_text(FUNCTIONS + outputs)
    template = expand(read(file), REGION)
    functions = deploy.deploy(emulator, "node", template)
    client = emulator.client("lambda")

    def invoke_function(name: str, event: Any = None) -> tuple[str | None, Any]:
        answer = client.invoke(FunctionName=functions[name], Payload=json.dumps(event))
        return answer.get("FunctionError"), json.load(answer["Payload"])

    return invoke_function


def log_of(emulator: Emulator, group: str) -> list[str]:
    events = emulator.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"].rstrip() for event in events]


def test_a_function_runs_on_its_own_node_in_an_environment_of_its_own(
    invoke: Invoke, node: Interpreter
) -> None:
    error, answer = invoke("Introspective")

    assert error is None
    assert answer["version"] == node.version_text
    assert answer["environment"]["OWN"] == "value"
    assert answer["environment"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs24.x"
    assert not {"GATEWAY_PORT", "PYTHONPATH", "AUTH"} & answer["environment"].keys()
    assert answer["arn"].startswith("arn:aws:lambda:")
    assert 0 < answer["left"] <= 10_000


def test_whatever_is_printed_is_log_and_console_is_json(invoke: Invoke, emulator: Emulator) -> None:
    invoke("Introspective")

    lines = wait_until(lambda: [x for x in log_of(emulator, "introspective") if "printed" in x])
    assert lines[0] == "printed"
    (entry, *_) = (
        json.loads(line) for line in log_of(emulator, "introspective") if "nlined" in line
    )
    assert entry["level"] == "WARN"
    assert entry["message"] == "twice\nlined"
    assert entry["requestId"]


def test_es_modules_are_served_as_commonjs_is(invoke: Invoke) -> None:
    assert invoke("Module", "a/b") == (None, "b")


def test_a_thrown_error_keeps_its_class_and_the_environment_lives_on(invoke: Invoke) -> None:
    _, before = invoke("Counting")

    error, failure = invoke("Counting", "fail")

    assert error == "Unhandled"
    assert failure["errorType"] == "Refused"
    assert failure["errorMessage"] == f"no {before + 1}"
    assert any("handler" in line for line in failure["trace"])
    assert invoke("Counting") == (None, before + 2)


def test_what_json_cannot_hold_is_an_error(invoke: Invoke) -> None:
    error, failure = invoke("Counting", "circle")

    assert (error, failure["errorType"]) == ("Unhandled", "TypeError")
    assert invoke("Counting", "nothing") == (None, None)


@pytest.mark.parametrize("event", ["reject", "exit"])
def test_what_nobody_catches_ends_the_environment(invoke: Invoke, event: str) -> None:
    error, _ = invoke("Counting", event)

    assert error
    assert invoke("Counting") == (None, 1)


def test_a_function_that_does_not_end_is_ended_at_its_timeout(invoke: Invoke) -> None:
    error, failure = invoke("Hanging")

    assert error
    assert "timed out" in failure["errorMessage"]


def test_node_24_serves_no_callbacks(invoke: Invoke) -> None:
    error, failure = invoke("Callback", {})

    assert error
    assert "CallbackHandlerDeprecated" in failure["errorMessage"]


def test_a_host_with_a_prefix_is_the_endpoint(invoke: Invoke) -> None:
    error, status = invoke("Calling", "sync-")

    assert (error, status) == (None, invoke("Calling", "")[1])
    assert invoke("Calling", "other.")[0] == "Unhandled"
