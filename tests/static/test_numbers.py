"""A number that all stacks share stands in the module of its kind, and in no template."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT

from sls_patterns_cli.catalog.compiler.numbers import numbers

IAC = ROOT / "templates/iac"
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def written(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield how code and comments would write these numbers; small ones have many meanings."""
    if "unit" in facts:
        yield f"{facts['unit']}({facts['amount']})"
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from written(value)
        elif name == "text" or (isinstance(value, int) and value >= 100):
            yield str(value)


WRITTEN = sorted(set(written(numbers())))
LITERAL = re.compile(rf"(?<!\w)(?<!\d\.)(?:{'|'.join(map(re.escape, WRITTEN))})(?![\w.])")


def literals(folder: Path) -> list[str]:
    return [
        f"{file.relative_to(folder)}: {found}"
        for file in sorted(folder.rglob("*.jinja"))
        for found in LITERAL.findall(TAG.sub("", file.read_text()))
    ]


def test_no_template_of_the_infrastructure_repeats_a_number_of_its_kind() -> None:
    assert literals(IAC) == []


KEPT = numbers()["queue"]["dead_letter_retention"]


@pytest.mark.parametrize(
    "line",
    [
        f"MessageRetentionPeriod: {KEPT['seconds']}",
        f"retentionPeriod: cdk.Duration.{KEPT['unit']}({KEPT['amount']}),",
        f"# kept for {KEPT['text']}",
        f"MaximumRetryAttempts: {numbers()['rule']['retries']}",
    ],
)
def test_a_number_that_is_repeated_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "resources.jinja").write_text(f"{{{{ {KEPT['seconds']} }}}}\n{line}\n")

    assert len(literals(tmp_path)) == 1
