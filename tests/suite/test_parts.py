"""Each test is in one part of `make test-all`, and the parts are those that people can name."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from parts import PARTS, ROOT, part_of
from variants import Variant

FIRST = Variant("simple-web-service", "http-api", "python", "sam", "dynamodb")
LAST = Variant("circuit-breaker", "http-api", "typescript", "cdk", "dynamodb")


def item(path: str, name: str = "test_any", **parameters: object) -> pytest.Item:
    call = SimpleNamespace(params=parameters)
    made = SimpleNamespace(path=ROOT / "tests" / path, originalname=name, callspec=call)
    return cast("pytest.Item", made)


def test_every_file_of_tests_is_in_a_part() -> None:
    files = [file.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")]

    assert {part_of(item(str(file))) for file in files} <= set(PARTS)


@pytest.mark.parametrize(
    ("path", "name", "variant", "part"),
    [
        ("local/emulator/adapters/sqs/test_queues.py", "test_any", None, "emulator"),
        ("local/test_modules.py", "test_any", None, "tools"),
        ("proofs/test_smoke.py", "test_any", None, "calls"),
        ("proofs/test_proofs.py", "test_every_declared_proof_passes", FIRST, "proofs-python"),
        ("proofs/test_mutants.py", "test_the_proof_notices", FIRST, "mutants-python-1"),
        ("proofs/test_mutants.py", "test_the_proof_notices", LAST, "mutants-typescript-2"),
    ],
)
def test_a_test_is_in_the_part_of_its_folder_or_its_variant(
    path: str, name: str, variant: Variant | None, part: str
) -> None:
    assert part_of(item(path, name, variant=variant)) == part


def test_a_folder_that_no_part_has_is_refused() -> None:
    with pytest.raises(ValueError, match="unheard-of is in no part"):
        part_of(item("unheard-of/test_any.py"))


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tests/parts.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_parts_run_one_after_another_and_all_of_them_although_one_fails(tmp_path: Path) -> None:
    fails_first = tmp_path / "pytest"
    fails_first.write_text('#!/bin/sh\necho "ran $2"\n[ "$2" != static ]\n')
    fails_first.chmod(0o755)

    done = run("static", "emulator", "--", str(fails_first))

    assert done.returncode == 1
    lines = [" ".join(line.split()) for line in done.stdout.splitlines() if line]
    assert lines[-3:] == ["part minutes", "static 0.0 exit code 1", "emulator 0.0"]
    assert {"ran static", "ran emulator"} <= set(lines)


def test_a_part_that_is_none_is_refused_with_those_that_there_are() -> None:
    done = run("everything", "--", "false")

    assert done.returncode == 2
    assert done.stdout == f"no part is named everything; the parts are {', '.join(PARTS)}\n"


def test_they_are_listed_for_the_workflow_that_runs_each() -> None:
    assert run("--list").stdout.splitlines() == list(PARTS)


@pytest.mark.parametrize(
    ("selection", "runs"),
    [
        ("PART=emulator", "tests/parts.py emulator --"),
        ("PATTERN=scalable-webhook", "--pattern scalable-webhook"),
        ("", "tests/parts.py  --"),
    ],
)
def test_everything_runs_without_what_other_runs_have_kept(selection: str, runs: str) -> None:
    command = ["make", "--dry-run", "test-all", *filter(None, [selection])]
    # Of a make that runs this, nothing.
    of_make = re.compile("MAKE|^PART$|^PATTERN$")
    variables = {name: value for name, value in os.environ.items() if not of_make.search(name)}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )

    last = done.stdout.splitlines()[-1]
    assert runs in last
    assert "SLS_NO_CACHE=1" in last
