"""Long proofs run on two stacks side by side, each once, and everything ends with them."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from environments import link_modules, node
from local.processes import alive, descendants
from local.support import wait_until, write
from local.test_local_session import GREETED, PROGRAM, PROJECT, read_until, started

from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local import proofs, session, shares
from sls_patterns_cli.local.languages.typescript import TypeScript
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

__all__ = ["started"]

FILE = "tests/e2e/test_proofs.py"

PROOFS = (
    GREETED
    + """
import time
from pathlib import Path

WHERE = Path(__file__).with_name("where")

def noted(name):
    with WHERE.open("a") as file:
        file.write(f"{name} {os.environ['AWS_ENDPOINT_URL']}\\n")

def test_long():
    noted("long")
    assert greeting() == b"hello from iniconfig"

def test_longer():
    noted("longer")
    assert greeting() == b"hello from iniconfig"

def test_new():
    noted("new")
    print("said by the proof")
    assert greeting() == b"something else"

def test_endless():
    noted("endless")
    time.sleep(600)
"""
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose proofs took long the last time, on a machine with two cores."""
    write(tmp_path, {**PROJECT, FILE: PROOFS})
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return projects.load(tmp_path)


def took(project: Project, seconds: Mapping[str, float]) -> None:
    shares.remember(project, {f"{FILE}::test_{name}": each for name, each in seconds.items()})


def without(project: Project, *names: str) -> None:
    file = project.root / FILE
    text = file.read_text()
    for name in names:
        text = text.replace(f"def test_{name}(", f"def no_{name}(")
    file.write_text(text)


def where(project: Project) -> dict[str, str]:
    """The stack on which each proof ran so far; fails if one ran twice."""
    told = project.root / "tests/e2e/where"
    lines = told.read_text().splitlines() if told.exists() else []
    ran = [line.split() for line in lines]
    assert len({name for name, _ in ran}) == len(ran)
    return dict(ran)


@pytest.mark.parametrize(
    ("seconds", "beside"),
    [
        pytest.param({}, None, id="never-run"),
        pytest.param({"a": 60}, None, id="one"),
        pytest.param({"a": 2, "b": 2, "c": 3}, None, id="quick"),
        pytest.param({"a": 60, "b": 1, "c": 2}, None, id="one-is-nearly-all"),
        pytest.param({"a": 5, "b": 4, "c": 3, "d": 1}, {"a", "d"}, id="halves"),
        pytest.param({"a": 9, "b": 5, "c": 3}, {"b", "c"}, id="the-longest-alone"),
    ],
)
def test_proofs_are_halved_by_how_long_they_took(
    project: Project, seconds: dict[str, float], beside: set[str] | None
) -> None:
    if seconds:
        shares.remember(project, seconds)

    found = shares.of(project)

    assert found[0].others
    if beside is None:
        assert found == (shares.Share((), others=True),)
    else:
        assert [set(each.ids) for each in found] == [beside, beside]
        assert not found[1].others


def test_one_core_has_one_stack(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    took(project, {"long": 60, "longer": 60})
    assert len(shares.of(project)) == 2
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert len(shares.of(project)) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "long"}', '{"a": null}'])
def test_what_cannot_be_read_of_the_last_time_counts_as_nothing(
    project: Project, text: str
) -> None:
    project.work.mkdir()
    (project.work / "proofs.json").write_text(text)
    assert len(shares.of(project)) == 1


def test_each_proof_runs_once_and_a_failure_is_shown_with_its_own_stacks_log(
    project: Project,
) -> None:
    """A proof that is new runs as well, and one that is gone is no failure."""
    without(project, "endless")
    took(project, {"greeted": 1, "long": 30, "longer": 31, "gone": 1})
    lines: list[str] = []
    before = descendants(os.getpid())

    code = session.test(project.root, [], Progress(lines.append))

    assert code == 1
    ran = where(project)
    assert ran.keys() == {"long", "longer", "new"}
    assert ran["long"] != ran["longer"]
    assert any(line.endswith("running the proofs on two stacks") for line in lines)
    assert "3 passed, 1 failed" in lines or "1 failed, 3 passed" in lines
    failure = lines[lines.index("new failed") :]
    assert any("something else" in line for line in failure)
    assert any("said by the proof" in line for line in failure)
    assert any("[Greet] greeting somebody" in line for line in failure)
    assert not [child for child in descendants(os.getpid()) - before if alive(child)]


TYPESCRIPT = {
    "package.json": '{"type": "module", "devDependencies": {"vitest": "5.1.1"}}',
    "vitest.config.ts": """
export default { test: { projects: [{ test: { name: "e2e", include: ["tests/**/*.test.ts"] } }] } };
""",
    "tests/proofs.test.ts": """
import { appendFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const noted = (name: string) => appendFileSync("where", `${name} ${process.env.STACK}\\n`);

it("is (one) of [two]", () => noted("one"));
it("is (one) of [two]s", () => noted("two"));
it.skip("is not ready", () => noted("skipped"));
describe("inside", () => {
  it("is known by all its names", () => noted("inside"));
  it("fails", () => { noted("fails"); expect(1).toBe(2); });
});
""",
}


def test_vitest_runs_each_proof_once_too(project: Project) -> None:
    write(project.root, TYPESCRIPT)
    link_modules(project.root)
    runner = [str(node().executable), "node_modules/vitest/vitest.mjs", "run", "--project", "e2e"]
    ids = {"is (one) of [two]", "inside > is known by all its names"}
    runs = []
    for share in (shares.Share(ids, others=True), shares.Share(ids)):
        reporting, more = TypeScript(project, Progress()).reporter(share)
        variables = {**os.environ, **more, "STACK": "a" if share.others else "b"}
        runs.append(proofs.Run([*runner, *reporting], variables, lambda _start, _end: ["logged"]))
    lines: list[str] = []

    code = proofs.run(project, runs, Progress(lines.append))

    assert code == 1
    ran = [line.split() for line in (project.root / "where").read_text().splitlines()]
    assert sorted(map(tuple, ran)) == [("fails", "a"), ("inside", "b"), ("one", "b"), ("two", "a")]
    (counted,) = [line for line in lines if ", " in line and "passed" in line]
    assert sorted(counted.split(", ")) == ["1 failed", "1 skipped", "3 passed"]
    assert lines.index("fails failed") < lines.index("    logged")


def test_a_share_without_any_proof_left_is_no_failure(project: Project) -> None:
    without(project, "endless", "new", "long", "longer")
    took(project, {"gone": 30, "gone-too": 30})
    lines: list[str] = []

    assert session.test(project.root, [], Progress(lines.append)) == 0

    assert "1 passed" in lines
    known = json.loads((project.work / "proofs.json").read_bytes())
    assert list(known) == [f"{FILE}::test_greeted"]


def test_arguments_for_the_test_runner_get_one_stack(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    took(project, {"long": 30, "longer": 31})

    assert session.test(project.root, ["-k", "long", "-q"], Progress(lambda _line: None)) == 0

    assert len(set(where(project).values())) == 1
    assert "2 passed" in capfd.readouterr().out


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one stack")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive),
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.exhaustive),
    ],
)
def test_a_signal_leaves_nothing_of_both(
    project: Project, started: Any, number: signal.Signals
) -> None:
    took(project, {"greeted": 30, "endless": 31})
    process = started(PROGRAM, "test", str(project.root))
    read_until(process, "greeted passed")
    wait_until(lambda: "endless" in where(project))
    children = descendants(process.pid)
    assert len(children) >= 4  # of two emulators and at least one test runner

    process.send_signal(number)
    process.wait(20)

    assert process.returncode
    wait_until(lambda: not [child for child in children if alive(child)])
