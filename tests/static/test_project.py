"""What engineers run first in a generated project has nothing to complain about."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from environments import environment
from golden import render_all
from rendering import ROOT, render_project
from synthesis import template_files
from tools import BIN, run, tool
from variants import Variant, all_variants

HERE = Path(__file__).parent
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


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_linter_formatter_and_types_have_nothing_to_say(
    variant: Variant, projects: dict[Variant, Path]
) -> None:
    project = projects[variant]
    python = environment(project)

    run([python / "ruff", "check"], project)
    run([python / "ruff", "format", "--check"], project)
    run([python / "mypy"], project, MYPY_CACHE_DIR=str(python.parent / "mypy-cache"))


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
    run([python / "mypy"], project, MYPY_CACHE_DIR=str(python.parent / "mypy-cache"))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_unit_tests_pass_without_aws(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]

    printed = run(
        [environment(project) / "python", "-m", "pytest", "-q"],
        project,
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )

    assert " passed" in printed


@pytest.mark.parametrize(
    ("iac", "ignored"),
    [
        ("sam", ()),
        ("cdk", ("--ignore-checks", "W3005")),  # CDK writes down dependencies that there are anyway
    ],
)
def test_cfn_lint_finds_nothing_in_any_template(
    iac: str, ignored: tuple[str, ...], projects: dict[Variant, Path]
) -> None:
    templates = template_files(p for variant, p in projects.items() if variant.iac == iac)

    run([BIN / "cfn-lint", *ignored, "--", *templates.values()], HERE)


def test_checkov_finds_nothing_that_has_no_reason(projects: dict[Variant, Path]) -> None:
    files = template_files(projects.values()).values()
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


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v.iac == "sam"], ids=str)
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


@pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if (v.iac, v.runtime) == ("cdk", "python")], ids=str
)
def test_cdk_builds_for_lambda(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]

    run([environment(project) / "python", "app.py"], project, CDK_OUTDIR="built")

    (package,) = (project / "built").glob("asset.*")
    assert (package / variant.pattern.replace("-", "_") / "handlers").is_dir()
    assert list(package.glob("pydantic_core/*aarch64-linux-gnu.so"))
    assert not list(package.rglob("__pycache__"))


@pytest.mark.parametrize("iac", sorted({variant.iac for variant in VARIANTS}))
def test_make_installs_lints_and_tests_as_the_readme_says(iac: str, tmp_path: Path) -> None:
    variant = next(variant for variant in VARIANTS if variant.iac == iac)
    project = render_project(tmp_path / "project", **variant.answers)

    printed = run(["make", "install", "lint", "test"], project)

    assert " passed" in printed
