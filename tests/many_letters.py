"""Many dead letters on the local stack: how long it takes to list them and to send them back.

Each kind has a queue or bucket of one deployed stack, and is listed and redriven letter by letter
by the command as users run it, with its memory at the most. What arrived is compared with what was
sent: each letter once, and those of a message group in their order.
"""

import base64
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from command import Cli, environment
from local.support import REGION

from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator

LETTERS, GROUPS, IN_ONE_GROUP = 100_000, 20_000, 10_000

OBJECTS, ROWS = 1_000, 5_000

LIST_SECONDS, REDRIVE_SECONDS = 60, 300

SENDERS = 4
STACK = "many"
BODY = "x" * 500


def queue(name: str, **properties: Any) -> dict[str, Any]:
    """Return the resources of a queue with its dead-letter queue."""
    dead = {"Type": "AWS::SQS::Queue", "Properties": properties}
    policy = {"deadLetterTargetArn": {"Fn::GetAtt": [f"{name}Dlq", "Arn"]}, "maxReceiveCount": 5}
    alive = {"Type": "AWS::SQS::Queue", "Properties": {**properties, "RedrivePolicy": policy}}
    return {name: alive, f"{name}Dlq": dead}


TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "firehose.amazonaws.com"},
        }
    ]
}
WRITES = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}

TEMPLATE: dict[str, Any] = {
    "Resources": {
        **queue("Standard"),
        **queue("Groups", FifoQueue=True),
        **queue("OneGroup", FifoQueue=True),
        "Lake": {"Type": "AWS::S3::Bucket"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": "lake", "PolicyDocument": {"Statement": [WRITES]}}],
            },
        },
        "Delivery": {
            "Type": "AWS::KinesisFirehose::DeliveryStream",
            "Properties": {
                "ExtendedS3DestinationConfiguration": {
                    "BucketARN": {"Fn::GetAtt": ["Lake", "Arn"]},
                    "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Prefix": "data/",
                    "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
                }
            },
        },
    },
}


@dataclass
class Stack:
    """The deployed stack, with the physical ids of its resources."""

    emulator: Emulator
    user: Cli
    ids: dict[str, str]

    def sqs(self) -> Any:
        return self.emulator.client("sqs")

    def run(self, *arguments: str) -> tuple[int, str, float, float]:
        """Run `letters`; return the exit code, the output, seconds, and megabytes at the most."""
        started = time.monotonic()
        process = self.user.start("letters", *arguments)
        peak = 0

        def watch() -> None:
            nonlocal peak
            while process.poll() is None:
                # The usage that the kernel tells at the end begins with that of its parent.
                with suppress(OSError):
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    found = status.partition("VmHWM:")[2].split()
                    peak = int(found[0]) if found else peak
                time.sleep(0.1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
        return process.returncode, out, time.monotonic() - started, peak / 1024


def fill(stack: Stack, name: str, groups: list[str]) -> None:
    """Send a letter of each message group to a dead-letter queue; "" is none."""
    url = stack.ids[f"{name}Dlq"]

    def entry(number: int, group: str) -> dict[str, str]:
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": str(number)} if group else {}
        return {"Id": str(number), "MessageBody": f"{number} {group} {BODY}", **fifo}

    def send(sender: int) -> None:
        sqs = stack.sqs()
        mine = [
            entry(number, group)
            for number, group in enumerate(groups)
            # A group has one sender, so that it is in order.
            if (hash(group) if group else number) % SENDERS == sender
        ]
        for start in range(0, len(mine), 10):
            sqs.send_message_batch(QueueUrl=url, Entries=mine[start : start + 10])

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(SENDERS)))


def arrived(stack: Stack, name: str) -> Iterator[tuple[int, str]]:
    """Take what is in a queue: yield the number and the message group of each."""
    sqs, url = stack.sqs(), stack.ids[name]
    asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200}
    while found := sqs.receive_message(**asked).get("Messages"):
        entries = [
            {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
            for number, each in enumerate(found)
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        for each in found:
            number, group, _ = each["Body"].split(" ")
            yield int(number), group


def measured(stack: Stack, end: str) -> Iterator[str]:
    """List the letters of an end, and send them back; say what it took."""
    only = ("--stack", STACK, "--end", end)
    code, out, seconds, megabytes = stack.run("list", *only, "--json")
    (listed,) = json.loads(out)["ends"]
    seen = "" if listed["complete"] else ", and says that it has not seen all"
    yield f"{end}: {listed['seen']} listed in {seconds:.1f} s, {megabytes:.0f} MB{seen}"
    assert code == (0 if listed["complete"] else 1)
    assert seconds < LIST_SECONDS
    code, out, seconds, megabytes = stack.run(
        "redrive", *only, "--older-than", "0s", "--no-canary", "--yes"
    )
    yield f"{out.strip()} in {seconds:.1f} s, {megabytes:.0f} MB"
    assert code == 0
    assert seconds < REDRIVE_SECONDS


def messages(stack: Stack, name: str, groups: list[str]) -> Iterator[str]:
    """Measure the letters of a queue, and compare what arrives with what was sent."""
    fill(stack, name, groups)
    yield from measured(stack, f"{name}Dlq")
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, group in arrived(stack, name):
        numbers[group].append(number)
    assert sum(map(len, numbers.values())) == len(groups)
    assert len({number for each in numbers.values() for number in each}) == len(groups)
    for group, found in numbers.items():
        assert not group or found == sorted(found), group


def deliveries(stack: Stack, objects: int, rows: int) -> Iterator[str]:
    """Measure objects of rows that Firehose could not deliver."""
    s3, bucket = stack.emulator.client("s3"), stack.ids["Lake"]
    for number in range(objects):
        lines = [
            json.dumps(
                {
                    "errorCode": "Lambda.FunctionError",
                    "errorMessage": "it could not",
                    "rawData": base64.b64encode(f"<{number}.{row}>".encode()).decode(),
                }
            )
            for row in range(rows)
        ]
        key = f"failed/processing-failed/{number:04}"
        s3.put_object(Bucket=bucket, Key=key, Body="\n".join(lines))
    yield from measured(stack, "Lake")
    deadline, found = time.monotonic() + 120, 0
    while found < objects * rows and time.monotonic() < deadline:
        time.sleep(0.5)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="data/")
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
        found = sum(body.count(b"<") for body in bodies)
    assert found == objects * rows, found


def main(share: int) -> None:
    """Measure each kind, or with a `share` of 10 a tenth of each."""
    kinds: dict[str, Callable[[Stack], Iterator[str]]] = {
        "standard": lambda stack: messages(stack, "Standard", [""] * (LETTERS // share)),
        "groups": lambda stack: messages(
            stack,
            "Groups",
            [f"g{number % (GROUPS // share)}" for number in range(LETTERS // share)],
        ),
        "one-group": lambda stack: messages(stack, "OneGroup", ["g"] * (IN_ONE_GROUP // share)),
        "firehose": lambda stack: deliveries(stack, OBJECTS // share, ROWS),
    }
    chosen = os.environ.get("KIND") or " ".join(kinds)
    for kind in chosen.split():
        with Emulator(REGION, {}) as emulator, TemporaryDirectory() as folder:
            deploy.deploy(emulator, STACK, TEMPLATE)
            found = emulator.client("cloudformation").list_stack_resources(StackName=STACK)
            ids = {
                each["LogicalResourceId"]: each["PhysicalResourceId"]
                for each in found["StackResourceSummaries"]
            }
            home = environment(Path(folder))
            user = Cli(Path(folder), home | emulator.client_environment({}))
            for line in kinds[kind](Stack(emulator, user, ids)):
                print(line, flush=True)


if __name__ == "__main__":
    main(int(os.environ.get("SHARE") or 1))
