"""An HTTP API tells `/orders/` from `/orders`: a route is matched as it is written.

AWS: a path with a slash at its end is another path, so a route without it answers 404. A REST API
ignores the slash when it looks for the resource, and the event's path keeps it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
https://github.com/aws-powertools/powertools-lambda-python/issues/1552

Emulator: drops the slash after a path of one part.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack import app
from ministack.services import apigateway

from sls_patterns_cli.local.emulator.adapters import replace

_ends_with_slash: ContextVar[bool] = ContextVar("whether the path that was sent ends with a slash")


def apply() -> None:
    replace(app, "app", "ab1297bd6cd5", _remembering)
    replace(apigateway, "handle_execute", "c7a2f92d7eb6", _as_sent)


def _remembering(serve: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def serve_request(scope: Any, receive: Any, send: Any) -> None:
        _ends_with_slash.set(scope.get("path", "").endswith("/"))
        await serve(scope, receive, send)

    return serve_request


def _as_sent(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def execute_request(api: str, stage: str, path: str, *rest: Any, **options: Any) -> Any:
        if _ends_with_slash.get(False) and not path.endswith("/"):
            path += "/"
        return await execute(api, stage, path, *rest, **options)

    return execute_request
