"""Stand-ins for the HTTP systems that a stack calls and does not deploy.

Each is a server on 127.0.0.1 that starts before the deployment, so that its address can be a
parameter of the stack. A second address controls it: proofs say there how it answers, and read
what it was asked.

    PUT    /answer    {"status": 200, "headers": [[name, value]], "body": "text"}, and one of
                      "seconds": N (it waits so long first), "hangs": true, "gone": true,
                      "keeps": true (it keeps what is PUT at a path, and answers GET with it);
                      with "base64": true the body is encoded so, with "path": "/keys" it is that
                      of this path alone
    PUT    /tokens    ["text"]: it answers 401 to what has none of these bearer tokens
    GET    /requests  what it was asked: method, target, headers, body (base64), answered
    DELETE /requests  forgets them
    GET    /key       the private key with which it signs, where it plays an OpenID provider
    POST   /token     a token with these claims beside the usual ones, where it plays one
"""

import base64
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sls_patterns_cli.cloudformation.document import Template

HOST = "127.0.0.1"
ADDRESSES = ("https?://", "https://")
"""How the patterns of parameters begin that are addresses."""


@dataclass(frozen=True)
class Answer:
    """How a stand-in answers."""

    status: int = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: str = "{}"
    base64: bool = False
    """The body is bytes, encoded so."""
    seconds: float = 0.0
    hangs: bool = False
    """It takes requests and does not answer, until it is told something else."""
    gone: bool = False
    """It refuses connections."""
    keeps: bool = False
    """It keeps what is PUT at a path and answers a GET with it, with 404 where there is nothing."""
    path: str = ""
    """For this path; without one, for each that has no answer of its own."""


@dataclass
class Request:
    """What a stand-in was asked."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: str
    answered: bool = False


@dataclass(frozen=True)
class Instruction:
    """What a stand-in was told, and whether it has been told something else since."""

    answer: Answer = field(default_factory=Answer)
    replaced: threading.Event = field(default_factory=threading.Event)


class StandIn:
    """One system; `url` is its address, `control_url` that of the proofs."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.instruction = Instruction()
        self.answers: dict[str, Answer] = {}
        """By path."""
        self.kept: dict[str, bytes] = {}
        """What was PUT, by path."""
        self.tokens: list[str] = []
        """Those that it demands; anybody may ask while there are none."""
        self.key = b""
        """The private key of the OpenID provider that it plays, as PEM."""
        self.signed: Callable[[Mapping[str, object]], str] | None = None
        """Signs a token of that provider with these claims."""
        self._control = _Server(_Control, self)
        self._control.start()
        self._system = _Server(_System, self)
        self._system.start()
        self.url, self.control_url = self._system.url, self._control.url

    def tell(self, answer: Answer) -> None:
        """Answer so from now on; the connections of requests that hang are closed."""
        if answer.path:
            self.answers[answer.path] = answer
            return
        before, self.instruction = self.instruction, Instruction(answer)
        before.replaced.set()
        if answer.gone and not before.answer.gone:
            # A socket that is bound and does not listen keeps the port, and refuses connections.
            self._system.stop()
            self._system = _Server(_System, self, self._system.server_port)
        elif before.answer.gone and not answer.gone:
            self._system.start()

    def stop(self) -> None:
        self.instruction.replaced.set()
        self._system.stop()
        self._control.stop()


@contextmanager
def stood_in(template: Template, given: Mapping[str, str]) -> Iterator[dict[str, StandIn]]:
    """Start a stand-in for each address that a template wants and that is not given.

    Yields them by the name of their parameter.
    """
    stand_ins: dict[str, StandIn] = {}
    try:
        for name, parameter in template.get("Parameters", {}).items():
            pattern = str(parameter.get("AllowedPattern", ""))
            wanted = "Default" not in parameter and name not in given
            if pattern.startswith(ADDRESSES) and wanted:
                stand_ins[name] = StandIn()
                if not re.fullmatch(pattern, stand_ins[name].url):
                    # APIs ask a system on this machine by plain HTTP all the same.
                    stand_ins[name].url = stand_ins[name].url.replace("http", "https", 1)
        yield stand_ins
    finally:
        for stand_in in stand_ins.values():
            stand_in.stop()


def controls(stand_ins: Mapping[str, StandIn]) -> dict[str, str]:
    """Where each is controlled: `CarrierControlUrl` for that of the parameter `CarrierUrl`."""
    return {
        f"{name.removesuffix('Url')}ControlUrl": stand_in.control_url
        for name, stand_in in stand_ins.items()
    }


class _Server(ThreadingHTTPServer):
    """A server that takes its connections with it when it stops."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], stand_in: StandIn, port: int = 0
    ) -> None:
        super().__init__((HOST, port), handler, bind_and_activate=False)
        self.stand_in = stand_in
        self._connections: set[Any] = set()
        self._started = False
        self.server_bind()
        self.url = f"http://{HOST}:{self.server_port}"

    def start(self) -> None:
        self.server_activate()
        self._started = True
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._started:
            self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def write(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _System(_Handler):
    def serve(self) -> None:
        instruction = self.server.stand_in.instruction
        answer = self.server.stand_in.answers.get(self.path, instruction.answer)
        sent = self.read_body()
        request = Request(
            self.command, self.path, self.headers.items(), base64.b64encode(sent).decode()
        )
        self.server.stand_in.requests.append(request)
        if answer.hangs:
            instruction.replaced.wait()
            self.close_connection = True
            return
        instruction.replaced.wait(answer.seconds)
        given, tokens = self.headers.get("authorization"), self.server.stand_in.tokens
        if tokens and given not in [f"Bearer {token}" for token in tokens]:
            self.write(HTTPStatus.UNAUTHORIZED, ())
            request.answered = True
            return
        status, content = answer.status, answer.body.encode()
        if answer.base64:
            content = base64.b64decode(answer.body)
        elif answer.keeps:
            status, content = self._kept(sent)
        self.write(status, answer.headers, content)
        request.answered = True

    def _kept(self, sent: bytes) -> tuple[int, bytes]:
        kept = self.server.stand_in.kept
        if self.command == "PUT":
            kept[self.path] = sent
        elif self.command == "DELETE":
            kept.pop(self.path, None)
        elif self.path not in kept:
            return HTTPStatus.NOT_FOUND, b"{}"
        return HTTPStatus.OK, kept.get(self.path, b"{}")

    def __getattr__(self, name: str) -> Any:
        """Any method is one that it serves: http.server looks for `do_GET` and the like."""
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)


class _Control(_Handler):
    def do_PUT(self) -> None:
        told = json.loads(self.read_body())
        if self.path == "/tokens":
            self.server.stand_in.tokens = told
            self.write(HTTPStatus.OK, ())
            return
        if "headers" in told:
            told["headers"] = tuple((name, value) for name, value in told["headers"])
        self.server.stand_in.tell(Answer(**told))
        self.write(HTTPStatus.OK, ())

    def do_POST(self) -> None:
        signed, claims = self.server.stand_in.signed, json.loads(self.read_body())
        if self.path != "/token" or signed is None:
            self.write(HTTPStatus.NOT_FOUND, ())
            return
        json_type = ("content-type", "application/json")
        self.write(HTTPStatus.OK, [json_type], json.dumps(signed(claims)).encode())

    def do_GET(self) -> None:
        if self.path == "/key":
            pem = ("content-type", "application/x-pem-file")
            self.write(HTTPStatus.OK, [pem], self.server.stand_in.key)
            return
        requests = [asdict(request) for request in self.server.stand_in.requests]
        json_type = ("content-type", "application/json")
        self.write(HTTPStatus.OK, [json_type], json.dumps(requests).encode())

    def do_DELETE(self) -> None:
        self.server.stand_in.requests.clear()
        self.write(HTTPStatus.OK, ())
