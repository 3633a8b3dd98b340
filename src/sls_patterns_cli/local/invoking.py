"""Invokes a function of a running stack as the console's Test button does."""

import base64
import json
from dataclasses import dataclass

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.running import Running


@dataclass(frozen=True)
class Answer:
    """What a function has returned, or the error that it has raised, as JSON; and its log."""

    payload: str
    log: str
    failed: bool


def invoke(running: Running, function: str, event: bytes) -> Answer:
    """Invoke a function synchronously with an event, JSON in UTF-8; raises UserError.

    `function` is its logical id, or the start of it.
    """
    try:
        json.loads(event)
    except ValueError as error:
        raise UserError(f"the event is not JSON: {error}") from error
    resource = running.resource(function, {"AWS::Lambda::Function"})
    answer = running.client("lambda").invoke(
        FunctionName=resource.physical_id, Payload=event, LogType="Tail"
    )
    return Answer(
        answer["Payload"].read().decode(),
        base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
        "FunctionError" in answer,
    )
