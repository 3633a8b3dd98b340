"""Stages: a stack for each, whose parameters one file has, for SAM and CDK alike."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.check import violations
from contract.stack import load
from parity.differences import unexplained
from parity.facts import facts
from rendering import render_project
from static.test_deploying import Project, make, project_with_stand_ins
from synthesis import template_file
from tools import BIN, run
from variants import Variant

from sls_patterns_cli.cloudformation.document import read

FLAVOURS = [
    {"iac": "sam", "runtime": "python"},
    {"iac": "cdk", "runtime": "python"},
    {"iac": "cdk", "runtime": "typescript"},
]


def deployed(project: Project, *arguments: str) -> tuple[str, dict[str, str]]:
    """Deploy by stand-ins; return the name of the stack and the parameters that they were given."""
    made = make(project, "deploy", "--assume-old=build", *arguments, check=False)
    assert made.returncode == 0, made.stderr
    (call,) = project.calls()
    name = re.search(r"--stack-name (\S+)|--app .cdk (\S+)", call)
    assert name
    # Of two values of a parameter SAM and CDK take the later one.
    parameters = dict(re.findall(r"(\w+)=(\S+)", call))
    return name[1] or name[2], parameters


@pytest.mark.parametrize("answers", FLAVOURS, ids=lambda each: f"{each['iac']}-{each['runtime']}")
class TestStage:
    def test_is_a_stack_with_its_settings(self, answers: dict[str, str], tmp_path: Path) -> None:
        project = project_with_stages(tmp_path, **answers)
        set_for_stage(project, "production", "MemorySize=512 ErrorPercent=1")

        name, parameters = deployed(project, "STAGE=production", "PARAMETERS=ErrorPercent=2")

        assert name in {"shop-production", "production"}  # CDK's stack has its name from the build
        assert parameters == {
            **defaults(project),
            "DeletionProtection": "true",
            "MemorySize": "512",
            "ErrorPercent": "2",
        }

    def test_is_not_needed(self, answers: dict[str, str], tmp_path: Path) -> None:
        project = project_with_stages(tmp_path, **answers)

        name, parameters = deployed(project)

        assert name in {"shop", "Stack"}
        assert parameters == {"DeletionProtection": "true"}

    def test_that_is_unknown_is_refused(self, answers: dict[str, str], tmp_path: Path) -> None:
        project = project_with_stages(tmp_path, **answers)

        made = make(project, "deploy", "STAGE=prod", check=False)

        assert refused(made) == "prod is not a stage; choose from: dev staging production"
        assert project.calls() == []

    def test_that_sets_what_the_stack_does_not_have_is_refused(
        self, answers: dict[str, str], tmp_path: Path
    ) -> None:
        project = project_with_stages(tmp_path, **answers)
        set_for_stage(project, "production", "MemorySize=512 Memory=512")

        made = make(project, "deploy", "STAGE=dev", check=False)

        assert refused(made).startswith(
            "stages.mk sets Memory, which the stack does not have; choose from: AlarmTopicArn "
        )
        assert project.calls() == []

    def test_needs_a_value_for_what_has_no_default(
        self, answers: dict[str, str], tmp_path: Path
    ) -> None:
        project = project_with_stages(tmp_path, pattern="simple-web-service", **answers)
        named = "needs a value for IssuerUrl: set it for staging in stages.mk"

        made = make(project, "parameters", "STAGE=staging", check=False)
        assert made.returncode == 2
        assert named in made.stderr.splitlines()[0]

        set_for_stage(project, "staging", "IssuerUrl=https://issuer.example")
        assert make(project, "parameters", "STAGE=staging", check=False).returncode == 0
        assert make(project, "parameters", "STAGE=dev", check=False).returncode == 2
        assert "deploy: parameters " in (project.folder / "Makefile").read_text()

    def test_may_set_each_parameter_of_the_stack(
        self, answers: dict[str, str], tmp_path: Path
    ) -> None:
        for pattern in PATTERNS:
            project = project_with_stages(tmp_path / pattern, pattern=pattern, **answers)

            parameters = read(template_file(project.folder))["Parameters"]

            settings = {**defaults(project), **dict.fromkeys(others(project), None)}
            assert set(parameters) - OF_DEPLOYMENTS == set(settings)
            for name, value in defaults(project).items():
                assert value in {str(parameters[name]["Default"]), "$(DELETION_PROTECTION)"}


PATTERNS = (
    "scalable-webhook",
    "gatekeeper",
    "simple-web-service",
    "frugal-consumer",
    "streamer",
    "aggregator",
)

OF_DEPLOYMENTS = {"MigrationsDigest", "BootstrapVersion"}
"""What the deployment itself gives to the stack."""


BOUNDARY = {
    "Fn::If": [
        "HasPermissionsBoundary",
        {"Ref": "PermissionsBoundaryArn"},
        {"Ref": "AWS::NoValue"},
    ]
}
"""What each role of a SAM template has, also those that SAM makes."""


def project_with_stages(tmp_path: Path, **answers: str) -> Project:
    tmp_path.mkdir(exist_ok=True)
    return project_with_stand_ins(tmp_path, stages="true", **answers)


def set_for_stage(project: Project, stage: str, settings: str) -> None:
    file = project.folder / "stages.mk"
    text, replaced = re.subn(
        rf"^{stage} =.*$", f"{stage} = {settings}", file.read_text(), flags=re.MULTILINE
    )
    assert replaced == 1
    file.write_text(text)


def defaults(project: Project) -> dict[str, str]:
    text = (project.folder / "stages.mk").read_text()
    return dict(re.findall(r"^\t(\w+)=(\S+)", text, re.MULTILINE))


def others(project: Project) -> list[str]:
    text = (project.folder / "stages.mk").read_text()
    return text.partition("\nothers = ")[2].partition("\n")[0].split()


def refused(made: subprocess.CompletedProcess[str]) -> str:
    """Return what make says in its one line."""
    assert made.returncode == 2
    (line,) = made.stderr.splitlines()
    return line.partition("*** ")[2].removesuffix(".  Stop.")


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_stages_change_no_logical_id_of_cdk(runtime: str, tmp_path: Path) -> None:
    answers = {"pattern": "frugal-consumer", "iac": "cdk", "runtime": runtime}
    without = read(template_file(render_project(tmp_path / "without", **answers)))
    staged = read(template_file(render_project(tmp_path / "with", stages="true", **answers)))

    types = [
        {name: each["Type"] for name, each in template["Resources"].items()}
        for template in (without, staged)
    ]
    assert types[1] == types[0]
    assert staged["Outputs"].keys() == without["Outputs"].keys()


@pytest.mark.parametrize(
    "variant",
    [
        Variant("scalable-webhook", "function", "python", "", "dynamodb"),
        Variant("frugal-consumer", "standard", "python", "", "aurora-postgresql"),
        Variant("streamer", "kinesis", "typescript", "", "s3"),
        Variant("gatekeeper", "request-authorizer", "typescript", "", "dynamodb"),
        Variant("state-machine", "express", "python", "", "dynamodb"),
        Variant("fifoer", "scheduled", "python", "", "dynamodb"),
    ],
    ids=lambda each: each.pattern,
)
def test_a_stack_with_stages_is_the_same_in_sam_and_cdk(variant: Variant, tmp_path: Path) -> None:
    templates = {
        iac: load(render_project(tmp_path / iac, **{**variant.answers, "iac": iac}, stages="true"))
        for iac in ("sam", "cdk")
    }

    boundaries = {
        json.dumps(resource["Properties"].pop("PermissionsBoundary", None))
        for resource in templates["sam"]["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
    }
    # CDK's own roles make those of the stack, and `cdk bootstrap` says what limits them.
    assert boundaries == {json.dumps(BOUNDARY)}
    found = {iac: facts(template, variant.pattern) for iac, template in templates.items()}
    assert list(unexplained(found)) == []
    for template in templates.values():
        assert list(violations(template)) == []


@pytest.mark.parametrize("answers", FLAVOURS, ids=lambda each: f"{each['iac']}-{each['runtime']}")
def test_ci_deploys_to_each_stage_what_it_has_built_once(
    answers: dict[str, str], tmp_path: Path
) -> None:
    """Facts E25 and E26."""
    project = project_with_stages(tmp_path, **answers)
    workflow = project.folder / ".github/workflows/ci.yml"
    jobs = yaml.safe_load(workflow.read_text())["jobs"]

    assert [name for name in jobs if "make build" in commands(jobs[name])] == ["check"]
    assert "tar --create" in commands(jobs["check"])
    assert {"check", "prove"} == set(jobs["staging"]["needs"])
    assert jobs["production"]["needs"] == "staging"
    for stage in ("staging", "production"):
        job = jobs[stage]
        assert job["environment"] == stage
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        assert f"vars.AWS_{stage.upper()}_ROLE_ARN" in job["if"]
        assert "tar --extract" in commands(job)
        assert f"make deploy STAGE={stage} --assume-old=build" in commands(job)
        assert f"make smoke STAGE={stage}" in commands(job)
    assert not {"deploy", "secrets"}.intersection(jobs)
    run([BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", workflow], tmp_path)


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])
