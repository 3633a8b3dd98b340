"""The wheel is all that a user needs: built, installed, and used from elsewhere."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Cli
from golden import read
from rendering import ROOT, render_project

UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the command of a fresh environment with the wheel and its extra, not editable."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "environment"

    def uv(*arguments: str | Path) -> None:
        subprocess.run([UV, "--quiet", *arguments], check=True)

    uv("build", "--wheel", "--no-build-isolation", ROOT, "--out-dir", folder)
    (wheel,) = folder.glob("*.whl")
    uv("venv", "--python", sys.executable, environment)
    constraints = ("--constraints", ROOT / "requirements.lock")
    uv("pip", "install", "--python", environment, *constraints, f"{wheel}[local]")
    yield environment / "bin/sls-patterns"
    shutil.rmtree(folder)


@pytest.fixture
def wheel_cli(installed: Path, cli: Cli) -> Cli:
    return Cli(cli.folder, cli.environment, (str(installed),))


def test_it_makes_the_project_that_copier_makes_of_this_repository(
    wheel_cli: Cli, tmp_path: Path
) -> None:
    made = wheel_cli("new", "scalable-webhook", "project", "--defaults", "--no-git")
    assert made.returncode == 0, made.stderr
    project = wheel_cli.folder / "project"
    answers = project / ".copier-answers.yml"
    version = wheel_cli("--version").stdout.split()[1]
    assert f"_commit: v{version}\n" in answers.read_text()

    answers.write_text(answers.read_text().replace(f"v{version}", "v0.0.0"))
    expected = render_project(
        tmp_path / "expected", pattern="scalable-webhook", project_name="project"
    )
    assert read(project) == read(expected)


def test_its_distribution_is_a_command_as_well(installed: Path, cli: Cli) -> None:
    """`uvx sls-patterns-cli` and `pipx run sls-patterns-cli` start what has that name."""
    own_name = Cli(cli.folder, cli.environment, (str(installed.with_name("sls-patterns-cli")),))
    usual = Cli(cli.folder, cli.environment, (str(installed),))

    said = own_name("--version")

    assert (said.returncode, said.stdout) == (0, usual("--version").stdout)


def test_it_knows_its_patterns_and_starts_the_local_stack(wheel_cli: Cli) -> None:
    assert "scalable-webhook" in wheel_cli("list").stdout

    refused = wheel_cli("local", "test", ".")

    assert refused.returncode == 2
    assert "is not a project of sls-patterns" in refused.stderr


def test_it_has_the_pages_of_the_rules(wheel_cli: Cli) -> None:
    explained = wheel_cli("check", "--explain", "SP101")

    assert explained.stdout == (ROOT / "docs/rules/SP101.md").read_text("utf-8")


def test_it_has_the_pages_of_what_projects_share(wheel_cli: Cli) -> None:
    explained = wheel_cli("explain", "tracing")

    assert explained.stdout == (ROOT / "docs/explain/tracing.md").read_text("utf-8")


def test_a_shallow_clone_gives_a_wheel_without_versions_but_no_sdist(tmp_path: Path) -> None:
    """pre-commit clones so and installs the wheel; what is published is built from an sdist."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), clone], check=True)
    for name in ("hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)

    def build(kind: str) -> subprocess.CompletedProcess[str]:
        command = (UV, "build", kind, "--no-build-isolation", "--out-dir", tmp_path, clone)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wheel, sdist = build("--wheel"), build("--sdist")

    assert wheel.returncode == 0, wheel.stderr
    (built,) = tmp_path.glob("*.whl")
    assert "_template.bundle" not in " ".join(zipfile.ZipFile(built).namelist())
    assert "is a shallow clone" in wheel.stderr + wheel.stdout
    assert sdist.returncode != 0
    assert "is a shallow clone" in sdist.stderr
