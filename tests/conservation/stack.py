"""A deployed service, as those see it who send to it and look for what became of it."""

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sls_patterns_cli.local.emulator.server import Emulator

RAW_DATA = re.compile(r'"rawData": ?"([A-Za-z0-9+/=]+)"')
"""What Firehose keeps of a record."""


class Stack:
    def __init__(self, emulator: Emulator, outputs: Mapping[str, str], project: Path) -> None:
        self.outputs, self.project = outputs, project
        self.waits: frozenset[str] = frozenset()
        """The nodes for which messages wait in a queue or stream; all if there are none."""
        self.subscribers: tuple[str, ...] = ()
        """The names of stacks of the project's template for subscribers."""
        self.emulator, self.port = emulator.pid, emulator.port
        self.client_environment = emulator.client_environment({})
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

    def most_failures(self) -> int:
        """Return how often the message has failed that failed most.

        Of records of a stream no line has an id, so it is how often a batch has failed.
        """
        logs, messages, batches = self.client("logs"), Counter[str](), Counter[str]()
        for page in logs.get_paginator("describe_log_groups").paginate():
            for name in (group["logGroupName"] for group in page["logGroups"]):
                events = logs.filter_log_events(logGroupName=name)["events"]
                texts = (str(each["message"]) for each in events)
                for line in (json.loads(text) for text in texts if text.startswith("{")):
                    if "message_id" in line:
                        messages[line["message_id"]] += line["message"] == "message failed"
                    elif line.get("level") == "ERROR":
                        batches[name] += 1
        return max((messages or batches).values(), default=0)

    def sources(self) -> list[str]:
        """Return the URLs of the queues that functions consume, and that give messages up."""
        return [url for url in self.queues.values() if "RedrivePolicy" in self.attributes(url)]

    def attributes(self, url: str) -> dict[str, str]:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = answer["Attributes"]
        return attributes

    def receive_once(self) -> None:
        """Let each message be a letter when it is received again."""
        for url in self.sources():
            policy = json.loads(self.attributes(url)["RedrivePolicy"]) | {"maxReceiveCount": 1}
            attributes = {"RedrivePolicy": json.dumps(policy)}
            self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def letters(self) -> int:
        """Count what is in dead-letter queues."""
        return sum(self.message_count(each) for each in self.queues if "DeadLetter" in each)

    def consumers_at_a_time(self) -> int:
        """Return how many messages of a queue are processed at a time; 0 where no limit is set."""
        limits = [each.get("ScalingConfig", {}) for each in self.mappings()]
        return min((each.get("MaximumConcurrency", 0) for each in limits), default=0)

    @contextmanager
    def not_consumed(self) -> Iterator[None]:
        """Let messages wait in queues in the block."""
        functions, mappings = self.client("lambda"), self.mappings()
        for each in mappings:
            functions.update_event_source_mapping(UUID=each["UUID"], Enabled=False)
        yield
        for each in mappings:
            functions.update_event_source_mapping(UUID=each["UUID"], Enabled=True)

    def mappings(self) -> list[dict[str, Any]]:
        """Return what leads from queues to functions."""
        pages = self.client("lambda").get_paginator("list_event_source_mappings").paginate()
        every = (each for page in pages for each in page["EventSourceMappings"])
        return [each for each in every if ":sqs:" in each["EventSourceArn"]]

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
