"""B3: what a deployment tells CloudFormation of the migrations changes with what is in them."""

import os
from pathlib import Path
from typing import Any

import pytest
from contract.stack import load
from environments import link_uv
from rendering import render_project
from tools import run

SAM = """#!/bin/sh
case "$1" in deploy) printf '%s\\n' "$@" ;; esac
"""


@pytest.fixture(
    params=[
        pytest.param((runtime, iac), id=f"{runtime}-{iac}")
        for runtime in ("python", "typescript")
        for iac in ("sam", "cdk")
    ]
)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    runtime, iac = request.param
    answers = {"pattern": "frugal-consumer", "datastore": "aurora-postgresql"}
    made = render_project(tmp_path / "project", **answers, runtime=runtime, iac=iac)
    (made / "src/rds-ca.pem").touch()  # from AWS otherwise
    return made


def digest(project: Path, tmp_path: Path) -> str:
    """Return what a deployment says of the migrations."""
    if (project / "template.yaml").exists():
        return passed_by_make(project, tmp_path)
    resources: dict[str, Any] = load(project)["Resources"]
    (schema,) = (each for each in resources.values() if each["Type"] == "Custom::Schema")
    return str(schema["Properties"]["Digest"])


def passed_by_make(project: Path, tmp_path: Path) -> str:
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "sam").write_text(SAM)
    (tools / "sam").chmod(0o755)
    link_uv(project, Path("/bin/true"))  # nothing was built into which it could install
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    told = run(["make", "--silent", "deploy", "--assume-old=install"], project, PATH=path)
    (value,) = (line for line in told.splitlines() if line.startswith("MigrationsDigest="))
    return value.removeprefix("MigrationsDigest=")


def test_an_edited_migration_changes_the_digest(project: Path, tmp_path: Path) -> None:
    (file,) = project.glob("src/**/migrations/0001_*.sql")
    before = digest(project, tmp_path)
    assert digest(project, tmp_path) == before

    file.write_text(f"{file.read_text()}-- edited\n")

    edited = digest(project, tmp_path)
    assert edited != before
    assert len(edited) >= 40
