"""Stands in for AWS: it has a secret and no executions, and answers all else with nothing.

It also stands in for systems outside the stack, which have nothing either.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS: dict[str, tuple[int, dict[str, str]]] = {
    "GetSecretValue": (200, {"SecretString": "s" * 64}),
    "DescribeExecution": (400, {"__type": "ExecutionDoesNotExist"}),
}


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: the process that was driven has ended with open connections."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        _, _, action = self.headers.get("x-amz-target", "").rpartition(".")
        self._answer(*ANSWERS.get(action, (200, {})))

    def __getattr__(self, name: str) -> Any:
        """Any other method is one of a system outside the stack."""
        if name.startswith("do_"):
            return self._has_nothing
        raise AttributeError(name)

    def _has_nothing(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(404, {})

    def _answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stand_in() -> Iterator[str]:
    """Serve on this machine while the block runs; yield the address."""
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
