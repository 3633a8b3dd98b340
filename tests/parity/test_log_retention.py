"""Logs are kept as long in each flavour, for any number of days that CloudWatch Logs allows."""

import json
from pathlib import Path

import pytest
import yaml
from contract.stack import load
from environments import link_modules, node
from parity.differences import unexplained
from parity.facts import facts
from rendering import ROOT, render_project
from synthesis import template_files, with_templates_of
from tools import run

NAMES: dict[int, str] = yaml.safe_load((ROOT / "templates/log-retention.yml").read_text())


def rendered(days: int, folder: Path, **answers: str) -> Path:
    given = {"pattern": "notifier", "log_retention_days": f"{days}", **answers}
    return render_project(folder / "-".join(answers.values()), **given)


@with_templates_of("notifier")
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_flavours_keep_logs_as_long_as_each_other(runtime: str, tmp_path: Path) -> None:
    projects = {iac: rendered(545, tmp_path, runtime=runtime, iac=iac) for iac in ("sam", "cdk")}
    template_files(projects.values())

    found = {iac: facts(load(project), "notifier") for iac, project in projects.items()}

    assert list(unexplained(found)) == []
    for of_flavour in found.values():
        days = {each for each in map(str, of_flavour) if "RetentionInDays" in each}
        assert days
        assert all(each.endswith("RetentionInDays is 545") for each in days)


def test_cdk_knows_all_these_days_by_these_names(tmp_path: Path) -> None:
    project = rendered(30, tmp_path, runtime="typescript", iac="cdk")
    link_modules(project)
    script = 'console.log(JSON.stringify(require("aws-cdk-lib/aws-logs").RetentionDays))'

    known = json.loads(run([node().executable, "-e", script], project))

    assert {days: known[f"{days}"] for days in NAMES} == NAMES


@pytest.mark.parametrize(("days", "allowed"), [(0, False), (1, True), (3653, True), (3654, False)])
def test_only_days_that_cloudwatch_logs_allows_are_accepted(
    days: int, tmp_path: Path, *, allowed: bool
) -> None:
    if allowed:
        rendered(days, tmp_path, iac="cdk")
        return
    with pytest.raises(ValueError, match=f"cannot keep log events for {days} days; choose from: 1"):
        rendered(days, tmp_path, iac="cdk")
