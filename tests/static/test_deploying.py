"""`make deploy` shows what changes and asks, where a person looks on; elsewhere it deploys at once.

SAM and CDK are stand-ins that write down how they are called, and end as the real ones do after a
no; `tests/proofs/test_deployment_tools.py` has the real ones.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from rendering import render_project

TOOL = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in
    *--confirm-changeset*|*any-change*)
        printf 'Deploy? '
        read answer
        [ "$answer" = y ] || exit {declined} ;;
esac
"""

SAM = {
    "asked": ["deploy --confirm-changeset --stack-name shop{parameters}"],
    "unasked": ["deploy --stack-name shop{parameters}"],
}
CDK = {
    "asked": [
        "--yes aws-cdk@{version} diff --app .cdk",
        "--yes aws-cdk@{version} deploy --app .cdk --require-approval any-change",
    ],
    "unasked": ["--yes aws-cdk@{version} deploy --app .cdk --require-approval never"],
}


@dataclass(frozen=True)
class Project:
    """A project whose tools write their arguments into a file, one call a line."""

    folder: Path
    bin: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:/usr/bin:/bin"}

    def calls(self) -> list[str]:
        calls = self.bin / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


def project_with_stand_ins(tmp_path: Path, **answers: str) -> Project:
    answers = {"pattern": "scalable-webhook", "project_name": "shop", **answers}
    project = Project(render_project(tmp_path / "shop", **answers), tmp_path / "bin")
    project.bin.mkdir()
    for tool, declined in (("sam", 0), ("npx", 1)):
        calls = project.bin / "calls"
        (project.bin / tool).write_text(TOOL.format(calls=calls, declined=declined))
        (project.bin / tool).chmod(0o755)
    return project


def deploy_in_terminal(project: Project, answer: str, **environment: str) -> int:
    """Run `make deploy` under a pseudo-terminal, and answer what it asks; return its exit code."""
    deploy = pexpect.spawn(
        str(shutil.which("make")),
        ["deploy", "--assume-old=build"],
        cwd=project.folder,
        env=project.environment | environment,
        encoding="utf-8",
        timeout=30,
    )
    if deploy.expect(["Deploy\\? ", pexpect.EOF]) == 0:
        deploy.sendline(answer)
        deploy.expect(pexpect.EOF)
    deploy.close()
    return int(deploy.exitstatus)


def make(project: Project, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run make without a terminal."""
    return subprocess.run(
        ["make", *arguments],
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=check,
        text=True,
    )


def expected(project: Project, tools: dict[str, list[str]], way: str) -> list[str]:
    makefile = (project.folder / "Makefile").read_text()
    version = makefile.partition("aws-cdk@")[2].partition("\n")[0]
    parameters = " --parameter-overrides DeletionProtection=true"
    return [call.format(version=version, parameters=parameters) for call in tools[way]]


@pytest.mark.parametrize(
    ("answers", "tools"),
    [({"iac": "sam"}, SAM), ({"iac": "cdk"}, CDK), ({"iac": "cdk", "runtime": "typescript"}, CDK)],
    ids=["sam", "cdk-python", "cdk-typescript"],
)
class TestDeploy:
    def test_asks_in_a_terminal(
        self, answers: dict[str, str], tools: dict[str, list[str]], tmp_path: Path
    ) -> None:
        project = project_with_stand_ins(tmp_path, **answers)

        code = deploy_in_terminal(project, "y")

        assert (code, project.calls()) == (0, expected(project, tools, "asked"))

    def test_does_nothing_more_after_a_no(
        self, answers: dict[str, str], tools: dict[str, list[str]], tmp_path: Path
    ) -> None:
        project = project_with_stand_ins(tmp_path, **answers)

        code = deploy_in_terminal(project, "n")

        assert project.calls() == expected(project, tools, "asked")
        assert code == (0 if tools is SAM else 2)

    def test_does_not_ask_in_ci_that_has_a_terminal(
        self, answers: dict[str, str], tools: dict[str, list[str]], tmp_path: Path
    ) -> None:
        project = project_with_stand_ins(tmp_path, **answers)

        code = deploy_in_terminal(project, "y", CI="true")

        assert (code, project.calls()) == (0, expected(project, tools, "unasked"))

    def test_does_not_ask_without_a_terminal(
        self, answers: dict[str, str], tools: dict[str, list[str]], tmp_path: Path
    ) -> None:
        project = project_with_stand_ins(tmp_path, **answers)

        make(project, "deploy", "--assume-old=build")

        assert project.calls() == expected(project, tools, "unasked")


@pytest.mark.parametrize(
    ("iac", "option"),
    [
        ("sam", "--tags service=shop team=a stage=b"),
        ("cdk", "--tags service=shop --tags team=a --tags stage=b"),
    ],
)
def test_tags_are_added_to_those_of_the_stack(iac: str, option: str, tmp_path: Path) -> None:
    """Fact O6."""
    project = project_with_stand_ins(tmp_path, iac=iac)

    make(project, "deploy", "TAGS=team=a stage=b", "--assume-old=build")

    assert project.calls()[-1].endswith(f" {option}")


AWS = """#!/bin/sh
case "$*" in
    *--stack-name\\ shop*) echo arn:aws:sns:us-east-1:111122223333:shop-alarms ;;
    *--topic-arn\\ arn:aws:sns:us-east-1:111122223333:shop-alarms*) {answers} ;;
    *) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ("echo 0", True),
        ("echo 1", False),
        ("echo AccessDenied >&2; exit 254", False),
    ],
    ids=["nobody", "somebody", "who may not look"],
)
@pytest.mark.parametrize("runtime", ["python", "typescript"])
@pytest.mark.parametrize("target", ["deploy", "smoke"])
def test_it_says_so_while_nobody_gets_the_alarms(
    target: str, runtime: str, answers: str, tmp_path: Path, *, says: bool
) -> None:
    project = project_with_stand_ins(tmp_path, runtime=runtime)
    (project.bin / "aws").write_text(AWS.format(answers=answers))
    (project.folder / ".venv/bin").mkdir(parents=True)
    for program in (project.bin / "aws", project.bin / "npm", project.folder / ".venv/bin/python"):
        if not program.exists():
            program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

    made = make(project, "--silent", target, "--assume-old=build", "--assume-old=install")

    assert ("Nobody gets the alarms yet" in made.stdout) == says
    assert made.stderr == ""
