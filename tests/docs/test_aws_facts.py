"""Each fact of docs/aws-facts.md is held by something that exists, or says that it is open."""

import re
from pathlib import Path

import pytest
import yaml
from rendering import ROOT, render_project
from variants import Variant, all_variants

DOCUMENT = ROOT / "docs/aws-facts.md"
ROW = re.compile(r"^\| (?P<id>[A-Z]\d+)(?: [VMS])? \|.*\| (?P<held>[^|]+) \|$", re.MULTILINE)
HELD = {row["id"]: row["held"] for row in ROW.finditer(DOCUMENT.read_text())}
BROKEN = yaml.safe_load((ROOT / "tests/contract/broken.yml").read_text())
RULES = {broken["fact"] for broken in BROKEN if "fact" in broken}
DEPLOYED_BY_CI = [
    next(v for v in all_variants() if (v.runtime, v.iac) == (runtime, iac))
    for runtime, iac in (("python", "sam"), ("typescript", "cdk"))
]


def test_what_holds_each_fact_exists() -> None:
    assert HELD
    for fact, held in HELD.items():
        tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", held)
        if f"rule `{fact}`" in held:
            assert fact in RULES, fact
        for file, name in tests:
            assert f"def {name}(" in (ROOT / file).read_text(), (fact, file, name)
        assert tests or f"rule `{fact}`" in held or held.startswith("open"), fact


def test_every_fact_with_a_broken_template_says_so() -> None:
    assert {fact for fact in RULES if f"rule `{fact}`" not in HELD.get(fact, "")} == set()


@pytest.mark.parametrize("variant", DEPLOYED_BY_CI, ids=str)
def test_the_readme_names_the_subject_that_a_job_with_an_environment_has(
    variant: Variant, tmp_path: Path
) -> None:
    """Fact A8: https://docs.github.com/en/actions/concepts/security/openid-connect."""
    project = render_project(tmp_path / "shop", **variant.answers)
    (workflow,) = (project / ".github/workflows").glob("*.yml")
    environment = yaml.safe_load(workflow.read_text())["jobs"]["deploy"]["environment"]

    readme = (project / "README.md").read_text()

    assert f"repo:OWNER/REPOSITORY:environment:{environment}" in readme
