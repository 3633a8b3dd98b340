"""What API Gateway does with a mapping template, and no emulator shows."""

import re
from pathlib import Path

import pytest
from rendering import ROOT

from sls_patterns_cli.local.emulator.adapters.apigateway.rest_api_service import render

HEADER = re.compile(r"\$input\.params\('([a-z]+(?:-[a-z]+)+)'\)")
REQUESTS = sorted((ROOT / "templates/patterns").glob("*/api/*.request.vtl"))
WITH_HEADERS = [each for each in REQUESTS if HEADER.search(each.read_text("utf-8"))]


def test_some_template_reads_headers() -> None:
    assert WITH_HEADERS


@pytest.mark.parametrize("template", WITH_HEADERS, ids=lambda path: path.name)
def test_a_header_is_read_in_both_spellings_that_senders_write(template: Path) -> None:
    """`$input.params` takes a name as it was sent (fact B20 of docs/aws-facts.md)."""
    text = template.read_text()
    for name in set(HEADER.findall(text)):
        written = [
            render(text, "{}", {}, {spelling: "what was sent"})
            for spelling in (name, name.title(), name.upper())
        ]
        assert "what+was+sent" in written[0]
        assert written[0] == written[1] != written[2]
