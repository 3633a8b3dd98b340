"""A backlog of a FIFO queue: what becomes of each entry while functions are killed.

Run it to measure: 2,000 entries of 50 accounts, in both topologies.
"""

import json
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bursts import deployed
from local.processes import environments
from local.support import Client

SEED = 20260105
ENTRIES, ACCOUNTS = 2000, 50
DUPLICATES, POISON = 0.05, 0.01
"""How many of the messages are sent again, five minutes later as SQS sees it, or are no entries."""

KILL_EVERY_SECONDS = 1.0
OUTAGE_SECONDS = 0.5
"""Ends before a message is given up."""

CONSUMERS = {"native": "PostFunctionName", "scheduled": "DrainFunctionName"}


@dataclass
class Backlog:
    """What was sent, and what became of it."""

    sent: dict[str, list[str]]
    """The entries of each account that are fit to be posted, in the order of sending."""
    posted: dict[str, list[str]]
    """Those in the ledger, by the positions that they have there."""
    positions: dict[str, list[int]]
    poison: set[str]
    """The ids of the messages that are no entries."""
    dead: set[str]
    """The ids of the messages in the dead-letter queue."""
    kills: int
    seconds: float

    @property
    def lost(self) -> set[str]:
        """What is neither in the ledger nor in the dead-letter queue."""
        posted = {entry for entries in self.posted.values() for entry in entries}
        sent = {entry for entries in self.sent.values() for entry in entries}
        return (sent - posted) | (self.poison - self.dead)

    def __str__(self) -> str:
        count = sum(map(len, self.posted.values()))
        return (
            f"{count} entries of {len(self.sent)} accounts in {self.seconds:.0f} s, "
            f"{count / self.seconds:.0f} a second; {len(self.dead)} dead letters, "
            f"{self.kills} environments killed, 1 outage; {len(self.lost)} lost"
        )


@dataclass
class _Schedule:
    """Messages in the order of sending; those that are sent again are no news to the ledger."""

    messages: list[dict[str, str]] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    poisonous: list[int] = field(default_factory=list)
    """The numbers of the messages that are no entries."""


def drained(
    folder: Path,
    count: int,
    *,
    change: Callable[[Path], None] | None = None,
    patience_seconds: float = 900,
    **answers: str,
) -> Backlog:
    """Send a backlog to a `fifoer`, and disturb it until all of it has ended somewhere."""
    with deployed(folder, change=change, pattern="fifoer", **answers) as stack:
        client, outputs = stack.emulator.client, stack.outputs
        schedule = _schedule(count)
        with _killing(stack.emulator.pid) as kills:
            since = time.monotonic()
            message_ids = _send(client, outputs["EntriesQueueUrl"], schedule.messages)
            _outage(client, outputs[CONSUMERS[answers["topology"]]])
            poison = {message_ids[number] for number in schedule.poisonous}
            expected = sum(map(len, schedule.sent.values()))
            dead: set[str] = set()
            while time.monotonic() - since < patience_seconds:
                dead |= _dead_letters(client, outputs["EntriesDeadLetterQueueUrl"])
                posted, positions = _ledger(client, outputs["LedgerTableName"])
                if sum(map(len, posted.values())) >= expected and dead >= poison:
                    break
                time.sleep(0.5)
        seconds = time.monotonic() - since
    return Backlog(schedule.sent, posted, positions, poison, dead, len(kills), seconds)


def _schedule(count: int) -> _Schedule:
    chance = random.Random(SEED)  # noqa: S311 - the same each time
    schedule = _Schedule()
    for number in range(count):
        account = f"account-{chance.randrange(max(5, count * ACCOUNTS // ENTRIES))}"
        entry = f"entry-{number}"
        kind = chance.random()
        before = schedule.sent[account]
        if kind < POISON:
            schedule.poisonous.append(number)
        elif kind < POISON + DUPLICATES and before:
            entry = chance.choice(before)
        else:
            before.append(entry)
        body = {"id": entry, "account": account, "amount_cents": "much" if kind < POISON else 1}
        schedule.messages.append(
            {
                "MessageBody": json.dumps(body),
                "MessageGroupId": account,
                "MessageDeduplicationId": str(number),
            }
        )
    return schedule


def _send(client: Client, url: str, messages: list[dict[str, str]]) -> list[str]:
    message_ids = []
    for start in range(0, len(messages), 10):
        batch = messages[start : start + 10]
        entries = [{"Id": str(number), **message} for number, message in enumerate(batch)]
        answer = client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        sent = {each["Id"]: each["MessageId"] for each in answer["Successful"]}
        message_ids += [sent[str(number)] for number in range(len(batch))]
    return message_ids


def _outage(client: Client, function: str) -> None:
    """Send the function to a table that does not exist, for a while."""
    functions = client("lambda")
    variables = functions.get_function_configuration(FunctionName=function)["Environment"][
        "Variables"
    ]
    missing = {**variables, "LEDGER_TABLE_NAME": "missing"}
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": missing}
    )
    time.sleep(OUTAGE_SECONDS)
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )


def _dead_letters(client: Client, url: str) -> set[str]:
    sqs, taken = client("sqs"), set()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            taken.add(message["MessageId"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken


def _ledger(client: Client, table: str) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """Return the entries of each account, and their positions, in the order of these."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for page in client("dynamodb").get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if "account" in item:
                entry = item["id"]["S"].removeprefix("entry#")
                found[item["account"]["S"]].append((int(item["position"]["N"]), entry))
    ordered = {account: sorted(entries) for account, entries in found.items()}
    return (
        {account: [entry for _, entry in entries] for account, entries in ordered.items()},
        {account: [position for position, _ in entries] for account, entries in ordered.items()},
    )


@contextmanager
def _killing(emulator: int) -> Iterator[list[int]]:
    """Kill one of the functions' environments every now and then; yield those that were."""
    killed: list[int] = []
    over = threading.Event()
    chance = random.Random(SEED)  # noqa: S311 - the same each time

    def kill_some() -> None:
        while not over.wait(KILL_EVERY_SECONDS):
            if running := sorted(environments(emulator)):
                killed.append(chance.choice(running))
                with suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill_some)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def main() -> None:
    for topology in CONSUMERS:
        for runtime in ("python", "typescript"):
            with TemporaryDirectory() as name:
                backlog = drained(
                    Path(name) / "project", ENTRIES, topology=topology, runtime=runtime
                )
                print(f"{topology}, {runtime}: {backlog}", flush=True)


if __name__ == "__main__":
    main()
