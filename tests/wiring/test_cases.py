"""Templates for each mechanism, labelled by hand by somebody who did not read the code."""

import json
from pathlib import Path

import pytest

from sls_patterns_cli.check.report import Report, reports

CASES = Path(__file__).parent / "cases"
EDGE = "source", "target", "mechanism", "end", "alarmed"


def labelled() -> list[str]:
    return sorted(each.stem for each in CASES.glob("*.json"))


def checked(case: str) -> Report:
    (report,) = reports(CASES / f"{case}.yaml")
    return report


@pytest.mark.parametrize("case", labelled())
def test_the_edges_of_a_template_are_those_that_an_expert_sees(case: str) -> None:
    wanted = json.loads((CASES / f"{case}.json").read_text())

    report = checked(case)

    seen = [{key: edge[key] for key in EDGE} for edge in report.edges()]
    assert sorted(seen, key=str) == sorted(wanted["edges"], key=str)
    errors = {(each.rule, each.resource) for each in report.findings if each.severity == "error"}
    assert errors == {(rule, resource) for rule, resource in wanted["errors"]}


def test_every_mechanism_has_a_case() -> None:
    mechanisms = {edge["mechanism"] for case in labelled() for edge in checked(case).edges()}

    assert mechanisms == {
        *("sqs", "lambda-async", "eventbridge", "eventbridge-v2", "sns", "stream", "kafka"),
        *("scheduler", "step-functions", "firehose", "pipe", "iot", "logs", "other"),
    }
