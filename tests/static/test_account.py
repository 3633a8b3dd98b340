"""A deployment that the account has no room for is refused before it begins."""

import subprocess
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
    aws = tmp_path / "bin/aws"
    aws.parent.mkdir()
    aws.write_text(AWS.format(stack=stack, unreserved=unreserved))
    aws.chmod(0o755)

    made = subprocess.run(
        ["make", "account"],
        cwd=project,
        env={"PATH": f"{aws.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    assert "deploy: account" in (project / "Makefile").read_text()


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
    aws = tmp_path / "bin/aws"
    aws.parent.mkdir()
    aws.write_text(PARAMETERS.format(kept=kept))
    aws.chmod(0o755)

    made = subprocess.run(
        ["make", "parameters", f"PARAMETERS={given}"],
        cwd=project,
        env={"PATH": f"{aws.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (made.returncode == 0, said in made.stderr) == (not said, True), made.stderr
    assert "deploy: parameters " in (project / "Makefile").read_text()
