"""Projects record the address that a build names, by which plain Copier finds newer versions."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from command import COPIER, Cli, environment
from update.git_server import served
from update.projects import PACKAGE, Owned
from update.publication import git, prepared_publication, publish_three_releases
from update.test_wheels import OFFLINE, Wheels, build

from sls_patterns_cli.catalog import RESERVED_ADDRESS

pytestmark = pytest.mark.xdist_group("wheels")

ANSWERS = ".copier-answers.yml"
RENOVATE = ("update", "--skip-answered", "--defaults", "--answers-file", ANSWERS)
"""https://github.com/renovatebot/renovate/blob/main/lib/modules/manager/copier/artifacts.ts"""


def name_address(origin: Path, address: str) -> None:
    """Set the address as whoever publishes does."""
    file = origin / "pyproject.toml"
    text, count = re.subn(r'(?m)^address = ".*"$', f'address = "{address}"', file.read_text())
    assert count == 1
    file.write_text(text)


@dataclass(frozen=True)
class Published:
    """A template at an address of this machine, and wheels of it that name the address."""

    address: str
    wheels: Wheels


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("published")
    publication = prepared_publication(publish_three_releases)
    git(folder, "clone", "--quiet", "--bare", publication.folder, folder / "sls-patterns.git")
    with served(folder) as server:
        address = f"{server}/sls-patterns.git"
        built = {}
        for version in ("v0.1.0", "v0.3.0"):
            origin = folder / version
            git(folder, "clone", "--quiet", f"--branch={version}", publication.folder, origin)
            name_address(origin, address)
            built[version] = build(origin, folder / f"built-{version}")
        yield Published(address, Wheels(publication, *built.values()))


@pytest.fixture
def project(published: Published, tmp_path: Path) -> Owned:
    """A project that the older wheel has made."""
    (tmp_path / "home").mkdir()
    older = published.wheels.install(published.wheels.older, tmp_path / "older")
    tool = Cli(tmp_path, environment(tmp_path / "home"), (str(older),))
    made = tool("new", "scalable-webhook", "--defaults")
    assert made.returncode == 0, made.stderr
    return Owned(tmp_path / "scalable-webhook", tool)


def test_renovate_updates_a_project_from_the_recorded_address(
    published: Published, project: Owned, tmp_path: Path
) -> None:
    answers = yaml.safe_load(project.read(ANSWERS))
    # What its manager takes for a dependency: a URL, and a tag of that repository.
    assert (answers["_src_path"], answers["_commit"]) == (published.address, "v0.1.0")
    tags = git(tmp_path, "ls-remote", "--tags", "--refs", answers["_src_path"])
    newest = re.findall(r"refs/tags/(v[\d.]+)$", tags, re.MULTILINE)[-1]
    project.append(f"{PACKAGE}/handlers/receive.py", "\n# my handler\n")
    project.commit()

    done = Cli(project.folder, project.cli.environment, COPIER)(
        *RENOVATE, "--vcs-ref", newest, COPIER_CACHE_DIR=str(tmp_path / "cache")
    )

    assert done.returncode == 0, done.stderr
    updated = yaml.safe_load(project.read(ANSWERS))
    assert (updated["_src_path"], updated["_commit"]) == (published.address, "v0.3.0")
    assert "MemorySize: 512" in project.read("template.yaml")
    assert project.read(f"{PACKAGE}/handlers/receive.py").endswith("\n# my handler\n")


@pytest.mark.exhaustive
def test_this_tool_needs_no_network_for_its_own_address(
    published: Published, project: Owned, tmp_path: Path
) -> None:
    newer = published.wheels.install(published.wheels.newer, tmp_path / "newer")
    quiet = project.cli.environment | OFFLINE
    updated = Owned(project.folder, Cli(tmp_path, quiet, (str(newer),)))

    assert updated.update()["to"] == "v0.3.0"


@pytest.mark.exhaustive
def test_a_project_of_a_build_without_address_gets_the_one_of_the_build_that_updates_it(
    published: Published, project: Owned, tmp_path: Path
) -> None:
    project.write(ANSWERS, project.read(ANSWERS).replace(published.address, RESERVED_ADDRESS))
    project.commit()
    newer = published.wheels.install(published.wheels.newer, tmp_path / "newer")
    updated = Owned(project.folder, Cli(tmp_path, project.cli.environment, (str(newer),)))

    report = updated.update()

    assert report["conflicts"] == []
    assert yaml.safe_load(project.read(ANSWERS))["_src_path"] == published.address


@pytest.mark.parametrize(
    "address",
    [
        "https://me:secret@git.example.com/a.git",
        pytest.param("git.example.com/sls-patterns.git", marks=pytest.mark.exhaustive),
        pytest.param(".", marks=pytest.mark.exhaustive),
    ],
)
def test_what_is_no_address_or_holds_a_password_is_not_built(
    address: str, published: Published, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    git(
        tmp_path, "clone", "--quiet", "--branch=v0.3.0", published.wheels.publication.folder, origin
    )
    name_address(origin, address)

    with pytest.raises(subprocess.CalledProcessError):
        build(origin, tmp_path / "wheel")

    assert not list((tmp_path / "wheel").glob("*.whl"))
