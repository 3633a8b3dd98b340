"""The GitHub action: its file, and what its steps run. Its uploads are GitHub's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from checking import page
from command import environment
from rendering import ROOT

BIN = Path(sys.executable).parent
ACTION = ROOT / "action.yml"
STEPS: dict[str, Any] = {
    step["name"]: step for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]
}


class Job:
    """A job in a repository; paths have spaces, as those of self-hosted runners may."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.temporary = folder / "work space", folder / "runner temp"
        self.home, self.output = folder / "home", folder / "output"
        for each in (self.workspace, self.temporary, self.home):
            each.mkdir()
        self.output.touch()

    def run(self, step: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does a step with `shell: bash`."""
        assert STEPS[step]["shell"] == "bash"
        assert STEPS[step]["env"].keys() == variables.keys()
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
            cwd=self.workspace,
            env=environment(self.home)
            | {
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_OUTPUT": str(self.output),
            }
            | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def installed(job: Job) -> Job:
    """As after the step that installs, but with the command of this environment."""
    command = job.temporary / "sls-patterns/bin/sls-patterns"
    command.parent.mkdir(parents=True)
    command.symlink_to(BIN / "sls-patterns")
    return job


def test_its_file_is_what_github_takes() -> None:
    zizmor = (BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", ACTION)
    done = subprocess.run(zizmor, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_input_and_output_is_used() -> None:
    action = yaml.safe_load(ACTION.read_text())
    steps = json.dumps(action["runs"])
    assert all(f"inputs.{name}" in steps for name in action["inputs"])
    assert [each["value"] for each in action["outputs"].values()] == [
        "${{ steps.check.outputs.sarif }}"
    ]
    assert STEPS["Check"]["id"] == "check"


def test_an_error_fails_the_job_and_is_in_the_file_for_code_scanning(installed: Job) -> None:
    (installed.workspace / "a template.yaml").write_text(page("SP101").broken)

    done = installed.run("Check", CHECKED="a template.yaml\n", STRICT="false")

    assert done.returncode == 1, done.stderr
    assert "SP101" in done.stdout
    log = json.loads(Path(installed.outputs["sarif"]).read_text())
    assert "SP101" in {result["ruleId"] for result in log["runs"][0]["results"]}


def test_several_paths_are_checked(installed: Job) -> None:
    for name in ("orders", "invoices"):
        folder = installed.workspace / name
        folder.mkdir()
        (folder / "template.yaml").write_text(page("SP101").mended)

    done = installed.run("Check", CHECKED="orders\ninvoices", STRICT="false")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" in done.stdout
    assert "orders/template.yaml" in done.stdout
    assert "invoices/template.yaml" in done.stdout


def test_strict_fails_the_job_for_a_warning(installed: Job) -> None:
    (installed.workspace / "template.yaml").write_text(page("SP301").broken)

    assert installed.run("Check", CHECKED=".", STRICT="true").returncode == 1


def test_input_that_cannot_be_read_fails_the_job_without_a_file(installed: Job) -> None:
    done = installed.run("Check", CHECKED="missing.yaml", STRICT="false")

    assert done.returncode == 2
    assert "missing.yaml" in done.stderr
    assert installed.outputs == {}


@pytest.mark.exhaustive  # it installs this package and what it needs from the index
def test_it_installs_from_its_own_checkout(job: Job) -> None:
    installed = job.run("Install", PYTHON=sys.executable)
    assert installed.returncode == 0, installed.stderr

    (job.workspace / "template.yaml").write_text(page("SP101").broken)
    assert job.run("Check", CHECKED=".", STRICT="false").returncode == 1
