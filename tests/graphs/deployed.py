"""A graph's stack on a local emulator, as its nodes see it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import pytest
from environments import link_modules
from graphs.overlay import Graph
from graphs.stub import messages
from local.support import Client

from sls_patterns_cli.local import session
from sls_patterns_cli.pattern import Node

SUFFIXES = {
    "function": "FunctionName",
    "queue": "QueueUrl",
    "topic": "TopicArn",
    "log-group": "LogGroupName",
    "schedule": "ScheduleName",
    "state-machine": "StateMachineArn",
    "http-api": "Url",
    "rest-api": "Url",
    "stream": "StreamName",
    "delivery": "DeliveryStreamName",
    "datastore": "BucketName",
}
"""What the outputs that lead to a node are called, after the node's own name."""


@dataclass(frozen=True)
class Deployed:
    graph: Graph
    outputs: dict[str, str]
    client: Client

    def node(self, name: str) -> Node:
        return next(node for node in self.graph.topology.nodes if node.name == name)

    def address(self, name: str) -> str:
        """Return the name, URL or ARN by which a node is reached."""
        kind = self.node(name).kind
        return self.outputs[f"{_pascal(name)}{SUFFIXES[kind]}"]

    def read_by(self, function: str) -> set[str]:
        """Return the ids of all messages in the events that a stub's function has logged."""
        logs = self.client("logs")
        group = self.outputs[f"{_pascal(function)}FunctionLogGroupName"]
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            lines = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return set()
        return {
            found["id"]
            for line in lines
            if line.startswith('{"node"')
            for found in messages(json.loads(line)["event"])
        }

    def succeeded(self, machine: str) -> set[str]:
        """Return the ids of the messages whose execution of a state machine has succeeded."""
        states, arn = self.client("stepfunctions"), self.address(machine)
        done = states.list_executions(stateMachineArn=arn, statusFilter="SUCCEEDED")["executions"]
        inputs = [
            states.describe_execution(executionArn=execution["executionArn"])["input"]
            for execution in done
        ]
        return {found["id"] for found in messages(inputs)}

    def ended_in(self, end: str) -> set[str]:
        """Return the ids of messages in a dead-letter queue, by the name that the graph has."""
        url = self.outputs[f"{_pascal(end.removesuffix('-dlq'))}DeadLetterQueueUrl"]
        sqs = self.client("sqs")
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        bodies = [message["Body"] for message in answer.get("Messages", [])]
        events = [json.loads(body) for body in bodies]
        told = [event["detail"] for event in events if event.get("source") == "aws.s3"]
        objects = [self._object(about["bucket"]["name"], about["object"]["key"]) for about in told]
        return {found["id"] for found in messages([*bodies, *objects])}

    def delivered_to(self, bucket: str) -> set[str]:
        """Return the ids of the messages in a bucket's objects that hold no errors."""
        name = self.address(bucket)
        listed = self.client("s3").list_objects_v2(Bucket=name).get("Contents", [])
        keys = [each["Key"] for each in listed if not each["Key"].startswith("errors/")]
        return {found["id"] for key in keys for found in messages(self._object(name, key))}

    def _object(self, bucket: str, key: str) -> str:
        answer = self.client("s3").get_object(Bucket=bucket, Key=key)
        content: bytes = answer["Body"].read()
        return content.decode()


@contextmanager
def deployed(
    graph: Graph, factory: pytest.TempPathFactory, **parameters: str
) -> Iterator[Deployed]:
    """Deploy a graph to an emulator of its own, which ends with the block."""
    project = graph.render(factory.mktemp("graph") / "project")
    if graph.variant.runtime == "typescript":
        link_modules(project)
    else:
        # What the functions require is installed once for all graphs that require the same.
        required = hashlib.sha256((project / "src/requirements.txt").read_bytes()).hexdigest()
        work = factory.getbasetemp() / f"work-{required}"
        work.mkdir(exist_ok=True)
        (project / ".sls-patterns").symlink_to(work)
    with session._stack(project, print, parameters) as running:
        yield Deployed(graph, running.outputs, cache(running.emulator.client))


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
