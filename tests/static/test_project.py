"""What engineers run first in a generated project has nothing to complain about."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet
from environments import environment, link_modules, node, npm
from golden import render_all
from rendering import ROOT, render_project
from synthesis import SYNTHESISED_ONCE, template_files
from tools import BIN, run, tool
from variants import Variant, all_variants, standing_for_all

from sls_patterns_cli.local.languages import modules
from sls_patterns_cli.local.project import load

HERE = Path(__file__).parent
VARIANTS = list(all_variants())
STANDING_FOR_ALL = standing_for_all(VARIANTS)
# Each runtime and flavour once; the others install the same.
INSTALLED = {("python", "sam"), ("typescript", "cdk")}
LONGEST_NAME = "a-name-of-forty-letters-the-longest-name"


def built_by(parameters: ParameterSet, *tools: str) -> bool:
    """Whether the variant is of this flavour, and of this runtime if one is named."""
    (variant,) = parameters.values
    assert isinstance(variant, Variant)
    return (variant.iac, variant.runtime)[: len(tools)] == tools


def other_versions() -> list[tuple[str, str]]:
    """Return the versions of all runtimes that are not the default."""
    versions = yaml.safe_load((ROOT / "templates/runtimes/versions.yml").read_text())
    return [(runtime, version) for runtime, offered in versions.items() for version in offered[1:]]


def check_form(runtime: str, project: Path) -> None:
    if runtime == "typescript":
        run_npm(project, "run", "lint")
        return
    python = environment(project)
    run([python / "ruff", "check"], project)
    run([python / "ruff", "format", "--check"], project)


def check(runtime: str, project: Path) -> None:
    check_form(runtime, project)
    if runtime == "typescript":
        run_npm(project, "run", "typecheck")
        return
    python = environment(project)
    run([python / "mypy"], project, MYPY_CACHE_DIR=str(python.parent / "mypy-cache"))


def path_with_node(folder: Path) -> str:
    """Return a PATH on which `node` is our Node.js; npm is whichever the machine has."""
    (folder / "bin").mkdir()
    (folder / "bin/node").symlink_to(node().executable)
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run_npm(project: Path, *arguments: str, **variables: str) -> str:
    link_modules(project)
    command, environment = npm(*arguments)
    return run(command, project, **environment, **variables)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, Path]:
    return render_all(VARIANTS, tmp_path_factory.mktemp("projects"))


def one_flavour_after_the_other() -> list[ParameterSet]:
    """Return the variants, of which those with the same libraries wait for one another.

    Else several processes would read the types of CDK for the first time, a minute each.
    """
    return [
        pytest.param(
            *each.values,
            id=each.id,
            marks=[*each.marks, pytest.mark.xdist_group(f"types {v.runtime} {v.iac}")],
        )
        for each, v in zip(STANDING_FOR_ALL, VARIANTS, strict=True)
    ]


@pytest.mark.parametrize("variant", one_flavour_after_the_other())
def test_linter_formatter_and_types_have_nothing_to_say(
    variant: Variant, projects: dict[Variant, Path]
) -> None:
    check(variant.runtime, projects[variant])


@pytest.mark.parametrize("runtime", sorted({variant.runtime for variant in VARIANTS}))
def test_no_variant_is_anything_but_formatted(runtime: str, tmp_path: Path) -> None:
    variants = [variant for variant in VARIANTS if variant.runtime == runtime]
    projects = render_all(variants, tmp_path)

    if runtime == "typescript":
        project = projects[variants[0]]
        link_modules(project)
        prettier = project / "node_modules/.bin/prettier"
        run([node().executable, prettier, "--check", "**/*.{js,json,ts}"], tmp_path)
        return
    run([BIN / "ruff", "check"], tmp_path)
    run([BIN / "ruff", "format", "--check"], tmp_path)


@pytest.mark.parametrize("variant", STANDING_FOR_ALL)
@pytest.mark.parametrize("name", [pytest.param("ab", marks=pytest.mark.exhaustive), LONGEST_NAME])
def test_no_name_makes_code_that_the_formatter_would_change(
    variant: Variant, name: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers, project_name=name)

    check_form(variant.runtime, project)


@pytest.mark.parametrize(("runtime", "version"), other_versions())
def test_every_version_of_the_runtime_is_as_clean(
    runtime: str, version: str, tmp_path: Path
) -> None:
    variant = next(variant for variant in VARIANTS if variant.runtime == runtime)
    project = render_project(tmp_path / "project", **variant.answers, runtime_version=version)

    check(runtime, project)


@pytest.mark.parametrize("variant", STANDING_FOR_ALL)
def test_the_unit_tests_pass_without_aws(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    if variant.runtime == "typescript":
        printed = run_npm(project, "test", **nowhere)
    else:
        printed = run([environment(project) / "python", "-m", "pytest", "-q"], project, **nowhere)

    assert " passed" in printed


def test_a_project_lints_its_own_state_machines(projects: dict[Variant, Path]) -> None:
    linted = 0
    for variant, project in projects.items():
        for definition in project.glob("statemachines/*"):
            if variant.runtime == "typescript":
                scripts = json.loads((project / "package.json").read_text())["scripts"]
                command = f"asl-validator --json-path statemachines/{definition.name}"
                assert scripts["lint"].endswith(f" && {command}")
                continue
            command = f"statelint statemachines/{definition.name}"
            assert f"\t.venv/bin/{command}\n" in (project / "Makefile").read_text()
            assert "statelint==3.1.0\n" in (project / "requirements-dev.txt").read_text()
            run([BIN / "statelint", *command.split()[1:]], project)
            linted += 1

    assert linted


def test_the_linter_of_a_typescript_project_reads_jsonata(
    projects: dict[Variant, Path], tmp_path: Path
) -> None:
    written = (p for variant, p in projects.items() if variant.runtime == "typescript")
    definition = next(file for project in written for file in project.glob("statemachines/*"))
    project = definition.parents[1]
    link_modules(project)
    broken = tmp_path / definition.name
    broken.write_text(definition.read_text().replace(" %}", " ) %}", 1))
    linter = project / "node_modules/.bin/asl-validator"

    run([node().executable, linter, "--json-path", definition], project)
    with pytest.raises(pytest.fail.Exception, match="is invalid"):
        run([node().executable, linter, "--json-path", broken], project)


@SYNTHESISED_ONCE
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


@SYNTHESISED_ONCE
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


@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("arn:aws:iam::111122223333:role/ApiGatewayLogs", ""),
        ("None", 'API Gateway has no role to write logs with here: see "Deploy" in the README.\n'),
    ],
)
def test_a_deployment_of_an_api_that_logs_by_a_role_asks_first_for_that_role(
    iac: str, role: str, says: str, tmp_path: Path
) -> None:
    answers = {"pattern": "scalable-webhook", "topology": "direct", "iac": iac}
    project = render_project(tmp_path / "project", **answers)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, answer in (("sam", "deployed"), ("npx", "deployed"), ("aws", role)):
        (tools / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (tools / name).chmod(0o755)

    made = subprocess.run(
        ["make", "--silent", "deploy", "--assume-old", ".venv/installed"],
        cwd=project,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.stderr.startswith(says)
    assert ("deployed" in made.stdout) == (made.returncode == 0) == (says == "")


@pytest.mark.parametrize("variant", [p for p in STANDING_FOR_ALL if built_by(p, "sam")])
def test_sam_validates_and_builds_for_lambda(
    variant: Variant, projects: dict[Variant, Path], tmp_path: Path
) -> None:
    project = projects[variant]
    sam = tool("SLS_SAM")
    quiet = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}

    run([sam, "validate", "--lint"], project, **quiet)

    if variant.runtime == "typescript":
        link_modules(project)
        path = f"{Path(sam).parent}{os.pathsep}{path_with_node(tmp_path)}"
        installed = ("--assume-old", "node_modules/.package-lock.json")
        run(["make", "build", *installed], project, **quiet, PATH=path)
        built = {file.name for file in (project / ".aws-sam/build").glob("*Function/*")}
        handlers = [file.stem for file in (project / "src/handlers").iterdir()]
        assert built == {name + end for name in handlers for end in (".js", ".js.map")}
        return
    if not shutil.which("python3.13"):
        pytest.skip("sam build needs python3.13 on PATH")
    run([sam, "build", "--no-cached"], project, **quiet)
    functions = list((project / ".aws-sam/build").glob("*Function"))
    assert functions
    for function in functions:
        assert (function / "pydantic").is_dir()
        assert list(function.glob("pydantic_core/*aarch64-linux-gnu.so"))


@pytest.mark.parametrize("variant", [p for p in STANDING_FOR_ALL if built_by(p, "cdk", "python")])
def test_cdk_builds_for_lambda(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]

    run([environment(project) / "python", "app.py"], project, CDK_OUTDIR="built")

    # A definition of a state machine is a file.
    (package,) = (asset for asset in (project / "built").glob("asset.*") if asset.is_dir())
    assert (package / variant.pattern.replace("-", "_") / "handlers").is_dir()
    assert list(package.glob("pydantic_core/*aarch64-linux-gnu.so"))
    assert not list(package.rglob("__pycache__"))


@pytest.mark.parametrize(
    "variant", [p for p in STANDING_FOR_ALL if built_by(p, "cdk", "typescript")]
)
def test_cdk_bundles_for_lambda(variant: Variant, projects: dict[Variant, Path]) -> None:
    project = projects[variant]
    link_modules(project)
    environment = modules.environment_with_npx(load(project), node())

    run(["node_modules/.bin/tsx", "app.ts"], project, PATH=environment["PATH"], CDK_OUTDIR="built")

    # A definition of a state machine is a file.
    packages = [asset for asset in (project / "built").glob("asset.*") if asset.is_dir()]
    assert len(packages) == len(list((project / "src/handlers").iterdir()))
    for package in packages:
        assert {file.name for file in package.iterdir()} == {"index.js", "index.js.map"}
        assert '= require("@' not in (package / "index.js").read_text()  # nothing is left out


@pytest.mark.parametrize(
    ("runtime", "iac"),
    [
        pytest.param(*pair, marks=() if pair in INSTALLED else pytest.mark.exhaustive)
        for pair in sorted({(variant.runtime, variant.iac) for variant in VARIANTS})
    ],
)
def test_make_installs_lints_and_tests_as_the_readme_says(
    runtime: str, iac: str, tmp_path: Path
) -> None:
    variant = next(v for v in VARIANTS if (v.runtime, v.iac) == (runtime, iac))
    project = render_project(tmp_path / "project", **variant.answers)

    printed = run(["make", "install", "lint", "test"], project, PATH=path_with_node(tmp_path))

    assert " passed" in printed
