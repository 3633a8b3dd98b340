"""Answers together: no answer breaks another, and each flavour deploys the same."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
from contract.check import violations
from contract.made import declared, judges, written
from contract.stack import load
from environments import FORKS, fork_by
from kept import Look, kept, kept_of
from parity.differences import unexplained
from parity.facts import facts
from rendering import render_project
from synthesis import SYNTHESISED_ONCE, template_file, template_files
from tools import BIN, run

from sls_patterns_cli.dashboards import command

HERE = Path(__file__).parent

# What invokes functions: routes, an authorizer, a queue, a rule, a topic, a state machine.
TOPOLOGIES = {
    "router": {"topology": "function", "runtime": "python"},
    "simple-web-service": {"topology": "rest-api", "runtime": "typescript"},
    "fan-out-fan-in": {"topology": "workers", "runtime": "python"},
    "state-machine": {"topology": "standard", "runtime": "typescript"},
}
ANSWERS = {
    "dashboard-rollout": {"dashboard": "true", "rollout": "canary"},
    "dashboard-stages": {"dashboard": "true", "stages": "true"},
    "all": {
        "dashboard": "true",
        "stages": "true",
        "rollout": "canary",
        "tracing": "xray",
        "parameters": "[retention]",
    },
}
"""Beside the defaults, which have tracing, and callers with a token where an API asks for one."""

Projects = Mapping[str, Path]
Of = Callable[[str, str], Projects]

pytestmark = SYNTHESISED_ONCE


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Of:
    """Return what renders a pattern with answers, in each flavour."""
    folder = tmp_path_factory.mktemp("combined")
    made = {
        (pattern, named, iac): render_project(
            folder / f"{pattern}-{named}-{iac}", pattern=pattern, iac=iac, **chosen, **answers
        )
        for pattern, chosen in TOPOLOGIES.items()
        for named, answers in ANSWERS.items()
        for iac in ("sam", "cdk")
    }
    template_files(made.values())

    @cache
    def projects(pattern: str, named: str) -> Projects:
        return {iac: made[pattern, named, iac] for iac in ("sam", "cdk")}

    return projects


def alike_and_good(projects: Projects, pattern: str) -> None:
    """Let the flavours keep the contract, and differ in nothing."""
    templates = {iac: load(project) for iac, project in projects.items()}

    assert {iac: list(map(str, violations(each))) for iac, each in templates.items()} == {
        "sam": [],
        "cdk": [],
    }
    found = {iac: facts(each, pattern) for iac, each in templates.items()}
    assert list(unexplained(found)) == []


@pytest.mark.parametrize("named", ANSWERS)
@pytest.mark.parametrize("pattern", TOPOLOGIES)
class TestTogether:
    def test_answers_keep_the_contract_in_both_flavours_alike(
        self, pattern: str, named: str, of: Of
    ) -> None:
        projects = of(pattern, named)
        deployed = [part for made in projects.values() for part in written(made)]
        looked_at: Look = (HERE, judges(), *declared(pattern), named, *deployed)
        with kept("combined answers", *looked_at) as is_new:
            if is_new:
                alike_and_good(projects, pattern)

    def test_answers_have_the_picture_of_their_dashboard(
        self, pattern: str, named: str, of: Of, tmp_path: Path
    ) -> None:
        for iac, project in of(pattern, named).items():
            file = template_file(project)
            command.run(file if iac == "sam" else file.parent, tmp_path / "drawn.svg")
            drawn, handed_over = (
                each.read_text() for each in (tmp_path / "drawn.svg", project / "dashboard.svg")
            )
            assert drawn == handed_over


def test_cfn_lint_finds_nothing(of: Of) -> None:
    projects = [made for each in product(TOPOLOGIES, ANSWERS) for made in of(*each).values()]
    versions = [metadata.version(each) for each in ("cfn-lint", "aws-sam-translator")]
    options = ("--ignore-checks", "W3005")
    looked_at: dict[Path, Look] = {
        template_file(made): (FORKS, *versions, *options, *written(made)) for made in projects
    }

    with kept_of("cfn-lint", looked_at) as new:
        if new:
            fork_by(BIN / "python", HERE, "cfn-lint", *options, "--", *map(str, new))


def test_the_code_of_the_stack_is_formatted(of: Of, tmp_path: Path) -> None:
    infrastructure = [
        of(pattern, named)["cdk"] / "infrastructure"
        for pattern, chosen in TOPOLOGIES.items()
        if chosen["runtime"] == "python"
        for named in ANSWERS
    ]

    run([BIN / "ruff", "format", "--check", *infrastructure], tmp_path)
