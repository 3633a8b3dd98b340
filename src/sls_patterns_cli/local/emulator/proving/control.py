"""The address at which `prove` breaks targets, fires schedules and reads the journal.

A POST to PATH has a JSON object; what it asks for is done, and the answer is JSON as well.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import eventbridge, lambda_svc

from sls_patterns_cli.local.emulator import journal
from sls_patterns_cli.local.emulator.adapters.iam import permissions
from sls_patterns_cli.local.emulator.adapters.lambda_ import record_batches
from sls_patterns_cli.local.emulator.proving import (
    PATH,
    deliveries,
    executions,
    functions,
    resources,
)

App = Callable[..., Awaitable[None]]


def controlled(app: App) -> App:
    """Return the emulator's application with the address in front."""

    async def with_control(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        status, answer = 200, None
        try:
            answer = await asyncio.to_thread(_do, json.loads(await _body(receive)))
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


def _do(request: dict[str, Any]) -> Any:
    match request["do"]:
        case "inert":
            return sorted(resources.make_inert(set(request["types"])))
        case "break":
            functions.faults = dict(request["functions"])
            executions.failing = set(request["machines"])
            for broken, kind in (
                (permissions.refusing, "denied"),
                (permissions.throttling, "throttled"),
            ):
                broken.clear()
                for arn in request[kind]:
                    broken.update(deliveries.targets(arn))
        case "hold":
            record_batches.held = request["held"]
            lambda_svc.esm_wake.set()
        case "fire":
            return deliveries.fire(request["arn"])
        case "event":
            # Only AWS's own services may send what begins with `aws.`.
            eventbridge._put_events({"Entries": [request["entry"]]}, allow_aws_source=True)
        case "next-note":
            return journal.next_number()
        case "journal":
            return journal.since(request["since"])
    return None
