"""`choose` names the patterns that suit the answers, and `list WORD` those that mention it."""

import json
from itertools import product
from typing import Any

import pytest
from cli.test_prompts import CTRL_C, DOWN, ENTER, code, terminal
from command import Cli

from sls_patterns_cli import catalog
from sls_patterns_cli.choosing.questions import QUESTIONS, next_question, suitable


def chosen(cli: Cli, *options: str) -> list[str]:
    done = cli("choose", *options, "--json")
    assert done.returncode == 0, done.stderr
    return [each["slug"] for each in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("options", "slugs"),
    [
        (["--callers", "changes"], ["distributed-trigger"]),
        (["--callers", "services", "--no-wait", "--ordered"], ["fifoer"]),
        (["--callers", "services", "--no-wait", "--receivers", "several"], ["notifier"]),
        (["--callers", "services", "--no-wait", "--receivers", "by-type"], ["router"]),
        (["--callers", "people", "--wait", "--receivers", "by-type"], ["robust-api"]),
        (["--callers", "people", "--no-wait"], ["scalable-webhook", "streamer", "state-machine"]),
    ],
    ids=" ".join,
)
def test_options_answer_without_questions(options: list[str], slugs: list[str], cli: Cli) -> None:
    assert chosen(cli, *options) == slugs


def test_the_reason_is_what_the_readme_says(cli: Cli) -> None:
    done = cli("choose", "--callers", "changes")
    pattern = catalog.pattern("distributed-trigger")
    said = " ".join(done.stdout.split())
    assert f"Use it {pattern.use}" in said
    assert f"Do not use it {pattern.avoid}" in said
    assert said.endswith("sls-patterns new distributed-trigger")
    assert cli("new", "distributed-trigger", "made").returncode == 0
    assert f"**Use it** {pattern.use}" in (cli.folder / "made/README.md").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "nothing is known"),
        (["--callers", "nobody"], "choose from: people, services, changes"),
        (["--callers", "changes", "--wait"], "no pattern suits all of these answers"),
    ],
    ids=["nothing", "unknown", "impossible"],
)
def test_what_leads_nowhere_is_one_line(options: list[str], says: str, cli: Cli) -> None:
    done = cli("choose", *options)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line


def test_questions_lead_to_a_pattern(cli: Cli) -> None:
    process = terminal(cli, "choose")
    process.expect("Who calls")
    process.send(DOWN + ENTER)
    process.expect("wait for the result")
    process.send(DOWN + ENTER)
    process.expect("in the order")
    process.send(ENTER)
    process.expect("Who processes")
    process.send(DOWN + ENTER)
    process.expect("sls-patterns new notifier")
    assert code(process) == 0


def test_of_many_the_one_that_comes_closest_is_asked_for(cli: Cli) -> None:
    process = terminal(cli, "choose", "--callers", "people", "--wait", "--receivers", "one")
    process.expect("comes closest")
    process.send(DOWN + ENTER)
    process.expect("sls-patterns new gatekeeper")
    assert code(process) == 0


def test_ctrl_c_ends_the_questions(cli: Cli) -> None:
    process = terminal(cli, "choose")
    process.expect("Who calls")
    process.send(CTRL_C)
    assert code(process) == 130


def test_whatever_is_answered_some_pattern_is_left_and_each_pattern_is_found() -> None:
    patterns = list(catalog.patterns())
    found: set[str] = set()
    open_answers: list[dict[str, Any]] = [{}]
    while open_answers:
        answers = open_answers.pop()
        question = next_question(patterns, answers)
        left = suitable(patterns, answers)
        assert left, answers
        if question is None:
            found.update(each.slug for each in left)
        else:
            open_answers += [{**answers, question.name: answer} for answer in question.answers]
    assert found == set(catalog.slugs())


def test_four_questions_are_the_most() -> None:
    possible = product(*(question.answers for question in QUESTIONS))
    patterns = list(catalog.patterns())
    for answers in possible:
        given = dict(zip((each.name for each in QUESTIONS), answers, strict=True))
        assert next_question(patterns, given) is None


def test_list_shows_the_patterns_that_mention_a_word(cli: Cli) -> None:
    listed = json.loads(cli("list", "ORDER", "--json").stdout)
    slugs = [each["slug"] for each in listed]
    assert "fifoer" in slugs
    assert "internal-api" not in slugs
    narrower = json.loads(cli("list", "order", "group", "--json").stdout)
    assert [each["slug"] for each in narrower] == ["fifoer"]


def test_a_word_that_no_pattern_mentions_is_one_line(cli: Cli) -> None:
    done = cli("list", "blockchain")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sls-patterns: no pattern mentions 'blockchain'; the patterns: ")
