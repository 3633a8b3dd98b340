"""Stands for a handler: logs what it could process, and sends it on along every edge that leaves.

Where to is in the variables that the wiring gave it. A message is any dictionary with an `id`,
however it is packed; the functions that it names under `fail` fail, unless they are mended.
"""

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3

NODE = __name__.rpartition(".")[2].replace("_", "-")


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001
    found = list(messages(event))
    if "MENDED" not in os.environ and any(NODE in each["fail"].split() for each in found):
        raise RuntimeError("told to fail")
    print(json.dumps({"node": NODE, "event": event}))
    for message in found:
        for variable, address in sorted(os.environ.items()):
            for suffix, send in SENDERS.items():
                if variable.endswith(suffix) and leads_on(variable):
                    send(address, message)
    return found[0] if found else {}


def leads_on(variable: str) -> bool:
    """Whether it names where a message goes next: no variable of Lambda does, and no end."""
    ends = ("FAILED_RECORDS", "DEAD_LETTER_QUEUE")
    return not variable.startswith("AWS_") and not any(each in variable for each in ends)


def messages(value: Any) -> Iterator[dict[str, Any]]:
    """Return every message in an event, from whatever service it came."""
    if isinstance(value, dict) and all(isinstance(value.get(k), str) for k in ("id", "fail")):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from messages(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from messages(inner)
    elif isinstance(value, str):
        unpacked = unpack(value)
        if unpacked is not None:
            yield from messages(unpacked)


def unpack(text: str) -> Any:
    """Return what a text holds: JSON, or bytes as Base64, which may be compressed."""
    if not text:
        return None
    try:
        held = json.loads(text)
    except ValueError:
        pass
    else:
        return held if isinstance(held, dict | list) else None
    try:
        content = base64.b64decode(text, validate=True)
        return unpack(
            (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
        )
    except ValueError:
        return None


def _queue(url: str, message: dict[str, Any]) -> None:
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(message))


def _topic(arn: str, message: dict[str, Any]) -> None:
    attributes = {
        key: {"DataType": "String", "StringValue": str(value)} for key, value in message.items()
    }
    boto3.client("sns").publish(
        TopicArn=arn, Message=json.dumps(message), MessageAttributes=attributes
    )


def _table(name: str, message: dict[str, Any]) -> None:
    table = boto3.resource("dynamodb").Table(name)
    table.put_item(Item={"id": message["id"], "message": json.dumps(message)})


def _function(name: str, message: dict[str, Any]) -> None:
    boto3.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(message)
    )


def _bucket(name: str, message: dict[str, Any]) -> None:
    content = json.dumps([message])
    boto3.client("s3").put_object(Bucket=name, Key=f"{message['id']}.json", Body=content)


SENDERS: dict[str, Callable[[str, dict[str, Any]], None]] = {
    "_QUEUE_URL": _queue,
    "_TOPIC_ARN": _topic,
    "_TABLE_NAME": _table,
    "_FUNCTION_NAME": _function,
    "_BUCKET_NAME": _bucket,
}
