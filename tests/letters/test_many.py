"""Ten thousand letters: all are seen and sent, with the memory that few take."""

import json
import os
import sys
import time
from collections.abc import Callable

import pytest
from command import Cli
from letters.conftest import bodies
from letters.test_deployed import YAML, Create, create
from letters.test_interruptions import visible
from local.support import Client

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

FEW, MANY = 100, 10_000
MOST_MORE_MEGABYTES = 20
Run = Callable[..., tuple[int, str, float, float]]


@pytest.fixture
def run(user: Cli, emulator: Emulator) -> Run:
    """Runs `letters`; returns the exit code, the output, seconds and megabytes at the most."""

    def measured(*arguments: str) -> tuple[int, str, float, float]:
        assert emulator.pid
        started = time.monotonic()
        process = Cli(user.folder, user.environment).start("letters", *arguments)
        assert process.stdout
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        return process.returncode, out, time.monotonic() - started, kilobytes / 1024

    return measured


@pytest.mark.exhaustive
def test_ten_thousand_letters_take_the_memory_of_few(
    run: Run, create: Create, client: Client, record_property: Callable[[str, object], None]
) -> None:
    create("many", YAML)
    found = client("cloudformation").list_stack_resources(StackName="many")
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in found["StackResourceSummaries"]
    }
    _fill(client, ids["First"], FEW)
    *_, few_megabytes = run("list", "--stack", "many")
    _fill(client, ids["First"], MANY - FEW)

    code, out, seconds, megabytes = run("list", "--stack", "many", "--json")
    (end,) = json.loads(out)["ends"]
    sent_code, sent, sent_seconds, sent_megabytes = run(
        *("redrive", "--stack", "many", "--older-than", "0s", "--no-canary", "--yes")
    )

    figures = {
        "list seconds": round(seconds, 1),
        "list megabytes": (round(few_megabytes), round(megabytes)),
        "redrive seconds": round(sent_seconds, 1),
        "redrive megabytes": round(sent_megabytes),
    }
    print(figures)
    record_property("figures", figures)
    assert (code, end["seen"], end["complete"]) == (0, MANY, True)
    assert (sent_code, sent) == (0, f"First: {MANY} sent back\n")
    assert visible(client, ids["Queue"]) == MANY
    assert bodies(client, ids["First"]) == []
    assert max(megabytes, sent_megabytes) < few_megabytes + MOST_MORE_MEGABYTES


def _fill(client: Client, url: str, count: int) -> None:
    body = json.dumps({"payload": "x" * 2000})
    for _ in range(count // 10):
        entries = [{"Id": str(number), "MessageBody": body} for number in range(10)]
        client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
