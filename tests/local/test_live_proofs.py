"""`local test` in a terminal: each stage and each proof as it ends, and failures with their log."""

import os
import re
import sys
from pathlib import Path

import pytest
from local.support import write
from local.test_local_session import GREETED, PROJECT
from screen import colour_of, plain_environment, see

from sls_patterns_cli.local.emulator import tether

PROOFS = (
    GREETED
    + """
def test_refused_politely():
    assert greeting() == b"nothing"
"""
)

SECONDS = r" +\d+\.\ds$"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return plain_environment(os.environ) | {"PYTHONPATH": tether.package_path()}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sls_patterns_cli", "local", *arguments]


@pytest.mark.parametrize(
    ("columns", "encoding", "marks"), [(80, "utf-8", "✓✗"), (40, "cp437", "+x")]
)
def test_stages_and_proofs_are_shown_and_a_failure_with_the_functions_logs(
    environment: dict[str, str], tmp_path: Path, columns: int, encoding: str, marks: str
) -> None:
    write(tmp_path, {**PROJECT, "tests/e2e/test_proofs.py": PROOFS})
    environment = environment | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    shown = see(command("test", str(tmp_path)), tmp_path, environment, columns, seconds=120)

    assert shown.code == 1
    if encoding != "utf-8":
        shown.raw.decode("ascii")
    for stage in ("Build", "Start", "Deploy", "  greeted"):
        indent = " " * (len(stage) - len(stage.lstrip()))
        expected = re.escape(f"{indent}{marks[0]} {stage.lstrip()}") + SECONDS
        assert any(re.match(expected, line) for line in shown.lines), stage
    for stage in ("  refused-politely", "Proofs"):
        indent = " " * (len(stage) - len(stage.lstrip()))
        expected = re.escape(f"{indent}{marks[1]} {stage.lstrip()}") + SECONDS
        assert any(re.match(expected, line) for line in shown.lines), stage
    assert "  1 passed, 1 failed" in shown.lines
    failure = shown.text.partition("refused-politely failed")[2]
    assert "assert greeting() ==" in " ".join(failure.split())
    assert "[Greet] greeting somebody" in failure.partition("The functions' logs meanwhile:")[2]
    assert colour_of(shown, "refused-politely failed") == "red"


def test_a_runner_that_ends_before_any_proof_is_shown_with_what_it_said(
    environment: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, {**PROJECT, "tests/e2e/conftest.py": "import no_such_module\n"})

    shown = see(command("test", str(tmp_path)), tmp_path, environment, seconds=120)

    assert shown.code == 4
    assert "No module named 'no_such_module'" in shown.text


def test_arguments_give_the_terminal_to_the_test_runner(
    environment: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, {**PROJECT, "tests/e2e/test_proofs.py": PROOFS})

    shown = see(
        command("test", str(tmp_path), "--", "-k", "greeted", "-v"),
        tmp_path,
        environment,
        seconds=120,
    )

    assert shown.code == 0
    assert any("test_greeted PASSED" in line for line in shown.lines)


def test_a_build_that_fails_is_one_line_after_its_log(
    environment: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, {**PROJECT, "src/requirements.txt": "no-such-package-at-all==9999\n"})

    shown = see(command("test", str(tmp_path)), tmp_path, environment, seconds=120)

    assert shown.code == 1
    assert any(re.match("✗ Build" + SECONDS, line) for line in shown.lines)
    assert "sls-patterns: uv pip install failed" in shown.text


def test_functions_get_the_packages_that_the_lock_has_and_no_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    locked = f"iniconfig==2.1.0 --hash=sha256:{'0' * 64}\n"
    write(tmp_path, {**PROJECT, "src/requirements.lock": locked})

    shown = see(command("test", str(tmp_path)), tmp_path, environment, seconds=120)

    assert shown.code == 1
    assert "✗ Installing src/requirements.lock for the functions" in shown.text
    assert f"sha256:{'0' * 64}" in "".join(shown.text.split())
