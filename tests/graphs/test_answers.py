"""Graphs whose edges are synchronous: what the caller is answered, and when the callee fails."""

import http.client
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from graphs.deployed import Deployed, deployed
from graphs.overlay import Graph, graphs


def flavours(slug: str) -> list[Any]:
    return [
        pytest.param(
            graph,
            id=f"{graph.variant.runtime}-{graph.variant.iac}",
            marks=[
                pytest.mark.xdist_group(f"graph {graph}"),
                *([] if graph.variant.runtime == "python" else [pytest.mark.exhaustive]),
            ],
        )
        for graph in graphs()
        if graph.variant.pattern == slug
    ]


def answer(stack: Deployed, method: str, path: str, **headers: str) -> tuple[int, str]:
    parts = urllib.parse.urlsplit(stack.outputs["ApiUrl"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}{path}", headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


class Legacy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"legacy {self.path}".encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def legacy() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Legacy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("graph", flavours("strangler"))
def test_what_has_moved_is_served_here_and_all_else_there(
    graph: Graph, legacy: ThreadingHTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    address = f"http://127.0.0.1:{legacy.server_port}"
    with deployed(graph, tmp_path_factory, LegacyUrl=address) as stack:
        assert answer(stack, "GET", "/") == (200, "legacy /")
        assert answer(stack, "GET", "/old/7?a=1") == (200, "legacy /old/7?a=1")
        status, served = answer(stack, "GET", "/orders/7")
        assert (status, json.loads(served)) == (200, {"served": "/orders/7"})

        legacy.shutdown()
        legacy.server_close()

        assert answer(stack, "GET", "/old/7")[0] == 504
        assert answer(stack, "GET", "/orders")[0] == 200
