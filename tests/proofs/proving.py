"""Runs the proofs of a generated project as a user does, and says what decides how they end."""

import json
import os
import shlex
import shutil
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import looks
import pytest
from command import Cli
from environments import interpreter_of, link_environment, link_modules, link_requirements
from kept import Look, Part, digest, kept
from synthesis import synthesise_into

from sls_patterns_cli.local import project as projects

ASSEMBLED = Path(__file__).with_name("assembled.py")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WHO_PROVES = sorted(HERE.parent.glob("*.py"))


@dataclass(frozen=True)
class Run:
    """One run of `sls-patterns local test`: its exit code, what it printed, the proofs that ran.

    Proofs are told by their ids, without the pattern's.
    """

    exit_code: int
    printed: str
    passed: set[str]
    failed: set[str]


def look(project: Path) -> Look:
    """Return what decides how its proofs end: the project, what it runs on, all of the tool."""
    return (tool(), str(interpreter_of(project)), *looks.all_but_pages(project))


def unless_proven(kind: str, project: Path, *what: Part) -> AbstractContextManager[bool]:
    """Tell the block whether to prove this of a project: it has not been proven before."""
    return kept(kind, *look(project), *what)


@cache
def tool() -> str:
    """Return the digest of the tool, of what it requires, and of what starts it here."""
    return digest(ROOT / "src", ROOT / "requirements.lock", *sorted(HERE.glob("*.py")), *WHO_PROVES)


def prove(project: Path, *proofs: str) -> Run:
    """Run all proofs of the project, or only those named by their ids."""
    report = project / ".sls-patterns/report.xml"
    report.parent.mkdir(exist_ok=True)
    made = projects.load(project)
    runtime = made.runtime
    if runtime == "typescript":
        link_modules(project)
    else:
        link_environment(project)
        link_requirements(project)
    if made.iac == "cdk":
        assemble(project, build=runtime == "typescript")
    prove_locally = Cli(project, {**os.environ})
    result = prove_locally(
        *("local", "test", project),
        *("--", *ARGUMENTS[runtime](report, [own_id(proof) for proof in proofs])),
    )
    printed = result.stdout + result.stderr
    if not report.exists():
        pytest.fail(f"no proof ran\n{printed}", pytrace=False)
    outcomes = {
        _proof_of(case.attrib["name"]): all(child.tag not in ("failure", "error") for child in case)
        for case in ET.parse(report).iter("testcase")
        if case.find("skipped") is None
    }
    # pytest also runs those whose names begin with that of one.
    named = {own_id(proof) for proof in proofs} or {*outcomes}
    return Run(
        result.returncode,
        printed,
        passed={name for name, passed in outcomes.items() if passed and name in named},
        failed={name for name, passed in outcomes.items() if not passed and name in named},
    )


def assemble(project: Path, *, build: bool) -> None:
    """Synthesise a CDK project, and let it be deployed as it is then.

    Starting CDK takes longer than the stack; that `local test` does so has tests of its own.
    """
    assembly = ".sls-patterns/assembly"
    synthesise_into(project / assembly, project, build=build)
    settings = json.loads((project / "cdk.json").read_text())
    routes = project / "routes.txt"
    if routes.exists():
        # A proof deploys the project with other routes.
        shutil.copy(routes, project / assembly)
        command = [sys.executable, str(ASSEMBLED), str(project / assembly), settings["app"]]
        assembly = shlex.join(command)
    (project / "cdk.json").write_text(json.dumps({**settings, "app": assembly}))


def own_id(proof: str) -> str:
    """Return the id of a proof without that of its pattern."""
    return proof.rpartition(".")[2]


def _proof_of(test: str) -> str:
    """Return the id of the proof that a test is named for."""
    return test.removeprefix("test_").replace("_", "-")


def _pytest(report: Path, proofs: list[str]) -> list[str]:
    names = " or ".join(f"test_{proof.replace('-', '_')}" for proof in proofs)
    return [f"--junitxml={report}", *(("-k", names) if names else ())]


def _vitest(report: Path, proofs: list[str]) -> list[str]:
    reporters = ["--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"]
    return [*reporters, *(("-t", f"^({'|'.join(proofs)})$") if proofs else ())]


ARGUMENTS = {"python": _pytest, "typescript": _vitest}
