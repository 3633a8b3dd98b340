"""Runs the proofs of a generated project the way a user does."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SLS_PATTERNS = Path(sys.executable).with_name("sls-patterns")


@dataclass(frozen=True)
class Run:
    """One run of `sls-patterns local test`: its exit code, what it printed, the proofs that ran."""

    exit_code: int
    printed: str
    passed: set[str]
    failed: set[str]


def prove(project: Path, *proofs: str) -> Run:
    """Run all proofs of the project, or only those named by their ids."""
    report = project / ".sls-patterns/report.xml"
    report.parent.mkdir(exist_ok=True)
    names = " or ".join(name_of_test(proof) for proof in proofs)
    result = subprocess.run(
        [
            SLS_PATTERNS,
            *("local", "test", project),
            *("--", f"--junitxml={report}", *(("-k", names) if names else ())),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not report.exists():
        pytest.fail(f"no proof ran\n{result.stdout}", pytrace=False)
    outcomes = {
        case.attrib["name"]: all(child.tag not in ("failure", "error") for child in case)
        for case in ET.parse(report).iter("testcase")
    }
    return Run(
        result.returncode,
        result.stdout,
        passed={name for name, passed in outcomes.items() if passed},
        failed={name for name, passed in outcomes.items() if not passed},
    )


def name_of_test(proof: str) -> str:
    """Return the name of the test that shows a proof, of which the id may name the pattern too."""
    return f"test_{proof.rpartition('.')[2].replace('-', '_')}"
