"""A deployment that the account has no room for is refused before it begins."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from rendering import render_project

AWS = """#!/bin/sh
case "$1 $2" in
    "cloudformation describe-stacks") exit {stack} ;;
    "lambda get-account-settings") echo {unreserved} ;;
    *) exit 2 ;;
esac
"""
DEPLOYED, NO_STACK = 0, 254


def make(
    project: Path, folder: Path, programs: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a target of a project with programs, by name and text, in the place of the real ones."""
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["make", *arguments],
        cwd=project,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("unreserved", "stack", "said"),
    [
        (10, NO_STACK, "too little concurrency"),
        (100, NO_STACK, "too little concurrency"),
        (101, NO_STACK, ""),
        (100, DEPLOYED, ""),
    ],
)
@pytest.mark.parametrize(
    "language", [{"runtime": "python", "iac": "sam"}, {"runtime": "typescript", "iac": "cdk"}]
)
def test_what_reserves_concurrency_is_deployed_only_where_enough_stays_for_others(
    language: dict[str, str], unreserved: int, stack: int, said: str, tmp_path: Path
) -> None:
    """Fact A5: https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html."""
    project = render_project(
        tmp_path / "project", pattern="fifoer", topology="scheduled", **language
    )
    programs = {"aws": AWS.format(stack=stack, unreserved=unreserved)}

    made = make(project, tmp_path / "bin", programs, "account")

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    assert "deploy: account" in (project / "Makefile").read_text()


DATABASE = """#!/bin/sh
case "$1 $2" in
    "cloudformation describe-stacks") {reserved} ;;
    "lambda get-account-settings") {unreserved} ;;
esac
"""


@pytest.mark.parametrize(
    ("account", "given", "said"),
    [
        (("exit 254", "echo 120"), "CatalogReservedConcurrency=20", ""),
        (("exit 254", "echo 120"), "CatalogReservedConcurrency=21", "reserve 20 more at most"),
        (("echo 15", "echo 105"), "CatalogReservedConcurrency=20", ""),
        (("echo 15", "echo 105"), "CatalogReservedConcurrency=21", "reserve 5 more at most"),
        (("echo 20", "echo 90"), "CatalogReservedConcurrency=10", ""),
        (("exit 254", "echo 10"), "", ""),
        (("exit 254", "exit 254"), "CatalogReservedConcurrency=500", ""),
    ],
)
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_what_parameters_reserve_leaves_enough_for_others(
    iac: str, account: tuple[str, str], given: str, said: str, tmp_path: Path
) -> None:
    """Fact A5: a stack has reserved its own already, and who may not look is not stopped."""
    project = render_project(
        tmp_path / "project",
        pattern="simple-web-service",
        datastore="aurora-postgresql",
        iac=iac,
        parameters="[concurrency]",
    )
    reserved, unreserved = account
    programs = {"aws": DATABASE.format(reserved=reserved, unreserved=unreserved)}

    made = make(project, tmp_path / "bin", programs, "account", f"PARAMETERS={given}")

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    (deploy,) = re.findall("(?m)^deploy: .*", (project / "Makefile").read_text())
    assert " account " in deploy


MANIFEST = """{
  "artifacts": {
    "Stack": {
      "properties": {
        "requiresBootstrapStackVersion": 6,
        "lookupRole": {
          "requiresBootstrapStackVersion": 8,
"""


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ("echo 6", ""),
        ("echo 30", ""),
        ("echo 5", "version 5, and the stack needs 6: run make bootstrap"),
        ("echo 'An error occurred (ParameterNotFound)' >&2; exit 254", "version 0, and"),
        ("echo 'An error occurred (AccessDeniedException)' >&2; exit 254", ""),
    ],
)
def test_cdk_has_prepared_the_account_before_a_deployment(
    looks: str, said: str, tmp_path: Path
) -> None:
    """Fact E29: the stack's own version counts, not that of the role for lookups."""
    project = render_project(tmp_path / "project", pattern="notifier", iac="cdk")
    (project / ".cdk").mkdir()
    (project / ".cdk/manifest.json").write_text(MANIFEST)
    programs = {"aws": f"#!/bin/sh\n{looks}\n"}

    made = make(project, tmp_path / "bin", programs, "bootstrapped", "--assume-old=build")

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    (deploy,) = re.findall("(?m)^deploy: .*", (project / "Makefile").read_text())
    assert " bootstrapped " in deploy


PARAMETERS = """#!/bin/sh
printf '{kept}'
"""


@pytest.mark.parametrize(
    ("kept", "given", "said"),
    [
        ("", "", "needs a value for IssuerUrl"),
        ("AlarmTopicArn\\tIssuerUrl\\n", "", ""),
        ("AlarmTopicArn\\n", "", "needs a value for IssuerUrl"),
        ("", "IssuerUrl=https://issuer.example IssuerAudience=shop", ""),
        ("", "IssuerAudience=IssuerUrl", "needs a value for IssuerUrl"),
    ],
)
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_a_parameter_that_has_no_value_yet_is_named_before_anything_is_built(
    iac: str, kept: str, given: str, said: str, tmp_path: Path
) -> None:
    project = render_project(
        tmp_path / "project", pattern="simple-web-service", iac=iac, auth="jwt"
    )
    programs = {"aws": PARAMETERS.format(kept=kept)}

    made = make(project, tmp_path / "bin", programs, "parameters", f"PARAMETERS={given}")

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    assert "deploy: parameters " in (project / "Makefile").read_text()


GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (f"echo OPENIDCONNECTPROVIDERLIST {GITHUB}", ""),
        ("echo", "create-open-id-connect-provider"),
        ("exit 254", ""),  # it may not look
    ],
)
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_a_deploy_role_needs_an_account_that_knows_github(
    iac: str, looks: str, said: str, tmp_path: Path
) -> None:
    project = render_project(
        tmp_path / "project", pattern="notifier", iac=iac, runtime="python", stages="true"
    )
    programs = {
        "aws": f'#!/bin/sh\ncase "$1" in iam) {looks} ;; esac\n',
        "sls-patterns": "#!/bin/sh\necho Resources: {}\n",
    }
    target = ("deploy-role", "--assume-old=build", "STAGE=staging", "REPOSITORY=shop/orders")

    made = make(project, tmp_path / "bin", programs, *target)

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr


@pytest.mark.parametrize(
    "answers",
    [
        {"pattern": "fifoer", "topology": "scheduled"},
        {"pattern": "simple-web-service", "topology": "rest-api"},
    ],
)
def test_who_may_not_look_at_the_account_is_not_stopped(
    answers: dict[str, str], tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **answers)
    programs = {"aws": "#!/bin/sh\necho AccessDenied >&2; exit 254\n"}

    made = make(project, tmp_path / "bin", programs, "account")

    assert made.returncode == 0
