"""A payment provider: it makes one payment for an idempotency key, however often it is asked.

`StandIn` answers what it is told. This one keeps what it did, so that a payment is counted that
was made although nobody got its answer.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Payment:
    id: str
    key: str
    reference: str


class PaymentProvider(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers_after_seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers_after_seconds = answers_after_seconds
        self.after_payment: Callable[[Payment], None] = lambda _payment: None
        """Is called when a payment has been made, before anybody knows of it."""
        self._payments: dict[str, Payment] = {}
        """By key."""
        self._keys = Counter[str]()
        self._under_way = self._most = 0
        self._lock = threading.Lock()

    def payments(self) -> list[Payment]:
        with self._lock:
            return [*self._payments.values()]

    def attempts(self) -> Counter[str]:
        """Return how often each key came."""
        with self._lock:
            return Counter(self._keys)

    def most_at_a_time(self) -> int:
        """Return how many payments were asked for and not answered yet, at most."""
        with self._lock:
            return self._most

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Take the block for what passes between a request and its answer."""
        with self._lock:
            self._under_way += 1
            self._most = max(self._most, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def pay(self, key: str, reference: str) -> Payment:
        """Make the payment, unless that is done."""
        with self._lock:
            self._keys[key] += 1
            is_new = key not in self._payments
            if is_new:
                self._payments[key] = Payment(f"pay_{len(self._payments)}", key, reference)
            made = self._payments[key]
        if is_new:
            self.after_payment(made)
        return made

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of functions that were killed."""


class _Call(BaseHTTPRequestHandler):
    server: PaymentProvider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counted():
            made = self.server.pay(self.headers["Idempotency-Key"], body["reference"])
            time.sleep(self.server.answers_after_seconds)
        self._answer(HTTPStatus.CREATED, {"id": made.id})

    def do_GET(self) -> None:
        (reference,) = parse_qs(urlsplit(self.path).query)["reference"]
        found = [{"id": each.id} for each in self.server.payments() if each.reference == reference]
        self._answer(HTTPStatus.OK, {"payments": found})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        answer = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def payment_provider(answers_after_seconds: float = 0.0) -> Iterator[PaymentProvider]:
    """Yield a provider that runs as long as the block."""
    with PaymentProvider(answers_after_seconds) as provider:
        thread = threading.Thread(target=provider.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield provider
        finally:
            provider.shutdown()
            thread.join()
