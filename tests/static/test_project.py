"""What engineers run first in a generated project has nothing to complain about."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from environments import environment
from golden import render_all
from rendering import ROOT, render_project
from variants import Variant, all_variants

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
VARIANTS = list(all_variants())
LONGEST_NAME = "a-name-of-forty-letters-the-longest-name"


def other_versions() -> list[str]:
    """Return the versions of all runtimes that are not the default."""
    versions = yaml.safe_load((ROOT / "templates/runtimes/versions.yml").read_text())
    return [version for offered in versions.values() for version in offered[1:]]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, Path]:
    rendered = render_all(VARIANTS, tmp_path_factory.mktemp("projects"))
    return {variant: rendered[variant.pattern][variant.options] for variant in VARIANTS}


def run(command: Iterable[str | Path], project: Path, **variables: str) -> str:
    """Run a command in the project; fail with what it printed unless it succeeds."""
    result = subprocess.run(
        list(command),
        cwd=project,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        pytest.fail(f"exit code {result.returncode}\n{result.stdout}", pytrace=False)
    return result.stdout


def tool(variable: str) -> str:
    """Return a tool that lives in an environment of its own, which `make test` makes."""
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f"{variable} is not set; run the tests by `make test`", pytrace=False)
    return path


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_linter_formatter_and_types_have_nothing_to_say(
    variant: Variant, projects: dict[Variant, Path]
) -> None:
    project = projects[variant]
    python = environment(project)

    run([python / "ruff", "check"], project)
    run([python / "ruff", "format", "--check"], project)
    run([python / "mypy"], project)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("name", ["ab", LONGEST_NAME])
def test_no_name_makes_code_that_the_formatter_would_change(
    variant: Variant, name: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers, project_name=name)
    python = environment(project)

    run([python / "ruff", "check"], project)
    run([python / "ruff", "format", "--check"], project)


@pytest.mark.parametrize("version", other_versions())
def test_every_version_of_the_runtime_is_as_clean(version: str, tmp_path: Path) -> None:
    runtime = version.rstrip("0123456789.x")
    variant = next(variant for variant in VARIANTS if variant.runtime == runtime)
    project = render_project(tmp_path / "project", **variant.answers, runtime_version=version)
    python = environment(project)

    run([python / "ruff", "check"], project)
    run([python / "ruff", "format", "--check"], project)
    run([python / "mypy"], project)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_unit_tests_pass_without_aws(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]

    printed = run(
        [environment(project) / "python", "-m", "pytest", "-q"],
        project,
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )

    assert " passed" in printed


def test_cfn_lint_finds_nothing_in_any_template(projects: dict[Variant, Path]) -> None:
    templates = [project / "template.yaml" for project in projects.values()]

    run([BIN / "cfn-lint", "--", *templates], HERE)


def test_checkov_finds_nothing_that_has_no_reason(projects: dict[Variant, Path]) -> None:
    files = [project / "template.yaml" for project in projects.values()]
    arguments = [word for file in files for word in ("--file", str(file))]

    printed = run(
        [
            tool("SLS_CHECKOV"),
            *("--config-file", HERE / "checkov.yaml", "--output", "json"),
            *arguments,
        ],
        HERE,
    )

    summary = json.loads(printed)["summary"]
    assert summary["failed"] == 0
    assert summary["passed"] > 0


def test_zizmor_finds_nothing_in_the_workflows(projects: dict[Variant, Path]) -> None:
    workflows = [project / ".github/workflows" for project in projects.values()]

    run([BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", *workflows], HERE)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_sam_validates_and_builds_for_lambda(
    variant: Variant, projects: dict[Variant, Path]
) -> None:
    project = projects[variant]
    sam = tool("SLS_SAM")
    quiet = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}

    run([sam, "validate", "--lint"], project, **quiet)

    if not shutil.which("python3.13"):
        pytest.skip("sam build needs python3.13 on PATH")
    run([sam, "build", "--no-cached"], project, **quiet)
    built = project / ".aws-sam/build/ReceiveFunction"
    assert (built / "pydantic").is_dir()
    assert list(built.glob("pydantic_core/*aarch64-linux-gnu.so"))


def test_make_installs_lints_and_tests_as_the_readme_says(tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **VARIANTS[0].answers)

    printed = run(["make", "install", "lint", "test"], project)

    assert " passed" in printed
