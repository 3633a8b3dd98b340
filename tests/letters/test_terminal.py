"""What a person at a terminal sees: tables that fit, numbers before anything is done, progress."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from command import Cli
from letters.conftest import Letters, Put, bodies
from letters.test_ways_back import record
from local.support import Client, DeployStack
from screen import plain_environment, see

if TYPE_CHECKING:
    import pexpect

Shop = dict[str, str]

OF_TWO = ("--stack", "shop", "--end", "AwardFailed", "--end", "MailboxFailed")


@pytest.fixture
def failed(put: Put, shop: Shop, client: Client) -> Iterator[None]:
    """Letters of two ends, with a long cause; the ends are empty before and after."""
    _empty(client, shop)
    for number in range(3):
        letter = record(shop["AwardArn"], {})
        letter["responsePayload"]["errorMessage"] = "the order has no total " * 6
        put("AwardFailed", letter | {"number": number})
    put("MailboxFailed", "undelivered")
    yield
    _empty(client, shop)


def _empty(client: Client, shop: Shop) -> None:
    for end in ("AwardFailed", "MailboxFailed"):
        bodies(client, shop[end])


def run(user: Cli, *arguments: str, columns: int = 80) -> list[str]:
    command = (*user.command, "letters", *arguments)
    return see(command, user.folder, plain_environment(user.environment), columns).lines


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("columns", [80, 120])
def test_a_list_is_a_table_that_fits_the_terminal(columns: int, user: Cli) -> None:
    lines = run(user, "list", *OF_TWO, columns=columns)

    at = next(number for number, line in enumerate(lines) if "  3  Award" in line) - 1
    column = lines[at].index("why")
    assert max(map(len, lines)) <= columns
    assert lines[at + 1][column:].startswith("RetriesExhausted: ")
    # A cause goes on in its own column.
    assert lines[at + 2][:column].strip() == ""
    assert lines[at + 2][column:].strip()


@pytest.mark.usefixtures("failed")
def test_in_a_pipe_each_group_is_one_line(
    letters: Letters,
) -> None:
    lines = letters("list", *OF_TWO).stdout.splitlines()

    (line,) = [line for line in lines if "the order has no total" in line]
    assert len(line) > 200


LONG = """\
Resources:
  Queue{name}:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Failed.Arn, maxReceiveCount: 2}}
  Failed:
    Type: AWS::SQS::Queue
    Properties:
      Tags: [{{Key: Team, Value: payments}}]
Outputs:
  Failed: {{Value: !Ref Failed}}
"""


def test_a_long_name_leaves_the_cause_a_line_of_its_own_and_the_owner_is_named(
    user: Cli, letters: Letters, deploy_stack: DeployStack, client: Client
) -> None:
    name = "OfAllTheOrdersThatComeFromThePartners3F2A9C01"
    outputs = deploy_stack(LONG.format(name=name), "long-names")
    client("sqs").send_message(QueueUrl=outputs["Failed"], MessageBody="job")

    lines = run(user, "list", "--stack", "long-names")
    (end,) = json.loads(letters("list", "--stack", "long-names", "--json").stdout)["ends"]

    assert max(map(len, lines)) <= 80
    assert f"goes back to Queue{name}; owner: payments" in " ".join(" ".join(lines).split())
    assert lines[-1] == "            received too often"
    assert end["owner"] == "payments"


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (("--all",), "Send back 4 letters of 2 ends? 1 of Mailbox, 3 of Award [y/N] "),
        (("--newer-than", "1h"), "Send back 4 letters of 2 ends? 1 of Mailbox, 3 of Award [y/N] "),
    ],
)
def test_how_many_letters_of_what_are_to_be_sent_is_asked_first(
    arguments: tuple[str, ...], question: str, user: Cli, client: Client, shop: Shop
) -> None:
    def talk(process: "pexpect.spawn[bytes]") -> None:
        process.expect_exact(question)
        process.sendline("n")

    command = (*user.command, "letters", "redrive", *OF_TWO, *arguments)
    shown = see(command, user.folder, plain_environment(user.environment), 120, talk=talk)

    assert shown.code == 1
    assert len(bodies(client, shop["AwardFailed"])) == 3
    assert len(bodies(client, shop["MailboxFailed"])) == 1


@pytest.mark.usefixtures("failed")
def test_how_many_letters_are_to_be_deleted_is_asked_first(
    user: Cli, letters: Letters, client: Client, shop: Shop
) -> None:
    ends = json.loads(letters("list", *OF_TWO, "--json").stdout)["ends"]
    groups = [f"--group={group['group']}" for end in ends for group in end["groups"]]
    question = (
        "Delete 4 letters of 2 ends, after a copy to copy.jsonl? "
        "1 of MailboxFailed, 3 of AwardFailed [y/N] "
    )

    def talk(process: "pexpect.spawn[bytes]") -> None:
        process.expect_exact(question)
        process.sendline("n")

    command = (*user.command, "letters", "discard", *OF_TWO, *groups, "--to", "copy.jsonl")
    shown = see(command, user.folder, plain_environment(user.environment), 200, talk=talk)

    assert shown.code == 1
    assert len(bodies(client, shop["AwardFailed"])) == 3
    assert len(bodies(client, shop["MailboxFailed"])) == 1


@pytest.mark.parametrize("verb", [("list",), ("redrive", "--older-than", "0s", "--yes")])
def test_what_takes_long_says_how_far_it_is_at_which_rate_and_how_long_it_takes(
    verb: tuple[str, ...], user: Cli, put: Put, client: Client, shop: Shop
) -> None:
    for number in range(60):
        put("MailboxFailed", f"one of {number}")

    shown = see(
        (*user.command, "letters", *verb, "--stack", "shop", "--end", "MailboxFailed"),
        user.folder,
        plain_environment(user.environment),
        120,
    )

    told = shown.raw.decode(errors="replace")
    assert " of 60, " in told
    assert " a second, " in told
    assert " left" in told
    for queue in ("MailboxFailed", "Mailbox"):
        bodies(client, shop[queue])
