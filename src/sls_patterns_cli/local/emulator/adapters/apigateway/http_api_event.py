"""The event of an HTTP API without path parameters says nothing of path parameters.

AWS: fields that a request has no values for are left out.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Emulator: `pathParameters` is null then, which validators of the event refuse, as Powertools for
TypeScript does.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    replace(apigateway, "run_reentrant", "bd6c9a9940ab", _without_nothing)


def _without_nothing(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def run_reentrant(function: Any, *arguments: Any, **options: Any) -> Any:
        return await run(function, *map(_slim, arguments), **options)

    return run_reentrant


def _slim(argument: Any) -> Any:
    """The argument; of an event, what there is of it."""
    if not isinstance(argument, dict) or argument.get("pathParameters", "") is not None:
        return argument
    return {name: value for name, value in argument.items() if name != "pathParameters"}
