"""Answers what the proofs ask, until they are gone; then restores what they have left changed.

The first line on standard output is a JSON object: `url`, which is asked with POST and a JSON
object of arguments, or `refused`, why no proof may run. Standard input ends with the proofs.
"""

import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sls_patterns_cli.harness import changes, letters, logs, queues
from sls_patterns_cli.harness.aws import client
from sls_patterns_cli.harness.changes import (
    Changed,
    Cluster,
    EventSourceMapping,
    LambdaFunction,
    Queue,
    Resource,
    Secret,
)

OWN_STACK = "-e2e"
"""How the name of a stack ends that is there for proofs alone."""


@dataclass
class Harness:
    """A stack, and what its proofs have changed of it and not restored yet."""

    stack: str
    changed: dict[str, Resource] = field(default_factory=dict)
    _one_at_a_time: Any = field(default_factory=threading.Lock)

    def outputs(self) -> dict[str, str]:
        """The outputs of the stack by their names."""
        (found,) = client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}

    def set_variables(self, name: str, variables: Mapping[str, str]) -> str:
        function = LambdaFunction(name)
        return self._change(function, lambda: function.set_variables(variables))

    def throttle(self, name: str) -> str:
        function = LambdaFunction(name)
        return self._change(function, function.throttle)

    def pause_consumer(self, url: str) -> str:
        mapping = EventSourceMapping(queues.consumer(url))
        return self._change(mapping, mapping.pause)

    def close_queue(self, url: str) -> str:
        queue = Queue(url)
        return self._change(queue, queue.close)

    def lower_receives(self, url: str) -> str:
        queue = Queue(url)
        return self._change(queue, queue.lower_receives)

    def stop_cluster(self, name: str) -> str:
        cluster = Cluster(name)
        return self._change(cluster, cluster.stop)

    def set_secret(self, name: str, value: str) -> str:
        secret = Secret(name)
        return self._change(secret, lambda: secret.set_value(value))

    def restore_function(self, name: str) -> None:
        """Restore a function before the proof that has changed it does."""
        with self._one_at_a_time:
            LambdaFunction(name).restore()

    def restore(self, change: str) -> None:
        """Restore the change of this id."""
        with self._one_at_a_time:
            self.changed[change].restore()
            del self.changed[change]

    def restore_all(self) -> None:
        """Restore what the proofs have left changed, the latest change first."""
        with self._one_at_a_time:  # a change that is being made is restored as well
            left = list(self.changed)
        for change in reversed(left):
            name = self.changed[change].name
            self.restore(change)
            sys.stderr.write(f"restored {name}\n")

    def _change(self, resource: Resource, change: Callable[[], None]) -> str:
        id_ = secrets.token_hex(4)
        with self._one_at_a_time, changes.changing(resource):
            change()
            self.changed[id_] = resource
        return id_


def serve(stack: str, *, smoke: bool) -> int:
    """Serve the proofs of a stack until standard input ends; return the exit code."""
    try:
        refused = _refusal(stack, smoke=smoke)
    except (BotoCoreError, ClientError) as error:
        refused = f"cannot read the stack {stack}: {error}"
    if refused:
        _tell({"refused": refused})
        return 2
    harness = Harness(stack)
    path = f"/{secrets.token_urlsafe(16)}/"
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(harness, path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _tell({"url": f"http://127.0.0.1:{server.server_port}{path}"})
        sys.stdin.buffer.read()
        server.shutdown()
    try:
        harness.restore_all()
    except (BotoCoreError, ClientError, TimeoutError) as error:
        sys.stderr.write(f"cannot restore {stack}: {error}\n")
        return 1
    return 0


def _tell(said: Mapping[str, str]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _refusal(stack: str, *, smoke: bool) -> str | None:
    """Why no proof may run, if that is so; FORCE=1 overrides it, and restores."""
    forced = os.environ.get("FORCE") == "1"
    if not (smoke or forced or stack.endswith(OWN_STACK)):
        return (
            "proofs change the configuration and destroy data of their stack, and "
            f"{stack} does not end in {OWN_STACK}; FORCE=1 overrides this"
        )
    for resource in changes.left_changed(stack):
        if not forced:
            return (
                f"{resource.name} is not as it was deployed: an interrupted proof has left it "
                "changed; FORCE=1 restores it"
            )
        resource.restore()
    return None


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "outputs": Harness.outputs,
    "set-variables": Harness.set_variables,
    "throttle": Harness.throttle,
    "pause-consumer": Harness.pause_consumer,
    "close-queue": Harness.close_queue,
    "lower-receives": Harness.lower_receives,
    "stop-cluster": Harness.stop_cluster,
    "set-secret": Harness.set_secret,
    "restore-function": Harness.restore_function,
    "restore": Harness.restore,
    "take-messages": lambda _, **given: queues.take(**given),
    "send-messages": lambda _, **given: queues.send(**given),
    "message-counts": lambda _, **given: queues.counts(**given),
    "log-lines": lambda _, **given: logs.lines(**given),
    "log-entries": lambda _, **given: logs.entries(**given),
    "dead-letters": lambda harness: letters.shown(harness.stack),
    "redrive": lambda harness, **given: letters.redrive(harness.stack, **given),
    "most-at-a-time": lambda _, **given: logs.most_at_a_time(**given),
    "metric-values": lambda _, **given: logs.metric_values(**given),
}
"""What can be asked. Projects of a release ask it of later ones, so a name stays as it is."""


def _handler(harness: Harness, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            operation = self.path.removeprefix(path)
            known = self.path.startswith(path) and operation in OPERATIONS
            try:
                answer = OPERATIONS[operation](harness, **json.loads(body)) if known else None
            except Changed as error:
                self._answer(HTTPStatus.CONFLICT, f"{error} is not as it was deployed")
            except Exception as error:  # noqa: BLE001 - whatever it is, the proof that asked fails by it
                self._answer(HTTPStatus.BAD_GATEWAY, f"{operation}: {error}")
            else:
                unknown = f"this sls-patterns does not know {operation}: install a newer one"
                self._answer(HTTPStatus.OK, answer) if known else self._answer(
                    HTTPStatus.NOT_FOUND, unknown
                )

        def _answer(self, status: HTTPStatus, said: Any) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing: the terminal is the proofs'."""

    return Handler
