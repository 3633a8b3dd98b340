"""The emulator's tests are left out only where all of them have passed with what is there now."""

import shutil
import subprocess
import sys
from pathlib import Path

import green
import pytest
from green import DEPENDS_ON, ROOT, Green, digest, is_green


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for pattern in DEPENDS_ON:
        for file in ROOT.glob(pattern):
            if file.is_file() and file.suffix != ".pyc":
                place = tmp_path / file.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
    return tmp_path


@pytest.mark.parametrize(
    "changed",
    [
        "src/sls_patterns_cli/local/emulator/adapters/sqs/queue_waits.py",
        "src/sls_patterns_cli/local/deploy.py",
        "src/sls_patterns_cli/cloudformation/sam.py",
        "tests/local/emulator/adapters/sqs/test_queues.py",
        "tests/local/support.py",
        "requirements.lock",
    ],
)
def test_what_they_depend_on_is_in_the_digest(copy: Path, changed: str) -> None:
    before = digest(copy)

    (copy / changed).write_text(f"{(copy / changed).read_text()}#\n")

    assert digest(copy) != before


def test_a_file_that_comes_goes_or_moves_is_in_the_digest(copy: Path) -> None:
    seen = {digest(copy)}
    come = copy / "src/sls_patterns_cli/local/emulator/adapters/sqs/new.py"
    come.write_text("")
    seen.add(digest(copy))
    come.rename(come.with_name("newer.py"))
    seen.add(digest(copy))

    assert len(seen) == 3


def test_what_a_run_leaves_behind_is_not(copy: Path) -> None:
    before = digest(copy)

    (copy / "src/sls_patterns_cli/local/deploy.pyc").write_text("")
    (copy / "tests/local/emulator/green.txt").write_text("any\n")

    assert digest(copy) == before


@pytest.mark.parametrize(("exit_code", "written"), [(0, True), (1, False), (2, False), (5, False)])
def test_only_a_run_that_has_passed_writes_it(
    exit_code: int, *, written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(green, "GREEN", tmp_path / "green.txt")

    Green().pytest_sessionfinish(exit_code)

    assert is_green() == written


def collected(*arguments: str) -> str:
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments)
    folders = ("tests/local/emulator/adapters/sqs", "tests/suite/test_parts.py")
    return subprocess.run(
        [*command, *folders], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout


def test_they_are_left_out_if_asked_and_green_and_never_of_their_own_part() -> None:
    assert "adapters/sqs/test_queues.py::" in collected()
    assert ("adapters/sqs/test_queues.py::" in collected("--unless-green")) != is_green()
    assert "adapters/sqs/test_queues.py::" in collected("--part", "emulator", "--unless-green")
    assert "suite/test_parts.py::" in collected("--unless-green")
