"""Why letters are there: what they say, what the log of the function says, and what is a guess."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from letters.conftest import Letters, Put, bodies
from letters.proxy import proxy
from letters.test_deployed import Create, create
from letters.test_ways_back import record
from local.support import Client, seen, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

Shop = dict[str, str]
Write = Callable[..., None]

OF_ORDERS = ("--stack", "shop", "--end", "OrdersDlq")
TRACE = "1-67891233-abcdef012345678912345678"


@pytest.fixture
def write(client: Client, shop: Shop) -> Iterator[Write]:
    """Writes lines into the log of Store as its logger does; they are gone after the test."""
    logs, group = client("logs"), f"/aws/lambda/{shop['Store']}"
    bodies(client, shop["OrdersDlq"])
    client("lambda").invoke(FunctionName=shop["Store"], Payload=b'{"makes": "the log"}')
    wait_until(lambda: seen(client, shop["Store"]))
    stream = f"of-a-test-{time.monotonic_ns()}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)

    def write_line(line: Any, ago: timedelta = timedelta()) -> None:
        event = {
            "timestamp": int((datetime.now(UTC) - ago).timestamp() * 1000),
            "message": line if isinstance(line, str) else json.dumps(line),
        }
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    yield write_line
    logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    bodies(client, shop["OrdersDlq"])


def failure(error: str, **about: str) -> dict[str, str]:
    """Return a line as Powertools for AWS Lambda writes it for a message that failed."""
    trace = f"Traceback (most recent call last):\n  File 'x'\n{error}"
    kind = error.partition(":")[0]
    said = {"level": "ERROR", "message": "message failed", "exception": trace}
    return {**said, "exception_name": kind, **about}


def groups(letters: Letters, *arguments: str, **environment: str) -> list[dict[str, Any]]:
    """Return the groups of the end OrdersDlq."""
    done = letters("list", *OF_ORDERS, "--json", *arguments, **environment)
    found: list[dict[str, Any]] = json.loads(done.stdout)["ends"][0]["groups"]
    return found


def test_letters_are_grouped_by_the_error_that_the_log_has_with_their_ids(
    letters: Letters, put: Put, write: Write, client: Client, shop: Shop
) -> None:
    poison = [put("OrdersDlq", f"bad {number}") for number in range(2)]
    late = put("OrdersDlq", "late")
    for number, id_ in enumerate(poison):
        write(failure(f"ValueError: order {number} of 'Bob'", message_id=id_))
    write(failure("StoreError: no answer", message_id=late))

    listed = letters("list", *OF_ORDERS).stdout
    found = groups(letters)
    of_poison = next(each["group"] for each in found if each["count"] == 2)
    done = letters("redrive", *OF_ORDERS, "--group", of_poison, "--no-canary", "--yes")

    assert {(each["cause"], each["count"], each["logged"], each["guess"]) for each in found} == {
        ("received too often: ValueError: order … of …", 2, True, None),
        ("received too often: StoreError: no answer", 1, True, None),
    }
    assert "received too often: StoreError: no answer" in listed
    assert "guess" not in listed
    assert done.stdout == "OrdersDlq: 2 sent back\n"
    assert bodies(client, shop["OrdersDlq"]) == ["late"]


def test_a_letter_is_found_in_the_log_by_its_trace(
    letters: Letters, write: Write, client: Client, shop: Shop
) -> None:
    client("sqs").send_message(
        QueueUrl=shop["OrdersDlq"],
        MessageBody="traced",
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": f"Root={TRACE};Sampled=1"}
        },
    )
    write(failure("StoreError: no answer", message_trace_id=TRACE))

    (group,) = groups(letters)

    assert group["cause"] == "received too often: StoreError: no answer"


def test_the_most_frequent_error_of_that_time_is_a_guess(
    letters: Letters, put: Put, write: Write
) -> None:
    id_ = put("OrdersDlq", "in no line of the log")
    for _ in range(30):  # other tests fail in this log, too
        write("[ERROR] KeyError: 'colour'\nTraceback (most recent call last):\n  File ...")
    write("[ERROR] OSError: once\nTraceback (most recent call last):\n  File ...")
    write("[ERROR] OldError: of another time\nTraceback", ago=timedelta(hours=2))

    listed = letters("list", *OF_ORDERS).stdout
    (group,) = groups(letters)
    (shown,) = json.loads(letters("show", *OF_ORDERS, "--id", id_, "--json").stdout)

    assert "received too often (guess: KeyError: …)" in " ".join(listed.split())
    assert (group["cause"], group["logged"], group["guess"]) == (
        "received too often",
        False,
        "KeyError: …",
    )
    assert (shown["cause"], shown["guess"]) == ("received too often", "KeyError: …")


def test_what_a_function_raises_is_in_its_log_and_in_the_list(
    letters: Letters, client: Client, shop: Shop
) -> None:
    client("sqs").send_message(QueueUrl=shop["Orders"], MessageBody='{"poison": "of the log"}')
    wait_until(lambda: groups(letters))

    (group,) = groups(letters)

    assert "ValueError: poison of …" in (group["guess"] or group["cause"])
    bodies(client, shop["OrdersDlq"])


def test_a_log_that_may_not_be_read_is_said(
    letters: Letters, put: Put, write: Write, emulator: Emulator
) -> None:
    id_ = put("OrdersDlq", "of a log that is closed")
    write(failure("StoreError: no answer", message_id=id_))

    def deny(action: str, when: str, _content: bytes) -> bool:
        return when == "before" and action.endswith("FilterLogEvents")

    with proxy(emulator.port, deny) as address:
        done = letters("list", *OF_ORDERS, AWS_ENDPOINT_URL=address)

    assert "received too often (its log may not be read)" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("verb", "most"),
    [
        (("list",), 3),
        (("redrive", "--group", "{group}", "--no-canary", "--yes"), 3),
        (("redrive", "--older-than", "0s", "--no-canary", "--yes"), 0),
    ],
)
def test_the_log_is_read_once_for_all_letters(  # noqa: PLR0913, PLR0917 - fixtures
    verb: tuple[str, ...],
    most: int,
    letters: Letters,
    put: Put,
    write: Write,
    emulator: Emulator,
) -> None:
    for number in range(25):
        write(failure("StoreError: no answer", message_id=put("OrdersDlq", f"one of {number}")))
    put("OrdersDlq", "in no line of the log")
    group = next(each["group"] for each in groups(letters) if each["count"] == 25)
    asked = Counter[str]()

    def count(action: str, when: str, _content: bytes) -> bool:
        asked[action.rpartition(".")[2]] += when == "before"
        return False

    with proxy(emulator.port, count) as address:
        chosen = [each.format(group=group) for each in verb]
        done = letters(*chosen, *OF_ORDERS, AWS_ENDPOINT_URL=address)

    assert done.returncode == 0, done.stderr
    assert asked["FilterLogEvents"] == most
    assert asked["ReceiveMessage"] > 2


def test_one_letter_is_shown_with_its_history_and_the_lines_of_its_request(
    letters: Letters, put: Put, write: Write
) -> None:
    id_ = put("OrdersDlq", "the body")
    request = "0a1b2c3d-0000-4000-8000-00000000000a"
    write({"level": "INFO", "message": "begun for bob@example.com", "function_request_id": request})
    write(failure("StoreError: no answer", message_id=id_, function_request_id=request))
    write({"level": "INFO", "message": "of another request"})
    one = ("show", *OF_ORDERS, "--id", id_)

    lines = letters(*one).stdout.splitlines()
    (said,) = json.loads(letters(*one, "--json").stdout)
    in_full = letters(*one, "--payload").stdout

    assert lines[1] == "  failed at Store, goes back to Orders"
    times = r"sent \S+, failed \S+, received (once|\d+ times), expires \S+"
    assert re.fullmatch(rf"  history:  {times}", lines[2])
    assert lines[3] == "  why:      received too often: StoreError: no answer"
    assert [line.split(" ", 1)[1] for line in map(str.strip, lines[4:])] == [
        lines[4].strip().split(" ", 1)[1],
        "ERROR message failed: StoreError: no answer",
    ]
    assert lines[4].startswith("  log:      ")
    assert lines[4].endswith(" INFO begun for …")
    assert [each["line"] for each in said["log"]] == [
        "INFO begun for …",
        "ERROR message failed: StoreError: no answer",
    ]
    expires = datetime.fromisoformat(said["sent_at"]) + timedelta(days=14)
    assert datetime.fromisoformat(said["expires"]) == expires
    assert "begun for bob@example.com" in in_full


def test_of_many_rows_there_is_a_count_and_three_and_no_line_is_long(
    letters: Letters, put: Put, client: Client, shop: Shop
) -> None:
    rows = [{"row": number} for number in range(5_000)]
    failed = record(shop["AwardArn"], {"rows": rows, "text": "x" * 60_000})
    id_ = put("AwardFailed", failed)
    plain = put("AwardFailed", record(shop["AwardArn"], rows))
    one = ("show", "--stack", "shop", "--end", "AwardFailed", "--payload", "--id")

    lines = letters(*one, id_).stdout.splitlines()
    of_rows = letters(*one, plain).stdout.splitlines()
    (said,) = json.loads(letters(*one, id_, "--json").stdout)

    assert max(map(len, lines)) < 2_000
    (what,) = [line for line in lines if line.startswith("  what:")]
    assert '[{"row": 0}, {"row": 1}, {"row": 2}, "… and 4,997 more"]' in what
    at = of_rows.index("  what:     5,000 rows, of which these are the first 3:")
    assert [line.strip() for line in of_rows[at + 1 :]] == [
        '{"row": 0}',
        '{"row": 1}',
        '{"row": 2}',
    ]
    assert said["payload"]["rows"] == rows
    bodies(client, shop["AwardFailed"])


SHORT = """
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 21600
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 2}}
  Failed: {{Type: AWS::SQS::Queue, Properties: {{MessageRetentionPeriod: {standard}}}}}
  InOrder:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      VisibilityTimeout: 21600
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt FailedInOrder.Arn, maxReceiveCount: 2}}
  FailedInOrder:
    Type: AWS::SQS::Queue
    Properties: {{FifoQueue: true, MessageRetentionPeriod: {fifo}}}
"""
DAY, USED = 86_400, 2 * 21_600


@pytest.mark.parametrize(
    ("share", "warned"), [(0.9, {"Failed", "FailedInOrder"}), (1.1, set[str]())]
)
def test_a_queue_whose_letters_expire_within_a_day_of_their_arrival_is_a_warning(
    share: float, warned: set[str], letters: Letters, create: Create
) -> None:
    name = f"short-{int(share * 100)}"
    left = int(share * DAY)
    create(name, SHORT.format(standard=left + USED, fifo=left))

    listed = letters("list", "--stack", name)
    ends = json.loads(letters("list", "--stack", name, "--json").stdout)["ends"]

    assert {each["end"] for each in ends if each["warnings"]} == warned
    text = " ".join(listed.stdout.split())
    assert (
        "warning: its letters expire 21.6 h after they arrive after 12 h in Jobs" in text
    ) == bool(warned)
    assert listed.returncode == 0
