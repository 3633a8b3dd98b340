"""The records of decisions are short, and `docs/design.md` leads to each of them."""

import re
from pathlib import Path

import pytest
from decisions_page import FOLDER, PAGE, Decision, decisions, design_page
from releases import COMING
from rendering import ROOT

from sls_patterns_cli.errors import UserError

PAGES = sorted(FOLDER.glob("*.md"))
LONGEST_LINE = 180
MOST_SENTENCES = 5


def test_each_page_is_of_a_release_and_has_its_date() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    dates = dict(re.findall(r"^## \[([\d.]+)\] - (\S+)$", changelog, re.MULTILINE))
    expected = {str(COMING): "unreleased"} | dates

    for page in PAGES:
        assert page.read_text().partition("\n")[0] == f"# {page.stem} - {expected[page.stem]}"


def test_titles_differ() -> None:
    titles = [decision.title for decision in decisions()]
    assert len({*titles}) == len(titles)


def test_each_record_is_a_few_sentences() -> None:
    assert [each.title for each in decisions() if not is_short(each)] == []


def is_short(decision: Decision) -> bool:
    prose = decision.text.partition("\n\n|")[0]  # a table of figures may follow
    return 1 <= len(re.findall(r"[.?!](?=\s|$)", prose)) <= MOST_SENTENCES


@pytest.mark.parametrize("page", [PAGE, *PAGES], ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if len(line) > LONGEST_LINE] == []


def test_a_decision_about_no_listed_subject_is_refused() -> None:
    page = "# Design\n\n## SAM\n"
    with pytest.raises(UserError, match="no subject 'Aurora'"):
        design_page(page, (each for each in decisions() if each.subject == "Aurora"))
