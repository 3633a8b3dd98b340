"""What a pipe makes of a record: input templates, and parameters that are paths.

AWS: `<$.body.id>` in a template stands for a value of the record, `<aws.pipes.pipe-name>` for one
of the pipe. A queue's `body` and a stream's `data` are read as JSON where they are.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
"""

import base64
import json
import re
from contextlib import suppress
from typing import Any

VARIABLE = re.compile(r"<((?:\$|aws\.pipes\.)[^<>]*)>")
STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]")

NAMES = {
    "aws.pipes.pipe-arn": "Arn",
    "aws.pipes.pipe-name": "Name",
    "aws.pipes.source-arn": "Source",
    "aws.pipes.enrichment-arn": "Enrichment",
    "aws.pipes.target-arn": "Target",
}


def rendered(template: str, record: Any, pipe: dict[str, Any]) -> Any:
    """Return what a template makes of a record: JSON where it is, else a text."""
    parts, end = list[str](), 0
    for found in VARIABLE.finditer(template):
        parts.append(template[end : found.start()])
        value = _variable(found[1], record, pipe)
        text = "".join(parts)
        within = (text.count('"') - text.count('\\"')) % 2 == 1
        parts.append(json.dumps(as_text(value))[1:-1] if within else json.dumps(value))
        end = found.end()
    text = "".join([*parts, template[end:]])
    try:
        return json.loads(text)
    except ValueError:
        return text


def _variable(name: str, record: Any, pipe: dict[str, Any]) -> Any:
    if name in {"aws.pipes.event", "aws.pipes.event.json"}:
        return record
    return pipe.get(NAMES[name], "") if name in NAMES else _at(name, record)


def value_of(given: Any, record: Any) -> Any:
    """Return a parameter, or what it means in a record if it is a path."""
    return _at(given, record) if isinstance(given, str) and given.startswith("$") else given


def as_text(value: Any) -> str:
    """Return a value as the body of a message or as an attribute."""
    return value if isinstance(value, str) else json.dumps(value)


def _at(path: str, record: Any) -> Any:
    """Return what stands at a path of a record; an empty text where nothing does."""
    value = record
    for place, (name, number, quoted) in enumerate(STEP.findall(path)):
        value = _step(value, name or quoted, number)
        if place == 0:
            value = _decoded(name or quoted, value)
    return "" if value is None else value


def _decoded(name: str, value: Any) -> Any:
    """The body of a message or the data of a record as JSON, where they are JSON."""
    if name not in {"body", "data"} or not isinstance(value, str):
        return value
    text = value
    if name == "data":
        with suppress(ValueError):
            text = base64.b64decode(value, validate=True).decode()
    with suppress(ValueError):
        return json.loads(text)
    return text


def _step(value: Any, name: str, number: str) -> Any:
    if number:
        is_there = isinstance(value, list) and int(number) < len(value)
        return value[int(number)] if is_there else None
    return value.get(name) if isinstance(value, dict) else None
