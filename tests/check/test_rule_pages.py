"""Each rule has a page, and finds what its page says, at the line that it says."""

import re

import pytest
from checking import PAGES, findings, page
from command import Cli
from rendering import ROOT

from sls_patterns_cli.check.rules import RULES


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert sorted(file.name for file in PAGES.iterdir()) == [f"{rule}.md" for rule in RULES]


def test_the_rules_are_listed() -> None:
    listed = (ROOT / "docs/check.md").read_text("utf-8")
    assert re.findall(r"^\| \[SP.*$", listed, re.MULTILINE) == [
        f"| [{rule.id}](rules/{rule.id}.md) | {rule.title} | {rule.severity} |"
        for rule in RULES.values()
    ]


@pytest.mark.parametrize("rule", RULES)
def test_a_page_is_about_its_rule(rule: str) -> None:
    own = page(rule)

    assert (own.rule, own.title) == (rule, RULES[rule].title)
    assert RULES[rule].url in re.findall(r"\]\((https://[^)]+)\)", own.sources)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_the_broken_example_at_the_marked_line(rule: str, cli: Cli) -> None:
    (cli.folder / "template.yaml").write_text(page(rule).broken)

    (only,) = (each for each in findings(cli, "template.yaml") if each["rule"] == rule)

    assert only["line"] == page(rule).line
    assert only["file"] == "template.yaml"
    assert (only["severity"], only["url"]) == (RULES[rule].severity, RULES[rule].url)


@pytest.mark.parametrize("rule", RULES)
def test_the_mended_example_has_no_error_and_nothing_of_the_rule(rule: str, cli: Cli) -> None:
    (cli.folder / "template.yaml").write_text(page(rule).mended)

    found = findings(cli, "template.yaml")

    assert [each for each in found if each["rule"] == rule or each["severity"] == "error"] == []


def test_a_page_is_printed(cli: Cli) -> None:
    done = cli("check", "--explain", "SP101")

    assert (done.returncode, done.stdout) == (0, (PAGES / "SP101.md").read_text())


@pytest.mark.parametrize("asked", ["SP999", "sp101", "../SP101"])
def test_a_page_of_no_rule_is_refused(asked: str, cli: Cli) -> None:
    done = cli("check", "--explain", asked)

    assert done.returncode == 2
    assert f"{asked!r} is no rule; the rules are: SP001, SP101" in done.stderr
    assert done.stderr.count("\n") == 1
