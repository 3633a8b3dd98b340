"""CI checks and proves a project where it can install this tool, and says so where it cannot."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rendering
import yaml
from golden import rendered
from rendering import PUBLIC
from tools import BIN, run

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog import RESERVED_ADDRESS as RESERVED

CI = "hook/.github/workflows/ci.yml"


def workflow(folder: Path, address: str, version: str, **answers: str) -> dict[str, Any]:
    data = {"pattern": "scalable-webhook", "project_name": "hook", **answers}
    origin = {"_src_path": address, "_commit": version}
    rendering._render(rendering.template(), folder / "hook", {**data, **origin})
    jobs: dict[str, Any] = yaml.safe_load((folder / CI).read_text())["jobs"]
    return jobs


def test_a_release_at_an_address_is_installed_from_there(tmp_path: Path) -> None:
    jobs = workflow(tmp_path, PUBLIC, "v1.2.3")

    assert "if" not in jobs["prove"]
    (install,) = (step for step in jobs["prove"]["steps"] if "pipx install" in step.get("run", ""))
    assert install["run"] == 'pipx install "sls-patterns-cli[check,local] @ $SLS_PATTERNS_SOURCE"'
    assert f"'git+{PUBLIC}@v1.2.3'" in install["env"]["SLS_PATTERNS_SOURCE"]
    assert {"run": "make lint"} in jobs["prove"]["steps"]  # with this tool it checks the wiring
    assert not [step for step in jobs["check"]["steps"] if "GITHUB_STEP_SUMMARY" in str(step)]
    run([BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", tmp_path / CI], tmp_path)


@pytest.mark.parametrize(
    ("address", "version"),
    [
        (RESERVED, "v1.2.3"),
        (PUBLIC, "v1.2.4.dev0"),  # there is no such tag
        ("/home/me/sls-patterns", "v1.2.3"),
        ("git@git.example.com:sls-patterns.git", "v1.2.3"),  # asks for a key
        ("https://git.example.com/${{ github.token }}.git", "v1.2.3"),
    ],
)
def test_elsewhere_the_summary_says_how_to_turn_the_proofs_on(
    address: str, version: str, tmp_path: Path
) -> None:
    jobs = workflow(tmp_path, address, version)

    assert address not in str(jobs)
    assert "sls-patterns check" not in str(jobs)
    assert jobs["prove"]["if"] == "vars.SLS_PATTERNS_SOURCE != ''"
    (tell,) = (step for step in jobs["check"]["steps"] if "GITHUB_STEP_SUMMARY" in str(step))
    assert tell["if"] == "vars.SLS_PATTERNS_SOURCE == ''"
    summary = tmp_path / "summary.md"
    subprocess.run(
        ["bash", "-e", "-c", tell["run"]], env={"GITHUB_STEP_SUMMARY": str(summary)}, check=True
    )
    assert summary.read_text().startswith("The proofs are off. ")
    assert "set the variable SLS_PATTERNS_SOURCE" in summary.read_text()


@pytest.mark.parametrize(
    ("address", "version", "source"),
    [
        (PUBLIC, "v1.2.3", f"git+{PUBLIC}@v1.2.3"),
        (PUBLIC, "v1.2.4.dev0", f"git+{PUBLIC}"),
        (RESERVED, "v1.2.3", ""),
        ("/home/me/sls-patterns", "v1.2.3", ""),
    ],
)
def test_the_command_for_dead_letters_says_in_a_line_where_its_tool_comes_from(
    address: str, version: str, source: str, tmp_path: Path
) -> None:
    workflow(tmp_path, address, version)

    for target in ("dead-letters", "redrive", "discard"):
        done = subprocess.run(
            [str(shutil.which("make")), "-C", str(tmp_path / "hook"), "--silent", target],
            env={"PATH": "/nowhere", "SHELL": "/bin/sh"},
            capture_output=True,
            text=True,
            check=False,
        )
        first, *_ = done.stderr.splitlines()
        how = f': pipx install "sls-patterns-cli[letters] @ {source}"' if source else ""
        assert first == f"This needs sls-patterns, which made this project{how}"
        assert done.returncode == 2
    assert not (tmp_path / "hook/tools").exists()


def test_no_generated_file_installs_this_tool_by_a_name_that_a_stranger_could_register() -> None:
    installs = re.compile(r"\b(pip|pipx|uv|uvx|npm|npx)\b.*\bsls-patterns")
    direct = re.compile(
        r'"sls-patterns-cli\[(check|letters|local|check,local)\] @ (\$SLS_PATTERNS_SOURCE|git\+https://\S+)"'
    )
    for pattern in catalog.patterns():
        texts = {text for files in rendered(pattern).values() for text in files.values()}
        lines = (line for text in texts for line in text.splitlines())
        found = [line for line in lines if installs.search(line)]
        assert found
        assert [line for line in found if not direct.search(line)] == []
