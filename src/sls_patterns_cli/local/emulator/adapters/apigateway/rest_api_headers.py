"""A REST API passes the names of headers on as the caller has written them.

AWS: the event of a function holds them so, and $input.params() finds a header by that name only;
an HTTP API gives them in lower case.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Emulator: its server makes all names lower case before anything else sees them.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from hypercorn.config import Config
from ministack import app
from ministack.services import apigateway_v1

from sls_patterns_cli.local.emulator.adapters import replace

_spelling: ContextVar[dict[str, str]] = ContextVar("the names of headers as they were sent")


class Headers(dict[str, Any]):
    """Headers by their names as they were sent; the emulator itself asks in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        return next((self[each] for each in self if each.lower() == name), default)


def apply() -> None:
    Config.h11_pass_raw_headers = True
    replace(app, "app", "ab1297bd6cd5", _remembering)
    replace(apigateway_v1, "handle_execute", "c44e927a3e33", _as_sent)


def _remembering(serve: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def serve_request(scope: Any, receive: Any, send: Any) -> None:
        sent = scope.get("headers", [])
        _spelling.set({name.lower().decode(): name.decode() for name, _ in sent})
        lower = [(name.lower(), value) for name, value in sent]
        await serve({**scope, "headers": lower}, receive, send)

    return serve_request


def _as_sent(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def execute_request(
        api: str, stage: str, method: str, path: str, headers: dict[str, Any], *rest: Any
    ) -> Any:
        spelling = _spelling.get({})
        as_sent = Headers({spelling.get(name, name): value for name, value in headers.items()})
        return await execute(api, stage, method, path, as_sent, *rest)

    return execute_request
