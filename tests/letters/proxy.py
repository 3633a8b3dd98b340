"""A proxy of the local stack that refuses an action, answers it, or stops in its middle."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Hook = Callable[[str, str, bytes], bool | bytes]
"""Gets the action, such as `AmazonSQS.ReceiveMessage`, `before` or `after`, and what is asked.

Before an action, True refuses it, and bytes are the answer in the place of the service's.
"""


def _refusal(headers: Message, code: str) -> bytes:
    """Return an error in the form of the service that was asked."""
    if "x-www-form-urlencoded" in str(headers.get("Content-Type")):  # as CloudFormation
        error = f"<Code>{code}</Code><Message>the role may not</Message>"
        return f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode()
    return json.dumps({"__type": code, "message": "the role may not"}).encode()


@contextmanager
def proxy(port: int, hook: Hook, code: str = "AccessDeniedException") -> Iterator[str]:
    """Yield the address of a proxy of the local stack at `port`; it refuses with this code."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = self.headers.get("X-Amz-Target") or f"{self.command} {self.path}"
            said = hook(action, "before", body)
            if isinstance(said, bytes):
                self._answer(200, {"Content-Type": "application/x-amz-json-1.0"}, said)
                return
            if said:
                self._answer(403, {"X-Amzn-ErrorType": code}, _refusal(self.headers, code))
                return
            upstream = http.client.HTTPConnection("127.0.0.1", port)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            hook(action, "after", body)
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}
            }
            self._answer(answer.status, kept, content)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
