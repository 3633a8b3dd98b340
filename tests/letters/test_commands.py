"""What the commands say and do: lists, selection, verdicts, discarding, the policy, refusals."""

import json
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command import Cli, without_extras
from letters.conftest import Letters, Put, bodies
from letters.test_ways_back import record
from local.support import Client
from screen import plain_environment, see

if TYPE_CHECKING:
    import pexpect

Shop = dict[str, str]


def test_letters_are_listed_by_cause_and_nothing_personal_is_shown(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    for number in range(3):
        failed = record(shop["AwardArn"], {"email": "bob@example.com"})
        error = f"order {number} of 'Bob' <bob@example.com> is poison"
        failed["responsePayload"] = {"errorType": "ValueError", "errorMessage": error}
        put("AwardFailed", failed)
    put("AwardFailed", record(shop["AwardArn"], {}))

    listed = letters("list", "--stack", "shop", "--end", "AwardFailed")
    found = letters("list", "--stack", "shop", "--end", "AwardFailed", "--json")

    assert listed.returncode == 0
    lines = listed.stdout.splitlines()
    assert lines[0] == "AwardFailed: 4 of 4 seen (4 visible, 0 in flight, 0 delayed)"
    assert lines[1] == "  goes back to Award"
    assert lines[2].split() == ["group", "letters", "failed", "at", "age", "left", "why"]
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[3:]]
    assert [(count, failed, left, why) for _id, count, failed, _age, left, why in rows] == [
        ("3", "Award", "3d", "RetriesExhausted: ValueError: order … of … <…> is poison"),
        ("1", "Award", "3d", "RetriesExhausted: ValueError: poison"),
    ]
    assert "bob" not in (listed.stdout + found.stdout).lower()
    (end,) = json.loads(found.stdout)["ends"]
    assert [group["count"] for group in end["groups"]] == [3, 1]
    assert end["complete"]
    assert len(bodies(client, shop["AwardFailed"])) == 4  # they are visible again


def test_a_payload_is_shown_when_asked_for_without_what_is_personal(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    payload = {"customerEmail": "bob@example.com", "order": {"id": 7, "colour": "red"}}
    nested = {"body": json.dumps({"token": "t", "lines": [{"first_name": "Bob", "size": 4}]})}
    id_ = put("AwardFailed", record(shop["AwardArn"], payload | nested))
    one = ("--stack", "shop", "--end", "AwardFailed", "--id", id_, "--json")

    (bare,) = json.loads(letters("show", *one).stdout)
    lines = letters("show", *one[:-1], "--payload").stdout.splitlines()
    (full,) = json.loads(letters("show", *one, "--payload", "--redact", "colour").stdout)

    assert "payload" not in bare
    assert lines[0] == f"AwardFailed: {id_}"
    assert lines[1] == "  failed at Award, goes back to Award"
    assert lines[2].startswith("  history:  sent ")
    assert lines[3] == "  why:      RetriesExhausted: ValueError: poison"
    assert lines[4].startswith('  what:     {"customerEmail": "***", ')
    assert full["payload"] == {
        "customerEmail": "***",
        "order": {"id": 7, "colour": "***"},
        "body": {"token": "***", "lines": [{"first_name": "***", "size": 4}]},
    }
    bodies(client, shop["AwardFailed"])


def test_only_what_is_chosen_goes_back_and_a_dry_run_sends_nothing(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    first, second, third = (put("OrdersDlq", f'{{"chosen": {number}}}') for number in range(3))
    end = ("--stack", "shop", "--end", "OrdersDlq")

    dry = letters("redrive", *end, "--id", first, "--id", second, "--dry-run")
    young = letters("redrive", *end, "--older-than", "1h", "--yes")
    done = letters("redrive", *end, "--id", first, "--id", second, "--yes")
    (group,) = json.loads(letters("list", *end, "--json").stdout)["ends"][0]["groups"]
    by_group = letters("redrive", *end, "--group", group["group"], "--newer-than", "1h", "--yes")

    assert dry.stdout == "OrdersDlq: 2 of 3 would be sent back\n"
    assert young.stdout.splitlines()[-1] == "no letter is as you say"
    assert done.stdout.splitlines()[1:] == ["OrdersDlq: 2 sent back", "  processed: 1 of them"]
    assert group["examples"] == [third]
    assert by_group.stdout == "OrdersDlq: 1 sent back\n"
    assert bodies(client, shop["OrdersDlq"]) == []


def test_no_redrive_succeeds_while_another_run_holds_letters(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("MailboxFailed", "held")
    held = client("sqs").receive_message(QueueUrl=shop["MailboxFailed"], VisibilityTimeout=43200)
    end = ("--stack", "shop", "--end", "MailboxFailed")

    listed = letters("list", *end)
    redriven = letters("redrive", *end, "--all", "--yes", "--json")

    total = "MailboxFailed: 0 of 1 seen (0 visible, 1 in flight, 0 delayed); not all seen"
    assert (listed.stdout.splitlines()[0], listed.returncode) == (total, 1)
    assert redriven.returncode == 1
    (message,) = held["Messages"]
    client("sqs").delete_message(
        QueueUrl=shop["MailboxFailed"], ReceiptHandle=message["ReceiptHandle"]
    )


def test_letters_are_sent_no_faster_than_the_rate(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    for number in range(5):
        put("MailboxFailed", f"paced {number}")
    started = time.monotonic()

    letters("redrive", "--stack", "shop", "--end", "MailboxFailed", "--all", "--rate", "5", "--yes")

    assert time.monotonic() - started >= 4 / 5
    assert len(bodies(client, shop["Mailbox"])) == 5


def test_what_fails_again_is_told_from_what_is_processed(
    letters: Letters, put: Put, shop: Shop, client: Client
) -> None:
    put("OrdersDlq", '{"good": 1}')
    put("OrdersDlq", '{"poison": 1}')

    done = letters(
        *("redrive", "--stack", "shop", "--end", "OrdersDlq", "--all", "--wait", "4"),
        *("--yes", "--json"),
    )

    (report,) = json.loads(done.stdout)
    assert report["verdicts"] == {"sent": 0, "processed": 1, "failed-again": 1, "kept": 0}
    assert [each["reason"] for each in report["letters"]] == ["it is back, with the same body"]
    assert done.returncode == 1
    assert bodies(client, shop["OrdersDlq"]) == ['{"poison": 1}']


def test_discarding_copies_first_and_overwrites_nothing(
    letters: Letters, put: Put, shop: Shop, client: Client, cli: Cli
) -> None:
    id_ = put("MailboxFailed", "to be discarded", kind="test")
    other = put("MailboxFailed", "to stay")
    there = cli.folder / "there.jsonl"
    there.write_text("mine")
    one = ("discard", "--stack", "shop", "--id", id_, "--to")

    refused = letters(*one, there, "--yes")
    asked = letters(*one, cli.folder / "copy.jsonl")
    done = letters(*one, cli.folder / "copy.jsonl", "--yes")

    assert refused.returncode == 2
    assert refused.stderr.endswith("there.jsonl is there already: name a new file.\n")
    assert there.read_text() == "mine"
    assert (asked.returncode, asked.stderr) == (
        2,
        "sls-patterns: Nobody can be asked here: --yes agrees.\n",
    )
    assert done.stdout == "MailboxFailed: 1 discarded, and copied to copy.jsonl\n"
    (line,) = (cli.folder / "copy.jsonl").read_text().splitlines()
    copy = json.loads(line)
    assert (copy["end"], copy["id"], copy["body"]) == ("MailboxFailed", id_, "to be discarded")
    assert copy["attributes"]["kind"]["StringValue"] == "test"
    assert stat.S_IMODE((cli.folder / "copy.jsonl").stat().st_mode) == 0o600
    assert other
    assert bodies(client, shop["MailboxFailed"]) == ["to stay"]


@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_terminal_asks_before_anything_is_sent(
    answer: str, put: Put, shop: Shop, client: Client, user: Cli
) -> None:
    put("MailboxFailed", "asked for")
    command = (*user.command, "letters", "redrive", "--stack", "shop", "--end", "MailboxFailed")

    def talk(process: "pexpect.spawn[bytes]") -> None:
        process.expect_exact("Send back 1 letter of MailboxFailed? [y/N] ")
        process.sendline(answer)

    shown = see((*command, "--all"), user.folder, plain_environment(user.environment), talk=talk)

    agreed = answer == "y"
    assert shown.code == (0 if agreed else 1)
    assert ("MailboxFailed: 1 sent back" in shown.lines) == agreed
    assert bodies(client, shop["Mailbox"]) == (["asked for"] if agreed else [])
    bodies(client, shop["MailboxFailed"])


def test_the_policy_names_each_resource_and_lets_nobody_send_without_redrive(
    letters: Letters, shop: Shop
) -> None:
    reading = json.loads(letters("policy", "list", "--stack", "shop").stdout)["Statement"]
    sending = json.loads(letters("policy", "redrive", "--stack", "shop").stdout)["Statement"]

    actions = {action for statement in reading for action in statement["Action"]}
    assert {
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "cloudformation:ListStackResources",
        "logs:FilterLogEvents",
        "s3:GetObject",
        "sqs:ReceiveMessage",
        "sqs:ChangeMessageVisibility",
    } <= actions
    wording = ("Send", "Put", "Delete", "Start", "Invoke", "Redrive", "Cancel")
    assert [each for each in actions if each.split(":")[1].startswith(wording)] == []
    more = {
        (action, resource)
        for statement in sending
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    account = "eu-west-1:000000000000"
    name = shop["OrdersDlq"].rpartition("/")[2]
    assert ("sqs:StartMessageMoveTask", f"arn:aws:sqs:{account}:{name}") in more
    assert ("sqs:SendMessage", f"arn:aws:sqs:{account}:{shop['Orders'].rpartition('/')[2]}") in more
    machine = shop["Machine"].replace(":stateMachine:", ":execution:")
    assert ("states:RedriveExecution", f"{machine}:*") in more
    assert [each for each in more if each[1] == "*"] == []


REFUSED = {
    ("list", "--stack", "none"): "The stack none: Stack with id none does not exist",
    ("list",): ". is no generated project: name the stack with --stack.",
    ("list", "--stack", "shop", "--end", "Nothing"): "Nothing keeps no letters here: OrdersDlq, ",
    ("redrive", "--stack", "shop"): (
        "Say which letters: --id, --group, --older-than, --newer-than, or --all."
    ),
    ("redrive", "--stack", "shop", "--all", "--id", "x"): (
        "--all cannot be combined with --id, --group or an age."
    ),
    ("redrive", "--stack", "shop", "--all"): "Nobody can be asked here: --yes agrees.",
    ("redrive", "--stack", "shop", "--older-than", "soon"): (
        "'soon' is no age: write a number and s, m, h or d, such as 12h."
    ),
    ("redrive", "--stack", "shop", "--all", "--rate", "0.09"): (
        "--rate 0.09 is not from 0.1 to 500 a second"
    ),
    ("redrive", "--stack", "shop", "--all", "--rate", "501"): (
        "--rate 501 is not from 0.1 to 500 a second"
    ),
    ("redrive", "--stack", "shop", "--all", "--wait", "-1"): "--wait -1 is less than 0 seconds.",
    ("discard", "--stack", "shop", "--id", "x"): (
        "--to must name a new file, which gets a copy of each letter."
    ),
    ("discard", "--stack", "shop", "--to", "x"): "Say which letters: --id or --group.",
    ("list", "nowhere", "--stack", "shop"): "nowhere does not exist.",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], letters: Letters, shop: Shop
) -> None:
    done = letters(*arguments)

    assert shop
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"sls-patterns: {REFUSED[arguments]}")


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("AWS_ACCESS_KEY_ID", "There are no AWS credentials: set AWS_PROFILE, or sign in."),
        ("AWS_DEFAULT_REGION", "There is no AWS region: set AWS_REGION."),
    ],
)
def test_credentials_and_region_that_are_missing_are_named(
    missing: str, says: str, user: Cli
) -> None:
    bare = {key: value for key, value in user.environment.items() if key != missing}
    bare.pop("AWS_REGION", None)

    done = Cli(user.folder, bare)("letters", "list", "--stack", "shop")

    assert (done.returncode, done.stderr) == (2, f"sls-patterns: {says}\n")


def test_an_address_where_nothing_answers_is_named(user: Cli) -> None:
    done = user("letters", "list", "--stack", "shop", AWS_ENDPOINT_URL="http://127.0.0.1:9")

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "The stack shop: Could not connect to the endpoint URL" in line


def test_without_the_extra_the_command_says_what_to_install(cli: Cli, tmp_path: Path) -> None:
    done = cli("letters", "list", "--stack", "shop", **without_extras(tmp_path))

    says = "letters needs boto3: install sls-patterns-cli with its extra [letters]"
    assert (done.returncode, done.stderr) == (2, f"sls-patterns: {says}\n")
