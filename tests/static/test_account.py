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
