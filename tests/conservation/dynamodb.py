"""DynamoDB, with a server of ours between it and the functions."""

import http.client
import json
import select
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conservation.datastore import HITS_OF_AN_OUTAGE, LATE, OUTAGE_SECONDS, Interruptible, Item
from conservation.schedule import IDS, is_slow
from conservation.stack import Stack

WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")

VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
"""https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""

WAITS_SECONDS = 3
"""How long the services' SDKs wait for an answer (`read_timeout`, `requestTimeout`)."""

SUBSCRIBER = "Subscriber"
"""What is written by way of SNS, whose calls may come to our server as well."""

GONE = HTTPStatus.BAD_REQUEST, "ResourceNotFoundException"
"""What the SDKs do not try again by themselves: each call fails at once, as long as it lasts."""

BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError"
"""What they do try again, and code takes for a failure that passes."""


class DynamoDb(Interruptible):
    def __init__(self, stack: Stack, server: "_Server") -> None:
        self._stack, self._server = stack, server
        self.url = f"http://127.0.0.1:{server.server_port}"
        self._nodes = {table: node for node, table in stack.tables.items()}

    def stored(self) -> set[Item]:
        return {
            (node, message)
            for node in self._stack.tables
            for item in self._stack.items(node)
            for message in IDS.findall(json.dumps(item))
        }

    def written(self) -> Counter[Item]:
        return self._by_node(self._server.written)

    def answered(self) -> Counter[Item]:
        return self._by_node(self._server.answered)

    def fail_for_a_while(self) -> None:
        with self._server.lock:
            self._server.refused.clear()
            self._server.down = True
        time.sleep(OUTAGE_SECONDS)
        self._server.down = False

    def fail_until_tried(self, tries: float) -> None:
        with self._server.lock:
            self._server.refused.clear()
            self._server.down_for = self._waited_for()
            self._server.down_until_tried = tries

    def is_down(self) -> bool:
        return bool(self._server.down_until_tried)

    def recover(self) -> None:
        self._server.down_until_tried = 0

    def answer_late(self) -> None:
        self._server.call_seconds = LATE * WAITS_SECONDS

    def most_at_a_time(self) -> int:
        with self._server.lock:
            return max(self._server.most[table] for table in self._waited_for())

    def _waited_for(self) -> set[str]:
        tables = self._stack.tables
        return {tables.get(node, node) for node in self._stack.waits or tables}

    def _by_node(self, counts: Mapping[Item, int]) -> Counter[Item]:
        with self._server.lock:
            return Counter({(self._nodes[table], each): n for (table, each), n in counts.items()})


def _nothing(_item: Mapping[str, Any]) -> None:
    pass


@contextmanager
def disturbable(
    stack: Stack,
    slow_seconds: float,
    down: tuple[HTTPStatus, str] = GONE,
    note: Callable[[Mapping[str, Any]], None] = _nothing,
) -> Iterator[DynamoDb]:
    """Put our server between the functions and the emulator, for as long as the block.

    While it is down, it answers with this status and error. `note` gets each item that a write
    returns as it is then.
    """
    with _Server(stack.port, slow_seconds, down, note) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            table = DynamoDb(stack, server)
            _send_functions_to(stack, table.url)
            yield table
        finally:
            server.shutdown()
            thread.join()


def _send_functions_to(stack: Stack, url: str) -> None:
    functions = stack.client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            variables = function.get("Environment", {}).get("Variables", {})
            if any(name.endswith("_TABLE_NAME") for name in variables):
                name = function["FunctionName"]
                functions.update_function_configuration(
                    FunctionName=name, Environment={"Variables": {**variables, VARIABLE: url}}
                )
                # Whoever calls an alias gets a version, which stays as it was published.
                for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
                    version = functions.publish_version(FunctionName=name)["Version"]
                    functions.update_alias(
                        FunctionName=name, Name=alias["Name"], FunctionVersion=version
                    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        behind: int,
        slow_seconds: float,
        down: tuple[HTTPStatus, str],
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """`behind` is the port of the DynamoDB that keeps what is written."""
        super().__init__(("127.0.0.1", 0), _Call)
        self.behind, self.slow_seconds, self.note = behind, slow_seconds, note
        self.refusal = _refusal(*down)
        self.down = False
        self.refused = Counter[str]()
        """How often calls were refused in this outage, which lasts longer on a busy machine."""
        self.down_until_tried = 0.0
        """How often one message must be tried before an outage ends; 0 without one."""
        self.down_for = set[str]()
        """The tables that are down then."""
        self.call_seconds = 0.0
        """How long each call takes."""
        # By the names of tables: how many calls are being answered, and were at most.
        self.under_way, self.most = Counter[str](), Counter[str]()
        self.lock = threading.Lock()
        # By the names of tables.
        self.written = Counter[Item]()
        self.answered = Counter[Item]()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A function was killed, or the emulator has ended.
        if not isinstance(sys.exception(), ConnectionError | http.client.HTTPException):
            super().handle_error(request, client_address)


class _Call(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer are sent at once
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tables = _tables(body)
        with self.server.lock:
            self.server.under_way.update(tables)
            for table in tables:
                now = self.server.under_way[table]
                self.server.most[table] = max(self.server.most[table], now)
        try:
            time.sleep(self.server.call_seconds)
            self._answer(body, tables)
        finally:
            with self.server.lock:
                self.server.under_way.subtract(tables)

    def _answer(self, body: bytes, tables: set[str]) -> None:
        ids = set(IDS.findall(body.decode()))
        is_write = self.headers.get("X-Amz-Target", "").endswith(WRITES)
        # Only a write takes long: a message takes no longer for what is read beside it.
        pause = self.server.slow_seconds / 2 if is_write and any(map(is_slow, ids)) else 0
        # Half of the time passes before the item is written: whoever dies may have written it.
        time.sleep(pause)
        refused = self._is_refused(ids, body) or self._is_refused_now(tables, ids, body)
        status, answer = self.server.refusal if refused else self._forward(body)
        items: set[Item] = set()
        if is_write:
            items = {(table, each) for table in tables for each in ids}
        if status == 200:
            self._note(self.server.written, items)
            if is_write and (returned := json.loads(answer).get("Attributes")):
                self.server.note(returned)
        time.sleep(pause)
        is_there = status == 200 or b"ConditionalCheckFailed" in answer
        if is_there and not _is_gone(self.connection):
            self._note(self.server.answered, items)
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def setup(self) -> None:
        super().setup()
        self._behind = http.client.HTTPConnection("127.0.0.1", self.server.behind)

    def finish(self) -> None:
        self._behind.close()
        super().finish()

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        self._behind.request("POST", self.path, body, dict(self.headers))
        answer = self._behind.getresponse()
        return answer.status, answer.read()

    def _is_refused(self, ids: set[str], body: bytes) -> bool:
        """Whether the datastore is down, and this was not refused as often as it may be."""
        calls = ids or {body.decode()}
        with self.server.lock:
            if (
                not self.server.down
                or max(map(self.server.refused.__getitem__, calls)) >= HITS_OF_AN_OUTAGE
            ):
                return False
            self.server.refused.update(calls)
            return True

    def _is_refused_now(self, tables: set[str], ids: set[str], body: bytes) -> bool:
        """Whether an outage goes on, which ends with the last try that it is to refuse."""
        with self.server.lock:
            if not (self.server.down_until_tried and tables & self.server.down_for):
                return False
            calls = {f"{table} {each}" for table in tables for each in ids or {body.decode()}}
            self.server.refused.update(calls)
            if max(self.server.refused.values()) >= self.server.down_until_tried:
                self.server.down_until_tried = 0
            return True

    def _note(self, counter: Counter[Item], items: set[Item]) -> None:
        with self.server.lock:
            counter.update(items)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


def _refusal(status: HTTPStatus, error: str) -> tuple[int, bytes]:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", "message": "down for a while"}
    return status, json.dumps(body).encode()


def _tables(body: bytes) -> set[str]:
    """Return the names of the tables of a call, or of what another service serves."""
    if not body.startswith(b"{"):
        return {SUBSCRIBER}
    call = json.loads(body)
    items = [next(iter(each.values())) for each in call.get("TransactItems", [])] or [call]
    return {each["TableName"] for each in items if "TableName" in each}


def _is_gone(connection: socket.socket) -> bool:
    readable = select.poll()
    readable.register(connection, select.POLLIN)
    return bool(readable.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
