"""The address at which this tool asks the emulator for what no API of AWS offers.

A POST to PATH has a JSON object; what it asks for is done, and the answer is JSON as well.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

PATH = "/_sls-patterns/control"

App = Callable[..., Awaitable[None]]
Do = Callable[[dict[str, Any]], Any]


def controlled(app: App, do: Do) -> App:
    """Return the emulator's application with the address in front; `do` answers requests."""

    async def with_control(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        status, answer = 200, None
        try:
            answer = await asyncio.to_thread(do, json.loads(await _body(receive)))
        except Exception as error:  # noqa: BLE001 - told to whoever asks
            status, answer = 500, repr(error)
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return with_control


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
