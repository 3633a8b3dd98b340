"""Requests of which AWS refuses a part: what is refused stays a letter, and the rest goes."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from letters.conftest import Letters, bodies
from letters.proxy import Hook, proxy
from letters.test_deployed import Create, create
from letters.test_interruptions import KINDS, visible
from local.support import Client, objects

from sls_patterns_cli.letters.stores import Queue
from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]


@dataclass
class PartRefused:
    """Refuses entries of an action's batches, so often, and hands the others over."""

    client: Client
    action: str
    texts: tuple[str, ...]
    times: int
    is_ours: bool
    """Whether the sender is at fault, so that another attempt is in vain."""
    bodies: dict[str, str] = field(default_factory=dict)
    """Of each receipt handle the text."""
    tried: Counter[str] = field(default_factory=Counter)

    def __call__(self, action: str, when: str, content: bytes) -> bool | bytes:
        name = action.rpartition(".")[2]
        sqs = self.client("sqs")
        if when == "before" and name == "ReceiveMessage":
            answer = sqs.receive_message(**json.loads(content))
            found = answer.get("Messages", [])
            self.bodies |= {each["ReceiptHandle"]: each["Body"] for each in found}
            return json.dumps({"Messages": found}).encode()
        if when != "before" or name != self.action:
            return False
        request = json.loads(content)
        refused: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for entry in request["Entries"]:
            text = entry.get("MessageBody") or self.bodies[entry["ReceiptHandle"]]
            self.tried[text] += 1
            is_refused = text in self.texts and self.tried[text] <= self.times
            (refused if is_refused else others).append(entry)
        batch = sqs.send_message_batch if name == "SendMessageBatch" else sqs.delete_message_batch
        answer = batch(**{**request, "Entries": others}) if others else {}
        answer.pop("ResponseMetadata", None)
        failed = {"Code": "InternalError", "Message": "not now", "SenderFault": self.is_ours}
        answer["Failed"] = [{"Id": each["Id"], **failed} for each in refused]
        return json.dumps({"Successful": [], **answer}).encode()


@dataclass
class Filled:
    """A deployed queue with letters in its dead-letter queue."""

    ids: dict[str, str]
    stack: str
    client: Client
    run: Letters
    emulator: Emulator

    def fill(self, *texts: str) -> None:
        """Send letters whose texts begin with their message group."""
        is_fifo = self.ids["First"].endswith(".fifo")
        for text in texts:
            group = {"MessageGroupId": text[0], "MessageDeduplicationId": text}
            given = group if is_fifo else {}
            self.client("sqs").send_message(QueueUrl=self.ids["First"], MessageBody=text, **given)

    def redrive(self, hook: Hook) -> tuple[int, dict[str, Any]]:
        with proxy(self.emulator.port, hook) as address:
            chosen = ("--stack", self.stack, "--older-than", "0s", "--no-canary", "--yes", "--json")
            done = self.run("redrive", *chosen, AWS_ENDPOINT_URL=address)
        (report,) = json.loads(done.stdout)
        return done.returncode, report

    def arrived(self) -> list[str]:
        return bodies(self.client, self.ids["Queue"])


@pytest.fixture(params=KINDS)
def filled(
    request: pytest.FixtureRequest,
    create: Create,
    client: Client,
    letters: Letters,
    emulator: Emulator,
) -> Filled:
    name = f"batches-{abs(hash(request.node.name)) % 10**8}"
    create(name, KINDS[request.param])
    found = client("cloudformation").list_stack_resources(StackName=name)
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in found["StackResourceSummaries"]
    }
    return Filled(ids, name, client, letters, emulator)


def test_what_is_refused_of_a_batch_stays_and_the_rest_goes(filled: Filled, client: Client) -> None:
    filled.fill(*(f"{group}1" for group in "abcdefgh"))
    refuses = PartRefused(client, "SendMessageBatch", ("b1", "f1"), times=1, is_ours=True)

    code, report = filled.redrive(refuses)

    counted = {verdict: count for verdict, count in report["verdicts"].items() if count}
    assert (code, counted) == (1, {"sent": 6, "kept": 2})
    assert {each["reason"] for each in report["letters"]} == {"not now"}
    assert {*refuses.tried.values()} == {1}
    assert sorted(filled.arrived()) == [f"{group}1" for group in "acdegh"]
    assert sorted(bodies(client, filled.ids["First"])) == ["b1", "f1"]


def test_what_is_refused_for_a_moment_is_tried_again_alone(filled: Filled, client: Client) -> None:
    filled.fill(*(f"{group}1" for group in "abcdefgh"))
    refuses = PartRefused(client, "SendMessageBatch", ("b1",), times=2, is_ours=False)

    code, report = filled.redrive(refuses)

    assert (code, report["verdicts"]["sent"]) == (0, 8)
    assert refuses.tried == Counter({f"{group}1": 3 if group == "b" else 1 for group in "abcdefgh"})
    assert len(filled.arrived()) == 8


@pytest.mark.parametrize("filled", ["fifo"], indirect=True)
def test_nothing_of_a_message_group_goes_before_what_is_refused(
    filled: Filled, client: Client
) -> None:
    filled.fill("a1", "b1", "a2", "b2", "a3")
    refuses = PartRefused(client, "SendMessageBatch", ("a2",), times=1, is_ours=True)

    code, report = filled.redrive(refuses)
    stays = [each["reason"] for each in report["letters"]]
    arrived = filled.arrived()
    again, _ = filled.redrive(lambda *_: False)

    assert (code, report["verdicts"]["sent"], report["verdicts"]["kept"]) == (1, 3, 2)
    assert stays[0] == "not now"
    assert "of its group a, which stays" in stays[1]
    assert [text for text in arrived if text[0] == "a"] == ["a1"]
    assert again == 0
    assert filled.arrived() == ["a2", "a3"]


def test_a_letter_that_is_sent_and_cannot_be_deleted_is_told(
    filled: Filled, client: Client
) -> None:
    filled.fill("a1", "b1", "c1")
    refuses = PartRefused(client, "DeleteMessageBatch", ("b1",), times=1, is_ours=True)

    code, report = filled.redrive(refuses)

    assert (code, report["verdicts"]["sent"]) == (1, 3)
    (said,) = report["letters"]
    assert said["reason"].endswith(
        "is sent and could not be deleted, so that it comes twice: not now"
    )
    assert visible(client, filled.ids["First"]) == 1


def test_letters_that_are_larger_than_a_request_go_in_several(filled: Filled) -> None:
    """A request of SQS takes 1 MiB: here are three letters of 400 KiB."""
    filled.fill(*(f"{group}{'x' * 400 * 1024}" for group in "abc"))

    code, report = filled.redrive(lambda *_: False)

    assert (code, report["verdicts"]["sent"]) == (0, 3)
    assert sorted(text[0] for text in filled.arrived()) == ["a", "b", "c"]


@pytest.mark.parametrize("filled", ["standard"], indirect=True)
def test_what_is_held_is_held_until_the_reading_ends(
    filled: Filled, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here for 2 s at a time, on AWS for five minutes."""
    monkeypatch.setenv("LOCAL_TIME_FACTOR", "240")
    filled.fill("a1", "b1")
    url, sqs = filled.ids["First"], client("sqs")
    started, holds = time.monotonic(), 2

    with Queue("First", url, client).reading(holds) as reading:
        ids = [letter.id for batch in reading for letter in batch]
        shown = []
        while time.monotonic() < started + 3 * holds:
            shown += sqs.receive_message(QueueUrl=url).get("Messages", [])

    assert len(ids) == 2
    assert shown == []
    assert sorted(bodies(client, url)) == ["a1", "b1"]


def test_records_that_a_delivery_refuses_for_the_moment_are_put_again(
    letters: Letters, shop: dict[str, str], client: Client, emulator: Emulator
) -> None:
    lines = [
        json.dumps({"errorCode": "E", "errorMessage": "m", "rawData": "PDE+"}) for _ in range(30)
    ]
    key = "failed/processing-failed/2026/refused"
    client("s3").put_object(Bucket=shop["Lake"], Key=key, Body="\n".join(lines))
    puts: list[int] = []

    def refusing(action: str, when: str, content: bytes) -> bool | bytes:
        if when != "before" or not action.endswith(".PutRecordBatch"):
            return False
        records = json.loads(content)["Records"]
        puts.append(len(records))
        some = len(records) // 2 if len(puts) < 3 else 0
        slow = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        answers = [slow] * some + [{"RecordId": "1"}] * (len(records) - some)
        return json.dumps({"FailedPutCount": some, "RequestResponses": answers}).encode()

    with proxy(emulator.port, refusing) as address:
        chosen = ("--stack", "shop", "--end", "Lake", "--older-than", "0s", "--yes")
        done = letters("redrive", *chosen, AWS_ENDPOINT_URL=address)

    assert (done.returncode, done.stdout) == (0, "Lake: 1 sent back\n")
    assert puts == [30, 15, 7]
    assert key not in objects(client, shop["Lake"])
