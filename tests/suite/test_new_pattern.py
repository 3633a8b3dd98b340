"""A pattern begins as a copy of another, and is one like all others at once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs Python in a copy of the repository."""
    copy = tmp_path / "repository"
    copy.mkdir()
    for name in ("README.md", "copier.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    for name in ("docs", "src", "templates", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("golden"))
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}

    def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False
        )

    return run_python


def test_a_new_pattern_renders_and_has_proofs_at_once(run: Run, tmp_path: Path) -> None:
    begun = run("tests/new_pattern.py", "claim-check", "frugal-consumer")
    shown = run("-m", "sls_patterns_cli", "show", "claim-check", "--json")
    project = tmp_path / "project"
    made = run("-m", "sls_patterns_cli", "new", "claim-check", str(project), "--defaults")

    assert begun.returncode == shown.returncode == made.returncode == 0, begun.stderr + made.stderr
    described = json.loads(shown.stdout)
    assert described["title"] == "Claim Check"
    assert {file.name for file in project.glob("src/*/handlers/*.py")} >= {"store.py"}
    assert list(project.glob("tests/e2e/test_*.py"))
    texts = (file.read_text() for file in project.rglob("*") if file.suffix in {".py", ".md"})
    assert not any("frugal" in text.lower() for text in texts)


def test_what_is_wiring_alone_is_shown_and_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    run("tests/new_pattern.py", "claim-check", "frugal-consumer")
    shutil.rmtree(tmp_path / "repository/templates/patterns/claim-check/python")

    shown = run("-m", "sls_patterns_cli", "show", "claim-check")
    made = run("-m", "sls_patterns_cli", "new", "claim-check", str(tmp_path / "new"), "--defaults")

    assert "usage => store" in shown.stdout
    assert made.returncode != 0
    assert "templates/patterns/claim-check/python" in made.stderr
    assert made.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "origin", "said"),
    [
        ("Claim Check", "frugal-consumer", "NAME is 'Claim Check'; it must be lower-case words"),
        ("", "", "NAME is ''"),
        ("claim-check", "frugal", "FROM is 'frugal'; it must be one of: aggregator, "),
        ("router", "frugal-consumer", "router exists already"),
    ],
)
def test_what_cannot_begin_a_pattern_is_refused_in_one_line(
    run: Run, name: str, origin: str, said: str
) -> None:
    refused = run("tests/new_pattern.py", name, origin)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"make pattern: {said}")
    assert refused.stderr.count("\n") == 1


def test_a_declaration_that_does_not_fit_stops_what_is_generated_in_one_line(
    run: Run, tmp_path: Path
) -> None:
    declared = tmp_path / "repository/templates/patterns/router/pattern.yml"
    declared.write_text(declared.read_text().replace("kind: queue", "kind: cue", 1))

    refused = run("tests/generated.py")

    assert refused.returncode == 1
    assert "templates/patterns/router/pattern.yml: " in refused.stderr
    assert "got 'cue'" in refused.stderr
    assert refused.stderr.count("\n") == 1
