"""What was sent to a dead-letter queue twice is one letter: shown, sent back, discarded once."""

import json
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import proxy
from letters.test_half_way import is_shown
from letters.test_interruptions import Stopper, five_minutes_later, visible
from letters.test_setting_aside import told
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

STACK = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      VisibilityTimeout: 0
      RedrivePolicy: {deadLetterTargetArn: !GetAtt JobsDlq.Arn, maxReceiveCount: 1}
  JobsDlq: {Type: "AWS::SQS::Queue", Properties: {FifoQueue: true}}
  Mails:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 0
      RedrivePolicy: {deadLetterTargetArn: !GetAtt MailsDlq.Arn, maxReceiveCount: 1}
  MailsDlq: {Type: "AWS::SQS::Queue"}
  Sender:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Policies:
        - Statement: [{Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt MailsDlq.Arn}]
      Events: {Mails: {Type: SQS, Properties: {Queue: !GetAtt Mails.Arn, Enabled: false}}}
  Plain:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt PlainDlq.Arn, maxReceiveCount: 1}
  PlainDlq: {Type: "AWS::SQS::Queue"}
Outputs:
  Jobs: {Value: !Ref Jobs}
  JobsDlq: {Value: !Ref JobsDlq}
  Mails: {Value: !Ref Mails}
  MailsDlq: {Value: !Ref MailsDlq}
  MailsDlqArn: {Value: !GetAtt MailsDlq.Arn}
  JobsDlqArn: {Value: !GetAtt JobsDlq.Arn}
  PlainDlqArn: {Value: !GetAtt PlainDlq.Arn}
"""
OF_STACK = ("--stack", "copies")
ALL = ["All"]
BOTH = pytest.mark.parametrize("queue", ["Jobs", "Mails"])
ONE_BY_ONE = ("--older-than", "0s")


@dataclass
class Poisoned:
    """The deployed stack, and what its consumers send to the dead-letter queues."""

    ids: dict[str, str]
    client: Client
    user: Cli
    run: Letters
    emulator: Emulator

    @property
    def sqs(self) -> Any:
        return self.client("sqs")

    def letters(self, command: str, *arguments: str, **environment: str) -> Any:
        """Run `letters`; return what its JSON says of the only end that is meant."""
        done = self.run(command, *OF_STACK, "--json", *arguments, **environment)
        assert done.returncode in {0, 1}, done.stderr
        said = json.loads(done.stdout)
        return said["ends"][0] if command == "list" else said

    def redrive(self, queue: str, *chosen: str, **environment: str) -> Any:
        end = ("--end", f"{queue}Dlq")
        (report,) = self.letters("redrive", *end, "--no-canary", "--yes", *chosen, **environment)
        return report

    def give_up(
        self, queue: str, source_id: str, *, after_minutes: int = 0, **attributes: str
    ) -> str:
        """Send a letter as a consumer does, which tries a message again after so many minutes.

        A FIFO queue forgets a deduplication id after five. Returns the id of the letter itself.
        """
        own = {"kind": "job", "reason": "NegativeAmount: the amount is less than 0", **attributes}
        fifo: dict[str, str] = {}
        if queue == "Jobs":
            forgotten = f"-{after_minutes}" if after_minutes > 5 else ""
            fifo = {"MessageDeduplicationId": f"{source_id}{forgotten}", "MessageGroupId": "a"}
        sent = self.sqs.send_message(
            QueueUrl=self.ids[f"{queue}Dlq"],
            MessageBody=f"poison {source_id}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in {**own, "source_message_id": source_id}.items()
            },
            **fifo,
        )
        return str(sent["MessageId"])

    def fail(self, queue: str, body: str, **attributes: str) -> str:
        """Send a message that SQS moves to the dead-letter queue; return its id."""
        fifo = {"MessageDeduplicationId": uuid.uuid4().hex, "MessageGroupId": "a"}
        sent = self.sqs.send_message(
            QueueUrl=self.ids[queue],
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
            **(fifo if queue == "Jobs" else {}),
        )
        before = visible(self.client, self.ids[f"{queue}Dlq"])

        def is_moved() -> bool:
            self.sqs.receive_message(QueueUrl=self.ids[queue])
            return visible(self.client, self.ids[f"{queue}Dlq"]) > before

        wait_until(is_moved)
        return str(sent["MessageId"])

    def take(self, name: str) -> list[dict[str, Any]]:
        """Take the messages that are in a queue, with all that SQS says of them."""
        taken: list[dict[str, Any]] = []
        url = self.ids[name]
        asked = {"MessageAttributeNames": ALL, "MessageSystemAttributeNames": ALL}
        while found := self.sqs.receive_message(QueueUrl=url, VisibilityTimeout=60, **asked).get(
            "Messages"
        ):
            for each in found:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                taken.append(each)
        return taken


@pytest.fixture(scope="module")
def ids(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "copies")


@pytest.fixture
def poisoned(
    ids: dict[str, str], client: Client, user: Cli, letters: Letters, emulator: Emulator
) -> Iterator[Poisoned]:
    """The stack, whose queues are empty afterwards."""
    yield Poisoned(ids, client, user, letters, emulator)
    for name in ("Jobs", "JobsDlq", "Mails", "MailsDlq"):
        url = ids[name]
        wait_until(lambda: not bodies(client, url) and not visible(client, url))  # noqa: B023


def new_id() -> str:
    """Return the id of a message, as SQS gives it."""
    return str(uuid.uuid4())


@BOTH
def test_a_letter_that_a_consumer_sent_twice_is_shown_once(queue: str, poisoned: Poisoned) -> None:
    twice, once = new_id(), new_id()
    for minutes in (0, 4, 9):
        poisoned.give_up(queue, twice, after_minutes=minutes)
    poisoned.give_up(queue, once)
    end = ("--end", f"{queue}Dlq")

    listed = poisoned.letters("list", *end)
    shown = poisoned.letters("show", *end, "--payload")
    text = poisoned.run("list", *OF_STACK, *end).stdout

    # Of those within five minutes a FIFO queue has kept the first.
    copies = 1 if queue == "Jobs" else 2
    assert (listed["seen"], listed["copies"]) == (2 + copies, copies)
    assert listed["complete"]
    assert f"  copies: {copies}, as what was sent to it twice is one letter\n" in text
    (group,) = listed["groups"]
    assert group["cause"] == "NegativeAmount: the amount is less than …"
    assert (group["count"], {*group["examples"]}) == (2, {twice, once})
    assert {each["id"]: each["payload"] for each in shown} == {
        each: f"poison {each}" for each in (twice, once)
    }


@BOTH
@pytest.mark.parametrize("chosen", [ONE_BY_ONE, ("--all",)], ids=" ".join)
def test_it_is_sent_back_once_without_its_record_and_leaves_no_copy(
    queue: str, chosen: tuple[str, ...], poisoned: Poisoned
) -> None:
    twice = new_id()
    for minutes in (0, 4, 9):
        poisoned.give_up(queue, twice, after_minutes=minutes)

    report = poisoned.redrive(queue, *chosen)

    assert (report["chosen"], report["verdicts"]["sent"]) == (1, 1)
    assert not report["moved_by_sqs"]
    assert report["seen"] == report["copies"] + 1
    assert poisoned.take(f"{queue}Dlq") == []
    (message,) = poisoned.take(queue)
    assert (message["Body"], told(message)) == (f"poison {twice}", {"kind": "job"})
    assert message["Attributes"].get("MessageGroupId") == ("a" if queue == "Jobs" else None)


@BOTH
@pytest.mark.parametrize("named", ["source", "first", "second"])
def test_any_of_its_ids_names_it(queue: str, named: str, poisoned: Poisoned) -> None:
    given = {"source": new_id()}
    given["first"] = poisoned.give_up(queue, given["source"])
    given["second"] = poisoned.give_up(queue, given["source"], after_minutes=9)
    poisoned.give_up(queue, other := new_id())

    report = poisoned.redrive(queue, "--id", given[named])

    assert (report["chosen"], report["seen"], report["copies"]) == (1, 3, 1)
    assert [each["Body"] for each in poisoned.take(queue)] == [f"poison {given['source']}"]
    assert [each["Body"] for each in poisoned.take(f"{queue}Dlq")] == [f"poison {other}"]


@BOTH
def test_what_sqs_has_moved_after_a_consumer_has_sent_it_is_the_same_letter(
    queue: str, poisoned: Poisoned
) -> None:
    source = poisoned.fail(queue, "slow to be deleted")
    poisoned.give_up(queue, source)

    report = poisoned.redrive(queue, *ONE_BY_ONE)

    assert (report["seen"], report["copies"], report["verdicts"]["sent"]) == (2, 1, 1)
    assert len(poisoned.take(queue)) == 1
    assert poisoned.take(f"{queue}Dlq") == []


@BOTH
def test_what_sqs_has_moved_keeps_attributes_of_its_own_that_are_named_like_a_record(
    queue: str, poisoned: Poisoned
) -> None:
    own = {"source_message_id": "the same", "reason": "of the producer"}
    for number in range(2):
        poisoned.fail(queue, str(number), **own)

    listed = poisoned.letters("list", "--end", f"{queue}Dlq")
    report = poisoned.redrive(queue, *ONE_BY_ONE)

    assert [each["cause"] for each in listed["groups"]] == ["received too often"]
    assert (report["copies"], report["verdicts"]["sent"]) == (0, 2)
    arrived = poisoned.take(queue)
    assert sorted(each["Body"] for each in arrived) == ["0", "1"]
    assert [told(each) for each in arrived] == [own, own]


@BOTH
def test_a_letter_that_cannot_be_sent_stays_with_its_copies(queue: str, poisoned: Poisoned) -> None:
    twice = new_id()
    for minutes in (0, 9):
        poisoned.give_up(queue, twice, after_minutes=minutes)
    tried = []

    def refuse(action: str, when: str, _content: bytes) -> bool:
        is_send = when == "before" and action.endswith(".SendMessageBatch")
        tried.extend([action] * is_send)
        return is_send

    with proxy(poisoned.emulator.port, refuse, "InvalidMessageContents") as address:
        report = poisoned.redrive(queue, *ONE_BY_ONE, AWS_ENDPOINT_URL=address)

    assert (report["verdicts"]["kept"], report["copies"]) == (1, 1)
    assert len(tried) == 1
    assert len(poisoned.take(f"{queue}Dlq")) == 2


def test_a_copy_that_a_killed_redrive_has_left_is_dropped_by_a_fifo_queue(
    poisoned: Poisoned,
) -> None:
    """Within five minutes, as long as SQS knows the deduplication id: the id of the message."""
    twice = new_id()
    for minutes in (0, 9):
        poisoned.give_up("Jobs", twice, after_minutes=minutes)
    stopper = Stopper("after DeleteMessageBatch", signal.SIGKILL, number_of_call=1)

    with proxy(poisoned.emulator.port, stopper) as address:
        given = {"AWS_ENDPOINT_URL": address, "LOCAL_TIME_FACTOR": "1"}
        command = ("redrive", *OF_STACK, "--end", "JobsDlq", *ONE_BY_ONE, "--no-canary", "--yes")
        started = Cli(poisoned.user.folder, poisoned.user.environment).start(
            "letters", *command, **given
        )
        stopper.watch(started)
        started.communicate()
    five_minutes_later(poisoned.client, poisoned.ids["JobsDlq"])
    wait_until(lambda: is_shown(poisoned.client, poisoned.ids["JobsDlq"]))
    again = poisoned.redrive("Jobs", *ONE_BY_ONE)

    assert started.returncode == -signal.SIGKILL
    assert again["verdicts"]["sent"] == 1
    assert [each["Body"] for each in poisoned.take("Jobs")] == [f"poison {twice}"]


@BOTH
def test_it_is_discarded_once_with_its_copies(queue: str, poisoned: Poisoned) -> None:
    twice = new_id()
    for minutes in (0, 9):
        poisoned.give_up(queue, twice, after_minutes=minutes)

    done = poisoned.letters(
        "discard", "--end", f"{queue}Dlq", "--id", twice, "--to", "copy.jsonl", "--yes"
    )

    assert done == [{"end": f"{queue}Dlq", "discarded": 1}]
    (line,) = (poisoned.user.folder / "copy.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == twice
    assert poisoned.take(f"{queue}Dlq") == []


def test_sqs_may_move_only_what_nobody_can_have_sent(poisoned: Poisoned) -> None:
    policy = json.loads(poisoned.run("policy", "redrive", *OF_STACK).stdout)

    moved = {
        resource
        for statement in policy["Statement"]
        if "sqs:StartMessageMoveTask" in statement["Action"]
        for resource in statement["Resource"]
    }
    assert moved == {poisoned.ids["PlainDlqArn"]}
