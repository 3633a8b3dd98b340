"""Each rule has a page, and finds what its page says, at the line that it says."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import Cli, ForkedCli
from examples import PAGES, page

from sls_patterns_cli.check.rules import RULES

CHECK = ("sls_patterns_cli.cli.commands", "sls_patterns_cli.check.command")


@pytest.fixture
def check(cli: Cli) -> ForkedCli:
    return ForkedCli(cli.folder, cli.environment, imported=CHECK)


def findings(check: ForkedCli, template: str) -> list[dict[str, Any]]:
    (check.folder / "template.yaml").write_text(template)
    done = check("check", "template.yaml", "--json")
    assert done.returncode in {0, 1}, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert sorted(file.name for file in PAGES.iterdir()) == [f"{rule}.md" for rule in RULES]


@pytest.mark.parametrize("rule", RULES)
def test_a_page_is_about_its_rule(rule: str) -> None:
    own = page(rule)

    assert (own.rule, own.title) == (rule, RULES[rule].title)
    assert RULES[rule].url in re.findall(r"\]\((https://[^)]+)\)", own.sources)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_the_broken_example_at_the_marked_line(rule: str, check: ForkedCli) -> None:
    found = [each for each in findings(check, page(rule).broken) if each["rule"] == rule]

    (only,) = found
    assert only["line"] == page(rule).line
    assert only["file"] == "template.yaml"
    assert (only["severity"], only["url"]) == (RULES[rule].severity, RULES[rule].url)


@pytest.mark.parametrize("rule", RULES)
def test_the_mended_example_has_no_error_and_nothing_of_the_rule(
    rule: str, check: ForkedCli
) -> None:
    found = findings(check, page(rule).mended)

    assert [each for each in found if each["rule"] == rule or each["severity"] == "error"] == []


def test_cfn_lint_finds_nothing_in_any_example(tmp_path: Path) -> None:
    """So no rule repeats one of cfn-lint, and what is mended can be deployed."""
    for rule in RULES:
        (tmp_path / f"{rule}-broken.yaml").write_text(page(rule).broken)
        (tmp_path / f"{rule}-mended.yaml").write_text(page(rule).mended)
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [lint, "--", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_page_is_printed(check: ForkedCli) -> None:
    done = check("check", "--explain", "SP101")

    assert (done.returncode, done.stdout) == (0, (PAGES / "SP101.md").read_text())


@pytest.mark.parametrize("asked", ["SP999", "sp101", "../SP101"])
def test_a_page_of_no_rule_is_refused(asked: str, check: ForkedCli) -> None:
    done = check("check", "--explain", asked)

    assert done.returncode == 2
    assert f"{asked!r} is no rule; the rules are: SP001, SP101" in done.stderr
    assert done.stderr.count("\n") == 1
