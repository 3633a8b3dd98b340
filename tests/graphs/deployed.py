"""A graph's stack on a local emulator, as its nodes see it."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from environments import link_modules
from graphs.overlay import Graph
from graphs.stub import messages
from local.support import Client
from physical import physical_id

from sls_patterns_cli.catalog.model import Node
from sls_patterns_cli.letters.deployed import CDK_HASH
from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

SUFFIXES = {
    "queue": "QueueUrl",
    "topic": "TopicArn",
    "schedule": "ScheduleName",
    "http-api": "Url",
    "rest-api": "Url",
    "stream": "StreamName",
    "delivery": "DeliveryStreamName",
    "datastore": "BucketName",
}
"""What the outputs that lead to a node are called, after the node's own name."""


KILLED = """
import os, runpy, signal, sys
from sls_patterns_cli.letters import exclusion, stores

stores.QueueReading.delete_all = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
stores.seconds = lambda _: 2
exclusion.HELD_SECONDS = 2
sys.argv = ["sls-patterns", *sys.argv[1:]]
runpy.run_module("sls_patterns_cli", run_name="__main__")
"""
"""The command, killed when it is about to delete a letter that it has sent.

It hides the letter, and takes its queue, for 2 s.
"""


EVERYTHING = "--all", "--all-readers", "--yes"


@dataclass(frozen=True)
class Deployed:
    graph: Graph
    outputs: dict[str, str]
    client: Client
    project: Path
    environment: dict[str, str]
    """What leads the project's own tools to the emulator."""

    def node(self, name: str) -> Node:
        return next(node for node in self.graph.topology.nodes if node.name == name)

    def address(self, name: str) -> str:
        """Return the name, URL or ARN by which a node is reached."""
        kind = self.node(name).kind
        if kind == "function":
            return physical_id(self.client, f"{_pascal(name)}Function")
        return self.outputs[f"{_pascal(name)}{SUFFIXES[kind]}"]

    def read_by(self, function: str) -> list[str]:
        """Return the ids of all messages in the events that a stub's function could process."""
        logs = self.client("logs")
        group = physical_id(self.client, f"{_pascal(function)}FunctionLogGroup")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            lines = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            found["id"]
            for line in lines
            if line.startswith('{"node"')
            for found in messages(json.loads(line)["event"])
        ]

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

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return the letters, one by one."""
        listed: list[dict[str, Any]] = json.loads(self._letters("show", "--payload"))
        return [{**each, "queue": CDK_HASH.sub("", each["end"])} for each in listed]

    def redrive(self) -> None:
        """Do what `make redrive` does."""
        for redriven in json.loads(self._letters("redrive", *EVERYTHING)):
            assert redriven["letters"] == [], redriven

    def redrive_killed_before_it_deletes(self) -> None:
        """Redrive one by one, in a process that is killed once it has sent a letter."""
        command = [sys.executable, "-c", KILLED, "letters", "redrive", "--stack", self._stack]
        done = subprocess.run(
            [*command, "--older-than", "0s", "--all-readers", "--yes"],
            env=self.environment,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL

    @property
    def _stack(self) -> str:
        return self.environment["STACK_NAME"]

    def _letters(self, *arguments: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "sls_patterns_cli", "letters", *arguments),
                *("--stack", self._stack, "--json"),
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.stdout

    def _object(self, bucket: str, key: str) -> list[str]:
        """Return its lines: what Firehose joins holds a record in each."""
        answer = self.client("s3").get_object(Bucket=bucket, Key=key)
        content: bytes = answer["Body"].read()
        text = (gzip.decompress(content) if key.endswith(".gz") else content).decode()
        return text.splitlines()


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
    with session._stack(project, Progress(), parameters) as running:
        environment = {
            **running.emulator.client_environment(os.environ),
            "STACK_NAME": running.project.stack_name,
        }
        client = cache(running.emulator.client)
        yield Deployed(graph, running.outputs, client, project, environment)
    shutil.rmtree(project)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
