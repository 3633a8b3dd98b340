"""Letters of a FIFO queue go back in the order of their groups, or wait for those before them."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from letters.conftest import Letters, bodies
from letters.proxy import Hook, proxy
from letters.test_interruptions import visible
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

STACK = """
Resources:
  Entries:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      RedrivePolicy: {deadLetterTargetArn: !GetAtt EntriesDlq.Arn, maxReceiveCount: 5}
  EntriesDlq: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
Outputs:
  Entries: {Value: !Ref Entries}
  EntriesDlq: {Value: !Ref EntriesDlq}
"""
TRIES = 3
"""So often the SDK sends what is throttled: letters together, and then each by itself."""


@dataclass
class Throttle:
    """Throttles the requests that send a text, so often; `sent` has all that was tried."""

    text: str
    times: int
    sent: list[str] = field(default_factory=list)

    def __call__(self, action: str, when: str, content: bytes) -> bool:
        if when != "before" or not action.rpartition(".")[2].startswith("SendMessage"):
            return False
        request = json.loads(content)
        texts = [each["MessageBody"] for each in request.get("Entries", [request])]
        self.sent += texts
        return self.text in texts and self.sent.count(self.text) <= self.times


@dataclass
class ShownAgain:
    """Throttles the sending of a text, and shows it again when another one is sent.

    That is what SQS does after minutes, if there are many letters of other groups.
    """

    throttle: Throttle
    after: str
    client: Client
    queue: str
    handle: str = ""
    times: int = 0

    def __call__(self, action: str, when: str, content: bytes) -> bool | bytes:
        if when == "before" and action.endswith(".ReceiveMessage"):
            answer = self.client("sqs").receive_message(**json.loads(content))
            found = answer.get("Messages", [])
            for each in found:
                if each["Body"] == self.throttle.text:
                    self.handle, self.times = each["ReceiptHandle"], self.times + 1
            return json.dumps({"Messages": found}).encode()
        refuses = self.throttle(action, when, content)
        if self.times == 1 and self.throttle.sent[-1:] == [self.after]:
            self.client("sqs").change_message_visibility(
                QueueUrl=self.queue, ReceiptHandle=self.handle, VisibilityTimeout=0
            )
        return refuses


@dataclass
class Entries:
    """The deployed stack, whose dead-letter queue is filled and redriven."""

    ids: dict[str, str]
    client: Client
    run: Letters
    emulator: Emulator

    def give_up(self, *texts: str) -> list[str]:
        """Send letters whose texts begin with their group; return their ids."""
        return [
            self.client("sqs").send_message(
                QueueUrl=self.ids["EntriesDlq"],
                MessageBody=text,
                MessageGroupId=text[0],
                MessageDeduplicationId=uuid.uuid4().hex,
            )["MessageId"]
            for text in texts
        ]

    def redrive(self, hook: Hook, *options: str) -> tuple[int, str]:
        with proxy(self.emulator.port, hook, "ThrottlingException") as address:
            chosen = ("--stack", "order", "--older-than", "0s", "--no-canary", "--yes", *options)
            done = self.run("redrive", *chosen, AWS_ENDPOINT_URL=address)
        return done.returncode, done.stdout

    def arrived(self) -> list[str]:
        return bodies(self.client, self.ids["Entries"])


@pytest.fixture(scope="module")
def ids(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "order")


@pytest.fixture
def entries(
    ids: dict[str, str], client: Client, letters: Letters, emulator: Emulator
) -> Iterator[Entries]:
    """The stack, whose queues are empty afterwards."""
    yield Entries(ids, client, letters, emulator)
    for url in ids.values():
        wait_until(lambda: not bodies(client, url) and not visible(client, url))  # noqa: B023


def test_a_letter_that_is_throttled_for_a_moment_goes_first(entries: Entries) -> None:
    entries.give_up("a1", "a2", "b1", "a3")

    code, said = entries.redrive(Throttle("a1", times=TRIES - 1))

    assert (code, said) == (0, "EntriesDlq: 4 sent back\n")
    assert [text for text in entries.arrived() if text != "b1"] == ["a1", "a2", "a3"]


def test_what_is_behind_a_letter_that_cannot_be_sent_waits_and_is_named(entries: Entries) -> None:
    first, second, _, third = entries.give_up("a1", "a2", "b1", "a3")
    throttle = Throttle("a1", times=2 * TRIES)

    code, said = entries.redrive(throttle)

    behind = f"is behind {first} of its group a, which stays"
    assert (code, said.splitlines()) == (
        1,
        [
            "EntriesDlq: 1 sent back, 3 stay",
            "  stays: the role may not",
            f"  stays: {second} {behind}",
            f"  stays: {third} {behind}",
        ],
    )
    assert throttle.sent == ["a1", "b1"] * TRIES + ["a1"] * TRIES + ["b1"]
    assert entries.arrived() == ["b1"]

    assert entries.redrive(Throttle("", times=0)) == (0, "EntriesDlq: 3 sent back\n")
    assert entries.arrived() == ["a1", "a2", "a3"]


def test_a_group_waits_also_if_its_first_letter_is_shown_again_meanwhile(
    entries: Entries,
) -> None:
    entries.give_up("a1", *(f"b{number}" for number in range(9)), "a2", "c1")
    throttle = Throttle("a1", times=1000)
    hook = ShownAgain(throttle, "b8", entries.client, entries.ids["EntriesDlq"])

    code, _ = entries.redrive(hook)

    assert (code, hook.times) == (1, 2)
    assert "c1" in throttle.sent
    assert "a2" not in throttle.sent


def test_a_letter_that_nobody_has_chosen_holds_up_none(entries: Entries) -> None:
    _, second = entries.give_up("a1", "a2")

    code, said = entries.redrive(Throttle("", times=0), "--id", second)

    assert (code, said) == (0, "EntriesDlq: 1 sent back\n")
    assert entries.arrived() == ["a2"]
    assert entries.redrive(Throttle("", times=0)) == (0, "EntriesDlq: 1 sent back\n")


def test_what_is_held_up_has_its_verdict_for_programs(entries: Entries) -> None:
    first, second = entries.give_up("a1", "a2")

    _, said = entries.redrive(Throttle("a1", times=2 * TRIES), "--json")

    report: dict[str, Any] = json.loads(said)[0]
    assert report["verdicts"]["kept"] == 2
    assert [(each["id"], each["verdict"]) for each in report["letters"]] == [
        (first, "kept"),
        (second, "kept"),
    ]
