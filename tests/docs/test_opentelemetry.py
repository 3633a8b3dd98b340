"""The lines of docs/opentelemetry.md fit into projects, and deploy the same in both flavours."""

import re
from pathlib import Path

import pytest
from contract.check import violations
from contract.stack import load
from environments import fork_by
from rendering import ROOT, render_project
from synthesis import template_file
from tools import BIN, run

from sls_patterns_cli.cloudformation.document import Template

PAGE = (ROOT / "docs/opentelemetry.md").read_text()
PLACES = {
    "sam": ("template.yaml", "yaml", "    Tracing: Active\n", "        POWERTOOLS_METRICS_"),
    "cdk": (
        "infrastructure/stack.py",
        "text",
        "            tracing=lambda_.Tracing.ACTIVE,\n",
        '                "POWERTOOLS_METRICS_',
    ),
}
"""By flavour: the file, how the page marks its lines, and what they stand beside."""

LAYER = "layer:AWSOpenTelemetryDistroPython:"


def with_the_lines(folder: Path, iac: str) -> Path:
    """Render a project, and write into it what the page says."""
    project = render_project(folder / iac, pattern="frugal-consumer", iac=iac, runtime="python")
    name, language, tracing, variable = PLACES[iac]
    layers, variables = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    file = project / name
    text = file.read_text()
    assert (text.count(tracing), text.count(variable)) == (1, 1)
    text = text.replace(tracing, tracing + layers).replace(variable, variables + variable)
    file.write_text(text)
    return project


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("opentelemetry")
    return {iac: with_the_lines(folder, iac) for iac in PLACES}


def told(template: Template) -> list[tuple[str, str | None]]:
    """Return the layer and the wrapper of each function."""
    functions = [
        each["Properties"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    ]
    return [
        (
            re.findall(rf"\d+:{LAYER}\d+", str(each["Layers"]))[0],
            each["Environment"]["Variables"].get("AWS_LAMBDA_EXEC_WRAPPER"),
        )
        for each in functions
    ]


def test_each_function_has_the_layer_in_both_flavours(projects: dict[str, Path]) -> None:
    templates = {iac: load(project) for iac, project in projects.items()}

    sam, cdk = (told(template) for template in templates.values())
    assert sam == cdk == [(f"615299751070:{LAYER}11", "/opt/otel-instrument")] * len(sam)
    assert sam
    for template in templates.values():
        assert list(map(str, violations(template))) == []


def test_the_lines_have_no_fault_that_a_linter_finds(projects: dict[str, Path]) -> None:
    files = [str(template_file(project)) for project in projects.values()]

    fork_by(BIN / "python", ROOT, "cfn-lint", "--ignore-checks", "W3005", "--", *files)
    run([BIN / "ruff", "format", "--check", "infrastructure"], projects["cdk"])
