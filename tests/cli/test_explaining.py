"""What `explain` prints: the pages of docs/explain, as they are."""

import json
import re
import subprocess
import sys

import pytest
from command import Cli
from rendering import ROOT

from sls_patterns_cli.catalog.compiler.numbers import numbers
from sls_patterns_cli.cli import explaining

PAGES = ROOT / "docs/explain"
TOPICS = sorted(file.stem for file in PAGES.iterdir())


def succeed(cli: Cli, *arguments: str) -> str:
    done = cli(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_has_a_title_and_short_topics(topic: str) -> None:
    assert re.fullmatch(r"[a-z][a-z-]*", topic)
    assert re.match(r"# [^\n]{10,100}\n\n", (PAGES / f"{topic}.md").read_text("utf-8"))


def test_it_prints_a_page_as_it_is(cli: Cli) -> None:
    assert succeed(cli, "explain", "rollout") == (PAGES / "rollout.md").read_text("utf-8")


def test_without_a_topic_it_lists_them_with_their_titles(cli: Cli) -> None:
    told = succeed(cli, "explain").splitlines()

    assert [line.split()[0] for line in told] == TOPICS
    assert "How a gradual deployment changes functions" in told[TOPICS.index("rollout")]


def test_as_json(cli: Cli) -> None:
    topics = json.loads(succeed(cli, "explain", "--json"))
    page = json.loads(succeed(cli, "explain", "rollout", "--json"))

    assert [each["topic"] for each in topics] == TOPICS
    assert {key: page[key] for key in ("topic", "title")} in topics
    assert page["text"] == (PAGES / "rollout.md").read_text("utf-8")


@pytest.mark.parametrize("topic", ["nothing", "../kinds", "rollout.md", "/etc/passwd"])
def test_another_topic_is_one_line_that_says_which_there_are(topic: str, cli: Cli) -> None:
    done = cli("explain", topic)

    assert (done.returncode, done.stdout) == (2, "")
    allowed = ", ".join(TOPICS)
    assert done.stderr == f"sls-patterns: {topic!r} is no topic; choose from: {allowed}\n"


def test_it_imports_no_more_than_the_commands_themselves(cli: Cli) -> None:
    program = (
        "import sys; from sls_patterns_cli.cli import commands; before = {*sys.modules};"
        "commands.run(['explain', 'rollout']);"
        "print(*({*sys.modules} - before - sys.stdlib_module_names), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    own = {each for each in done.stderr.split() if each.startswith("sls_patterns_cli")}
    assert own == {"sls_patterns_cli.cli.explaining"}
    assert not {"rich", "jinja2", "yaml", "pydantic", "copier"} & {*done.stderr.split()}


def test_the_numbers_of_the_pages_are_those_of_the_stacks() -> None:
    of = numbers()
    rolled, kept = of["rollout"], of["queue"]["dead_letter_retention"]["text"]
    reserved = f"Lambda keeps {of['function']['unreserved_concurrency']} "
    told = {
        "rollout": f"{rolled['percent']} percent of the traffic for {rolled['minutes']} minutes",
        "account": reserved,
        "parameters": reserved,
        "dead-letters": f"expires {kept} after it was first sent, not {kept} after it failed",
        "aurora": f"At {of['database']['most_capacity']} ACU the database allows",
    }

    assert [topic for topic, text in told.items() if text not in explaining.page(topic)] == []
