"""The hook of this repository, as a user's pre-commit runs it: https://pre-commit.com."""

import subprocess
import sys
from pathlib import Path

import pytest
from checking import page
from command import environment
from rendering import ROOT

# It installs this package and what it needs from the index.
pytestmark = pytest.mark.exhaustive

PRE_COMMIT = Path(sys.executable).with_name("pre-commit")


def test_the_hook_refuses_a_template_with_an_error(tmp_path: Path) -> None:
    home, repository = tmp_path / "home", tmp_path / "repository"
    home.mkdir()
    repository.mkdir()
    own = environment(home) | {"PRE_COMMIT_HOME": str(home / "pre-commit")}

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=repository, env=own, capture_output=True, text=True, check=False
        )

    run("git", "init", "--quiet")
    (repository / "template.yaml").write_text(page("SP101").broken)
    (repository / "notes.yaml").write_text("[")
    run("git", "add", "--all")
    hook = (PRE_COMMIT, "try-repo", ROOT, "sls-patterns-check", "--all-files")

    refused = run(*hook)
    assert refused.returncode == 1, refused.stdout
    assert "template.yaml:3" in refused.stdout, refused.stdout
    assert "notes.yaml" not in refused.stdout

    (repository / "template.yaml").write_text(page("SP101").mended)
    run("git", "add", "--all")
    taken = run(*hook)
    assert taken.returncode == 0, taken.stdout
