"""A deployed service, as those see it who send to it and look for what became of it."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from sls_patterns_cli.local.emulator.server import Emulator

RAW_DATA = re.compile(r'"rawData": ?"([A-Za-z0-9+/=]+)"')
"""What Firehose keeps of a record."""


class Stack:
    def __init__(self, emulator: Emulator, outputs: Mapping[str, str]) -> None:
        self.outputs = outputs
        self.emulator, self.port = emulator.pid, emulator.port
        self.client: Callable[[str], Any] = cache(emulator.client)

    @cached_property
    def tables(self) -> dict[str, str]:
        """The names of the DynamoDB tables, by their nodes."""
        return self._outputs("TableName")

    @cached_property
    def clusters(self) -> dict[str, str]:
        """The ids of the Aurora clusters, by their nodes."""
        return self._outputs("ClusterId")

    @cached_property
    def queues(self) -> dict[str, str]:
        """The URLs of the queues, by their names: those of nodes, and of dead-letter queues."""
        return {f"{name}Queue": url for name, url in self._outputs("QueueUrl").items()}

    def _outputs(self, what: str) -> dict[str, str]:
        found = ((name, value) for name, value in self.outputs.items() if name.endswith(what))
        return {name.removesuffix(what): value for name, value in found}

    @cached_property
    def signing_key(self) -> bytes:
        secrets = self.client("secretsmanager")
        secret = secrets.get_secret_value(SecretId=self.outputs["SigningSecretArn"])
        return base64.b64decode(secret["SecretString"])

    def items(self, node: str) -> list[dict[str, Any]]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.tables[node])
        return [item for page in pages for item in page["Items"]]

    def take(self, queue: str) -> list[str]:
        """Take all messages from a queue; return their bodies, or the objects that they tell of."""
        sqs, url, bodies = self.client("sqs"), self.queues[queue], []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                bodies.append(self._told_by(str(each["Body"])))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return bodies

    def _told_by(self, body: str) -> str:
        """Return the object of which a message tells that it was created, else the message."""
        told = json.loads(body).get("detail", {}) if '"Object Created"' in body else {}
        if "object" not in told:
            return body
        kept = self.client("s3").get_object(
            Bucket=told["bucket"]["name"], Key=told["object"]["key"]
        )
        content = kept["Body"].read()
        text = gzip.decompress(content) if told["object"]["key"].endswith(".gz") else content
        return RAW_DATA.sub(lambda raw: base64.b64decode(raw[1]).decode(), text.decode())

    def message_count(self, queue: str) -> int:
        """Count the messages of a queue, those included that are being processed."""
        attributes = self.client("sqs").get_queue_attributes(
            QueueUrl=self.queues[queue], AttributeNames=["All"]
        )["Attributes"]
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(attributes[count]) for count in counts)
