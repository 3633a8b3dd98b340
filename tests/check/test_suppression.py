"""A finding is suppressed with a reason, and what suppresses nothing is told."""

from pathlib import Path
from typing import Any

import pytest

from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.check.suppression import (
    FILE,
    Place,
    Suppression,
    apply,
    files,
    in_file,
    in_metadata,
)
from sls_patterns_cli.errors import UserError

TEMPLATE = "service/template.yaml"
ORDERS = Place(TEMPLATE, 3, "Orders")


def finding(rule: str = "SP101", resource: str = "Orders", file: str = TEMPLATE) -> Finding:
    return Finding(rule, RULES[rule].severity, file, 3, resource, "Lost.", "Mend.", RULES[rule].url)


def reasons(suppressions: list[Suppression], *findings: Finding) -> list[str | None]:
    return [each.suppressed for each in apply(findings, suppressions)]


def metadata(**entries: Any) -> dict[str, Any]:
    return {"sls-patterns": {"suppress": entries}}


def suppressions(folder: Path, text: str) -> list[Suppression]:
    (folder / FILE).write_text(text)
    return in_file(folder / FILE)


def test_the_metadata_of_a_resource_suppresses_its_findings_of_that_rule() -> None:
    written = in_metadata(metadata(SP101="the producer repeats"), ORDERS)

    found = (finding(), finding("SP501"), finding(resource="Other"), finding(file="other.yaml"))
    assert reasons(written, *found) == ["the producer repeats", None, None, None]


def test_the_metadata_of_a_resource_holds_for_what_is_generated_from_it() -> None:
    place = Place(TEMPLATE, 3, "Worker")
    written = in_metadata(metadata(SP401="one at a time"), place, generated=["WorkerOrder"])

    assert reasons(written, finding("SP401", "WorkerOrder")) == ["one at a time"]


def test_metadata_of_other_tools_suppresses_nothing() -> None:
    assert in_metadata({"cfn-lint": {"config": {"ignore_checks": ["E3505"]}}}, ORDERS) == []


def test_a_file_suppresses_the_findings_of_a_resource(tmp_path: Path) -> None:
    written = suppressions(
        tmp_path,
        "suppress:\n"
        "  - rule: SP101\n"
        "    resource: Orders\n"
        "    file: service/template.yaml\n"
        "    reason: >-\n"
        "      the producer\n"
        "      repeats\n"
        "  - {rule: SP501, resource: '*', reason: no landing zone}\n",
    )

    own = str(tmp_path / TEMPLATE)
    found = (finding(file=own), finding(file="other.yaml"), finding("SP501", "Other"))
    assert reasons(written, *found) == ["the producer repeats", None, "no landing zone"]


def test_what_matches_no_finding_is_a_finding_itself(tmp_path: Path) -> None:
    written = [
        *in_metadata(metadata(SP104="once"), ORDERS),
        *suppressions(tmp_path, "suppress:\n- {rule: SP101, resource: Gone, reason: once}\n"),
    ]

    of_metadata, of_file = apply([], written)

    assert (of_metadata.rule, of_metadata.file, of_metadata.line) == ("SP001", TEMPLATE, 3)
    assert (of_file.file, of_file.line) == (str(tmp_path / FILE), 2)
    assert (of_file.resource, of_file.severity) == ("Gone", "note")
    assert "SP101" in of_file.message


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (metadata(SP101=""), "the suppression of SP101 needs a reason"),
        (metadata(SP101=None), "the suppression of SP101 needs a reason"),
        (metadata(SP101=True), "the suppression of SP101 needs a reason"),
        (metadata(SP001="why not"), "'SP001' is no rule that can be suppressed"),
        (metadata(SP999="why not"), "'SP999' is no rule that can be suppressed"),
        ({"sls-patterns": {"suppress": ["SP101"]}}, "suppress must map rules to reasons"),
        ({"sls-patterns": {"supress": {}}}, "sls-patterns in the Metadata may have one key"),
        ({"sls-patterns": "SP101"}, "sls-patterns in the Metadata may have one key"),
    ],
)
def test_metadata_without_a_rule_and_a_reason_is_refused(
    written: dict[str, Any], error: str
) -> None:
    with pytest.raises(UserError) as refused:
        in_metadata(written, ORDERS)

    assert refused.value.message.startswith("service/template.yaml:3: ")
    assert error in refused.value.message


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("suppress: [{rule: SP101, resource: Orders}]", ":1: the suppression of SP101 needs a"),
        ("suppress: [{rule: SP101, reason: x}]", ":1: resource must be a logical id"),
        ("suppress:\n- {rule: SP1, resource: A, reason: x}", ":2: 'SP1' is no rule"),
        ("suppress:\n- {rule: [SP101], resource: A, reason: x}", ":2: ['SP101'] is no rule"),
        ("suppress: [{rule: SP101, resource: A, reasons: x}]", ":1: an entry has the keys"),
        ("suppress: [SP101]", ":1: an entry has the keys"),
        ("suppress: [{rule: SP101, resource: A, file: 1, reason: x}]", ":1: file must be a path"),
        ("suppress: {SP101: x}", " must have one key, suppress, with a list"),
        ("suppress:", " must have one key, suppress, with a list"),
        ("", " must have one key, suppress, with a list"),
        ("- rule: SP101", " must have one key, suppress, with a list"),
        ("suppress: [", " is not YAML"),
        ("suppress: &all [*all]", ":1: an entry has the keys"),
        ("suppress: !!python/object:os.system []", " is not YAML"),
        ("[" * 5000, " is not YAML"),
    ],
)
def test_a_file_of_another_form_is_refused(written: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        suppressions(tmp_path, written)

    assert refused.value.message.startswith(f"{tmp_path / FILE}{error}")
    assert "\n" not in refused.value.message


def test_the_files_beside_a_template_and_above_it_hold_for_it(tmp_path: Path) -> None:
    template = tmp_path / "repository/service/template.yaml"
    template.parent.mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "repository", template.parent):
        (folder / FILE).touch()

    top = tmp_path / "repository"
    assert files(template, top) == [template.parent / FILE, top / FILE]
    assert files(template, tmp_path / "elsewhere") == [template.parent / FILE]
