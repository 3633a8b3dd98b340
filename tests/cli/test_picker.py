"""The prompts of `new`: a list that is searched, errors beside their question, and ways back."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.loaders import Loader
from command import Cli
from conversation import CLEAR_LINE, CTRL_C, DOWN, ENTER, ESCAPE, Conversation
from screen import plain_environment

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.tree import picture

WEBHOOK = ("scalable-webhook", "--name", "hook", "--topology", "function", "--runtime", "python")
FEW = (
    *("--runtime-version", "python3.13", "--iac", "sam", "--datastore", "dynamodb"),
    *("--data", "rollout=all-at-once", "--data", "stages=false"),
    *("--data", "tracing=none", "--data", "parameters=[]"),
)
"""Leaves region and dashboard to be asked for."""

NAME = "What is the project's name?"
TOPOLOGY = "Which topology?"
REGION = "Which AWS region?"
DASHBOARD = "Should it have a dashboard?"
REVIEW = "Choose one to change it."

Talk = Callable[..., Conversation]


@pytest.fixture
def talk(cli: Cli) -> Iterator[Talk]:
    """Run `new` with arguments in a terminal of 80 columns and 24 rows, or of another size."""
    begun: list[Conversation] = []

    def begin(*arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> Any:
        variables = plain_environment(cli.environment) | environment
        command = [*cli.command, "new", *arguments]
        begun.append(Conversation(command, cli.folder, variables, columns=columns, rows=rows))
        return begun[-1]

    yield begin
    for conversation in begun:
        conversation.stop()


def answers(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    return loaded


def listed(screen: Conversation) -> list[str]:
    """The slugs in the list, each beside its title."""
    rows = [re.fullmatch(r"[> ] (\S.*\S) {2,}([a-z-]+)", line) for line in screen.lines]
    titles = {pattern.title: pattern.slug for pattern in catalog.patterns()}
    return [row[2] for row in rows if row and titles.get(row[1]) == row[2]]


def test_typing_leaves_the_patterns_whose_names_and_purpose_mention_it_names_first(
    talk: Talk,
) -> None:
    screen = talk(rows=60).until("19 of 19 match")
    for typed in ("fan-out-f", "heavy", "clickstreams", "webhooks BURSTS", "consum"):
        wanted = {
            each.slug for each in catalog.all_listed() if all(map(each.mentions, typed.split()))
        }
        screen.send(CLEAR_LINE, typed).until(f"? Which pattern? {typed}")
        screen.until(f"{len(wanted)} of 19 match")
        assert {*listed(screen)} == wanted
        assert 0 < len(wanted) < 19
    assert listed(screen)[0] == "frugal-consumer"


def test_no_match_says_so_and_is_no_answer(talk: Talk) -> None:
    screen = talk().until("19 of 19 match").send("xyzzy", ENTER).until("No match for 'xyzzy'.")
    assert "0 of 19 match" in screen.text
    assert "Use it" not in screen.text
    screen.send(ESCAPE).until("19 of 19 match")
    assert listed(screen)[0] == catalog.slugs()[0]


def test_the_pane_shows_each_pattern_whole_at_80_columns_and_24_rows(talk: Talk) -> None:
    screen = talk()
    for pattern in catalog.patterns():
        screen.until(pattern.summary)
        assert pattern.slug in listed(screen)
        assert f"Use it {pattern.use}" in screen.text
        assert f"Do not use it {pattern.avoid}" in screen.text
        drawn = picture(pattern.topology(), 75)
        start = screen.lines.index(f"  {drawn[0]}")
        assert [line[2:] for line in screen.lines[start : start + len(drawn)]] == drawn
        assert "Enter accept" in screen.lines[23]
        screen.send(DOWN)


def test_a_terminal_too_small_for_the_pane_shows_question_list_and_errors(talk: Talk) -> None:
    screen = talk(columns=20, rows=6).until("Simple Web").send(DOWN).until("> Scalable")
    screen.send(ENTER).until("What is the").send("_", ENTER).until("a name has up to")


def test_a_terminal_without_unicode_gets_ascii_alone(talk: Talk) -> None:
    screen = talk(PYTHONIOENCODING="ascii").until("19 of 19 match").send("webhook")
    screen.until("`-> deliveries => process -> events")
    assert screen.raw.isascii()


def test_an_error_stands_whole_below_what_was_typed(talk: Talk) -> None:
    screen = talk("scalable-webhook").until(NAME).send(CLEAR_LINE, "Wrong_Name", ENTER)
    said = "a name has up to 40 lower-case letters, digits and single hyphens, and starts with a"
    screen.until(said)
    below = screen.lines.index("  Wrong_Name") + 1
    assert " ".join(screen.lines[below : below + 2]).split() == [*said.split(), "letter"]


def test_a_folder_in_the_way_is_refused_with_the_name_and_nothing_is_lost(
    talk: Talk, cli: Cli
) -> None:
    (cli.folder / "full").mkdir()
    (cli.folder / "full/file").touch()
    screen = talk(*WEBHOOK[:1], *WEBHOOK[3:], *FEW).until(NAME).send(CLEAR_LINE, "full", ENTER)
    screen.until("full is not empty").send(CLEAR_LINE, "shop-e2e", ENTER)
    screen.until("only the stacks of proofs end in -e2e").send(CLEAR_LINE, "free", ENTER)
    screen.until(REGION).send(ENTER).until(DASHBOARD).send(ENTER).until("Create free").send(ENTER)
    assert screen.end() == 0
    assert answers(cli.folder / "free")["project_name"] == "free"


@pytest.mark.parametrize("given", [["--name", "full"], ["--region", "us-esat-1"]])
def test_what_is_wrong_with_an_option_is_said_before_any_question(
    talk: Talk, cli: Cli, given: list[str]
) -> None:
    (cli.folder / "full").mkdir()
    (cli.folder / "full/file").touch()
    screen = talk(*given)
    assert screen.end() == 2
    assert "is not empty" in screen.text or "us-esat-1 is not an AWS region" in screen.text
    assert "Which pattern" not in screen.text


def test_escape_asks_again_with_the_answer_that_was_given(talk: Talk, cli: Cli) -> None:
    screen = talk(*WEBHOOK, *FEW).until(REGION).send("ireland").until("1 of 32 match")
    screen.send(ENTER).until(DASHBOARD).send("y").until("1 of 2 match").send(ENTER).until(REVIEW)
    screen.send(ESCAPE).until("> yes").send(ESCAPE).until("> eu-west-1").send(ENTER)
    screen.until("> yes").send(ENTER).until(REVIEW).send(ENTER)
    assert screen.end() == 0
    made = answers(cli.folder / "hook")
    assert (made["region"], made["dashboard"]) == ("eu-west-1", True)


def test_the_first_question_has_nothing_before_it(talk: Talk) -> None:
    screen = talk(*WEBHOOK, *FEW).until(REGION)
    assert "Esc back" not in screen.text
    screen.send(ESCAPE, "ireland").until("1 of 32 match").send(ENTER).until("Esc back")


def test_an_answer_is_changed_before_anything_is_written_and_what_depends_on_it_is_asked_again(
    talk: Talk, cli: Cli
) -> None:
    options = (*WEBHOOK[:3], "--runtime", "python", "--iac", "sam", "--region", "eu-west-1")
    screen = talk(*options, *FEW[:2], *FEW[6:])
    screen.until(TOPOLOGY).send(ENTER).until("Which datastore?").send(DOWN, ENTER)
    screen.until(DASHBOARD).send(ENTER).until(REVIEW)
    assert "datastore aurora-postgresql" in screen.text
    assert not list(cli.folder.iterdir())
    screen.send("topology", ENTER).until(f"? {TOPOLOGY}").until("> function").send(ESCAPE)
    screen.until("Create hook").send("datastore").until("> datastore")
    screen.send(ENTER).until("Which datastore?").until("> aurora-postgresql").send("dyn", ENTER)
    screen.until("Create hook").send(ENTER)
    assert screen.end() == 0
    assert answers(cli.folder / "hook")["datastore"] == "dynamodb"


def test_another_pattern_asks_for_what_it_offers_otherwise(talk: Talk, cli: Cli) -> None:
    options = ("--iac", "sam", "--runtime", "python", "--region", "eu-west-1", *FEW[6:])
    screen = talk(*options).until("19 of 19 match").send("strangler", ENTER).until(NAME)
    review(screen)
    screen.send("pattern", ENTER).until("> Strangler").send("fifoer", ENTER)
    screen.until(lambda: screen.lines.count("  fifoer") == 1)
    review(screen)
    screen.send(ENTER)
    assert screen.end() == 0
    made = answers(cli.folder / "fifoer")
    default = catalog.pattern("fifoer")
    assert made["topology"] == default.topologies[0].name
    assert made["datastore"] == default.topologies[0].datastores[0]


def review(screen: Conversation) -> None:
    """Accept every default until the answers are reviewed."""

    def asks(but: str = "") -> Callable[[], bool]:
        return lambda: "Enter accept" in screen.text and "\n".join(screen.lines) != but

    screen.until(asks())
    while REVIEW not in screen.text:
        before = "\n".join(screen.lines)
        screen.send(ENTER).until(asks(before))


def test_cancelling_the_review_writes_nothing_and_says_how_to_come_back(
    talk: Talk, cli: Cli
) -> None:
    screen = talk(*WEBHOOK, *FEW, columns=300).until(REGION).send("ireland", ENTER)
    screen.until(DASHBOARD).send(ENTER).until(REVIEW).send("cancel", ENTER)
    assert screen.end() == 130
    assert "--region eu-west-1" in screen.text
    assert not list(cli.folder.iterdir())


def test_the_command_after_ctrl_c_gives_the_answers_so_far(talk: Talk, cli: Cli) -> None:
    screen = talk(*WEBHOOK, *FEW, columns=300).until(REGION).send("ireland", ENTER)
    screen.until(DASHBOARD).send(CTRL_C)
    assert screen.end() == 130
    command = shlex.split(screen.lines[screen.lines.index("The same with the answers so far:") + 1])
    assert command[:2] == ["sls-patterns", "new"]
    assert not list(cli.folder.iterdir())
    assert cli(*command[1:]).returncode == 0
    made = answers(cli.folder / "hook")
    assert (made["pattern"], made["region"], made["dashboard"]) == (
        "scalable-webhook",
        "eu-west-1",
        False,
    )


def test_ctrl_c_while_an_answer_is_changed_keeps_what_was_answered(talk: Talk) -> None:
    screen = talk(*WEBHOOK, *FEW, columns=300).until(REGION).send("ireland", ENTER)
    screen.until(DASHBOARD).send(ENTER).until(REVIEW).send("region", ENTER)
    screen.until(lambda: "> eu-west-1" in screen.text).send(CTRL_C)
    assert screen.end() == 130
    assert "--region eu-west-1 --data dashboard=false" in screen.text


def test_ctrl_c_before_any_answer_says_nothing(talk: Talk) -> None:
    screen = talk().until("19 of 19 match").send(CTRL_C)
    assert screen.end() == 130
    assert screen.text == ""


def test_the_command_after_an_error_gives_the_answers_so_far(talk: Talk) -> None:
    options = ("--datastore", "redshift-serverless", "--runtime", "python", "--iac", "sam")
    screen = talk(*options, columns=300).until("19 of 19 match").send("internal-api", ENTER)
    screen.until(NAME).send(CLEAR_LINE, "quotes", ENTER)
    screen.until("Which version").send(ENTER)
    assert screen.end() == 2
    (error,) = (line for line in screen.lines if line.startswith("sls-patterns: "))
    assert error.startswith("sls-patterns: --datastore: 'redshift-serverless' is not offered")
    command = screen.lines[screen.lines.index("The same with the answers so far:") + 1]
    assert command.split()[:3] == ["sls-patterns", "new", "internal-api"]
    assert "--name quotes" in command


def test_a_region_is_found_by_its_place_and_a_new_one_can_be_typed(talk: Talk, cli: Cli) -> None:
    screen = talk(*WEBHOOK, *FEW, "--data", "dashboard=false").until(REGION)
    screen.send("zurich").until("1 of 32 match")
    assert any(re.fullmatch(r"> eu-central-2 +Europe \(Zurich\)", line) for line in screen.lines)
    screen.send(CLEAR_LINE, "us-esat-1").until("us-esat-1 is not an AWS region; choose from: ")
    screen.send(ENTER, CLEAR_LINE, "eu-west-9").until("eu-west-9 is not in the list; Enter takes")
    screen.send(ENTER).until(REVIEW).send(ENTER)
    assert screen.end() == 0
    assert answers(cli.folder / "hook")["region"] == "eu-west-9"
    assert "eu-west-9 is not among the regions that this release knows" in screen.text


def test_the_places_of_regions_are_those_of_the_sdk() -> None:
    (partition,) = (
        each for each in Loader().load_data("endpoints")["partitions"] if each["partition"] == "aws"
    )
    known = {name: facts["description"] for name, facts in partition["regions"].items()}
    assert catalog.places_of_regions().items() <= known.items()


def test_a_dumb_terminal_gets_lines_and_its_cursor_is_not_moved(talk: Talk, cli: Cli) -> None:
    screen = talk("fifoer", *FEW[6:], TERM="dumb", rows=200)
    read = 0

    def is_asked(text: str) -> Callable[[], bool]:
        return lambda: screen.raw.endswith(b": ") and text.encode() in screen.raw[read:]

    for wanted, typed in (
        (NAME, "Wrong_Name\r"),
        ("a name has up to 40 lower-case letters", "lines\r"),
        (TOPOLOGY, "7\r"),
        ("7 is not offered; choose from: ", "\r"),
        ("Which runtime?", "<\r"),
        (TOPOLOGY, "1\r"),
        ("Which runtime?", "typescript\r"),
        ("Which version", "\r"),
        ("Which IaC flavour?", "sam\r"),
        (REGION, "eu-west-1\r"),
        (DASHBOARD, "yes\r"),
        (REVIEW, "1\r"),
    ):
        screen.until(is_asked(wanted))
        read = len(screen.raw)
        screen.send(typed)
    assert screen.end() == 0
    assert b"\x1b" not in screen.raw
    made = answers(cli.folder / "lines")
    assert (made["runtime"], made["region"], made["dashboard"]) == ("typescript", "eu-west-1", True)


@pytest.mark.parametrize("way", ["| cat", "< /dev/null"])
def test_without_a_terminal_at_both_ends_it_is_said_that_defaults_are_taken(
    cli: Cli, way: str
) -> None:
    command = f"{shlex.join(map(str, cli.command))} new router {way}"
    screen = Conversation(["sh", "-c", command], cli.folder, plain_environment(cli.environment))
    assert screen.end() == 0
    assert (
        "Nothing was asked, without a terminal: what was not given has its default." in screen.text
    )
    assert (cli.folder / "router").is_dir()


def test_who_asks_for_defaults_is_not_told(cli: Cli) -> None:
    assert "Nothing was asked" not in cli("new", "router", "--defaults").stdout
