"""One redrive of an end at a time: the second is refused; a killed one blocks for minutes only."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import proxy
from letters.test_deployed import Create, create
from letters.test_interruptions import KINDS, visible
from local.support import Client

from sls_patterns_cli.letters.exclusion import TAG
from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

REDRIVE = ("redrive", "--stack", "taken", "--older-than", "0s", "--no-canary", "--yes")


@pytest.fixture
def ids(create: Create, client: Client) -> Iterator[dict[str, str]]:
    """A deployed queue with three letters in its dead-letter queue."""
    create("taken", KINDS["standard"])
    found = client("cloudformation").list_stack_resources(StackName="taken")
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in found["StackResourceSummaries"]
    }
    for number in range(3):
        client("sqs").send_message(QueueUrl=ids["First"], MessageBody=f"letter {number}")
    yield ids
    client("cloudformation").delete_stack(StackName="taken")


def tags(client: Client, url: str) -> dict[str, str]:
    return dict(client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}))


def test_a_second_redrive_is_refused_while_the_first_one_sends(
    ids: dict[str, str], letters: Letters, user: Cli, emulator: Emulator
) -> None:
    sending, go_on = threading.Event(), threading.Event()

    def slow(action: str, when: str, _content: bytes) -> bool:
        if when == "before" and action.endswith(".SendMessageBatch"):
            sending.set()
            go_on.wait(60)
        return False

    with proxy(emulator.port, slow) as address:
        first = Cli(user.folder, user.environment).start(
            "letters", *REDRIVE, AWS_ENDPOINT_URL=address
        )
        assert sending.wait(60)
        second = letters(*REDRIVE)
        go_on.set()
        said, _ = first.communicate()

    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith("sls-patterns: First: another redrive sends its letters back")
    assert (first.returncode, said) == (0, "First: 3 sent back\n")
    assert len(bodies(emulator.client, ids["Queue"])) == 3
    assert TAG not in tags(emulator.client, ids["First"])


@pytest.mark.parametrize(("seconds_left", "is_refused"), [(270, True), (-30, False)])
def test_a_killed_redrive_blocks_until_the_time_that_its_tag_says(
    seconds_left: int,
    is_refused: bool,  # noqa: FBT001
    ids: dict[str, str],
    letters: Letters,
    client: Client,
) -> None:
    until = datetime.now(UTC) + timedelta(seconds=seconds_left)
    left = {TAG: f"{until.isoformat(timespec='seconds')} of-a-killed-one"}
    client("sqs").tag_queue(QueueUrl=ids["First"], Tags=left)

    done = letters(*REDRIVE)

    assert done.returncode == int(is_refused)
    assert visible(client, ids["First"]) == (3 if is_refused else 0)


def test_who_may_not_tag_is_told_that_nothing_keeps_another_redrive_out(
    ids: dict[str, str], letters: Letters, client: Client, emulator: Emulator
) -> None:
    def denied(action: str, when: str, _content: bytes) -> bool:
        return when == "before" and action.endswith(".ListQueueTags")

    with proxy(emulator.port, denied) as address:
        done = letters(*REDRIVE, AWS_ENDPOINT_URL=address)

    note, total = done.stdout.splitlines()
    assert note.startswith("First: nothing keeps another redrive out: no permission: ")
    assert (total, done.returncode) == ("First: 3 sent back", 0)
    assert len(bodies(client, ids["Queue"])) == 3
