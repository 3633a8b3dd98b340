"""One letter of each cause goes first, and the others only once it is seen to be processed."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from letters.conftest import Letters, Put, bodies
from letters.test_interruptions import visible
from letters.test_ways_back import record
from local.support import Client, DeployStack, seen, wait_until

CODE = """
        import json, os
        def handler(event, context):
            texts = [each["body"] for each in event["Records"]]
            if "poison" in str(texts) and "again" not in str(texts):
                raise ValueError("poison")
            {says}
"""
LOGS = 'print("seen", json.dumps(texts), event["Records"][0]["messageId"])'
STACK = f"""
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt JobsDlq.Arn, maxReceiveCount: 2}}
  JobsDlq: {{Type: "AWS::SQS::Queue"}}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE.format(says="pass")}
      Events: {{Jobs: {{Type: SQS, Properties: {{Queue: !GetAtt Jobs.Arn, BatchSize: 1}}}}}}
  Entries:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      VisibilityTimeout: 60
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt EntriesDlq.Arn, maxReceiveCount: 2}}
  EntriesDlq: {{Type: "AWS::SQS::Queue", Properties: {{FifoQueue: true}}}}
  Post:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |{CODE.format(says=LOGS)}
      Events: {{Entries: {{Type: SQS, Properties: {{Queue: !GetAtt Entries.Arn, BatchSize: 1}}}}}}
Outputs:
  Jobs: {{Value: !Ref Jobs}}
  JobsDlq: {{Value: !Ref JobsDlq}}
  Work: {{Value: !Ref Work}}
  Entries: {{Value: !Ref Entries}}
  EntriesDlq: {{Value: !Ref EntriesDlq}}
  Post: {{Value: !Ref Post}}
"""
"""One consumer logs nothing, so that only its queue tells; the other says what it has processed."""


@dataclass
class Consumed:
    """The deployed stack, whose dead-letter queues are filled and redriven."""

    ids: dict[str, str]
    client: Client
    run: Letters

    def give_up(self, end: str, *texts: str) -> None:
        """Put letters into an end; in a FIFO queue their texts begin with their message group."""
        for text in texts:
            fifo = {"MessageGroupId": text[0], "MessageDeduplicationId": uuid.uuid4().hex}
            given = fifo if end == "EntriesDlq" else {}
            self.client("sqs").send_message(QueueUrl=self.ids[end], MessageBody=text, **given)

    def redrive(self, end: str, *options: str) -> tuple[int, str]:
        done = self.run("redrive", "--stack", "canaries", "--end", end, "--yes", *options)
        assert done.stderr == ""
        return done.returncode, done.stdout

    def report(self, end: str, *options: str) -> dict[str, Any]:
        done = self.run("redrive", "--stack", "canaries", "--end", end, "--yes", "--json", *options)
        (report,) = json.loads(done.stdout)
        return dict(report)


@pytest.fixture(scope="module")
def ids(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK, "canaries")


@pytest.fixture
def consumed(ids: dict[str, str], client: Client, letters: Letters) -> Iterator[Consumed]:
    """The stack, whose queues are empty afterwards."""
    yield Consumed(ids, client, letters)
    for name in ("Jobs", "JobsDlq", "Entries", "EntriesDlq"):
        url = ids[name]
        wait_until(lambda: not bodies(client, url) and not visible(client, url))  # noqa: B023


LETTER_BY_LETTER = ("--older-than", "0s")
BOTH = pytest.mark.parametrize("chosen", [LETTER_BY_LETTER, ("--all",)], ids=" ".join)


@BOTH
def test_while_the_cause_holds_one_letter_is_sent_and_the_others_stay(
    chosen: tuple[str, ...], consumed: Consumed, client: Client
) -> None:
    consumed.give_up("JobsDlq", *(f"poison {number}" for number in range(6)))

    code, said = consumed.redrive("JobsDlq", *chosen)

    first, total, *stays = said.splitlines()
    assert first.endswith("not decided yet; that can take 120 s, 2 receives of 60 s each")
    assert total == "JobsDlq: 1 sent back; 1 came back with the same reason, 5 stay"
    assert stays[-1].endswith(", as the first of them is back with the same reason")
    assert code == 1
    assert sorted(bodies(client, consumed.ids["JobsDlq"])) == [
        f"poison {number}" for number in range(6)
    ]


@BOTH
def test_once_the_cause_is_mended_all_are_sent(chosen: tuple[str, ...], consumed: Consumed) -> None:
    """The consumer logs nothing: that its queue stays empty shows that it was processed."""
    consumed.give_up("JobsDlq", *(f"good {number}" for number in range(6)))

    code, said = consumed.redrive("JobsDlq", *chosen)

    assert said.splitlines()[-2:] == ["JobsDlq: 6 sent back", "  processed: 1 of them"]
    assert code == 0


def test_a_log_line_with_the_id_shows_that_it_was_processed_and_order_is_kept(
    consumed: Consumed, client: Client
) -> None:
    texts = [f"{group}{number}" for number in range(4) for group in "ab"]
    consumed.give_up("EntriesDlq", *texts)

    report = consumed.report("EntriesDlq", *LETTER_BY_LETTER)

    assert [each["verdict"] for each in report["canaries"]] == ["processed"]
    assert (report["verdicts"]["processed"], report["verdicts"]["sent"]) == (1, 7)
    assert report["kept_groups"] == []

    def processed() -> list[str]:
        lines = seen(client, consumed.ids["Post"])
        return [json.loads(line[: line.index("]") + 1])[0] for line in lines]

    arrived = wait_until(lambda: found if len(found := processed()) == len(texts) else None)
    for group in "ab":
        assert [text for text in arrived if text[0] == group] == [
            text for text in texts if text[0] == group
        ]


def test_what_is_not_decided_in_time_is_told_and_nothing_more_is_sent(
    consumed: Consumed, letters: Letters, client: Client
) -> None:
    consumed.give_up("JobsDlq", *(f"good {number}" for number in range(4)))
    letters("pause", "Work", "--stack", "canaries", "--yes")

    report = consumed.report("JobsDlq", *LETTER_BY_LETTER, "--wait", "1")
    left = visible(client, consumed.ids["JobsDlq"])
    without = consumed.report("JobsDlq", *LETTER_BY_LETTER, "--no-canary")
    letters("resume", "Work", "--stack", "canaries", "--yes")

    assert report["verdicts"] == {"sent": 1, "processed": 0, "failed-again": 0, "kept": 3}
    ((canary,), (group,)) = report["canaries"], report["kept_groups"]
    assert canary["verdict"] == "undecided"
    assert group["count"] == left == 3
    assert group["reason"].endswith(
        "is not decided after 1 s; a longer --wait decides, --no-canary sends them without"
    )
    assert without["verdicts"]["sent"] == 3


def test_a_letter_alone_is_sent_without_waiting(consumed: Consumed, client: Client) -> None:
    consumed.give_up("JobsDlq", "poison alone")

    code, said = consumed.redrive("JobsDlq", *LETTER_BY_LETTER)

    assert (code, said) == (0, "JobsDlq: 1 sent back\n")
    wait_until(lambda: visible(client, consumed.ids["JobsDlq"]))


def test_what_a_function_cannot_process_again_keeps_the_others_of_its_cause(
    letters: Letters, put: Put, shop: dict[str, str], client: Client
) -> None:
    for number in range(4):
        put("AwardFailed", record(shop["AwardArn"], f"poison {number}"))
    other = record(shop["AwardArn"], "good")
    other["responsePayload"] = {"errorType": "KeyError", "errorMessage": "another cause"}
    put("AwardFailed", other)
    chosen = ("--stack", "shop", "--end", "AwardFailed", "--older-than", "0s", "--yes", "--json")

    done = letters("redrive", *chosen)
    (report,) = json.loads(done.stdout)

    assert done.returncode == 1
    assert report["verdicts"] == {"sent": 0, "processed": 1, "failed-again": 1, "kept": 3}
    (group,) = report["kept_groups"]
    assert (group["count"], group["reason"]) == (3, "the first of them has failed again")
    assert len(bodies(client, shop["AwardFailed"])) == 4
