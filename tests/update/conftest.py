"""One publication for all tests, and fresh projects of its first release."""

import shutil
from pathlib import Path

import command
import pytest
from command import Cli
from update.projects import Owned, make_anew
from update.publication import Publication, publish_three_releases


@pytest.fixture(scope="session")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    """v0.1.0, v0.2.0, v0.3.0; not to be changed."""
    return publish_three_releases(tmp_path_factory.mktemp("publication") / "template")


@pytest.fixture(scope="session")
def pristine(
    publication: Publication,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    # Updates read what this compiles.
    Cli(tmp_path_factory.mktemp("new"), environment)("new", "scalable-webhook", "--no-git")
    return make_anew(publication, tmp_path_factory)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return command.environment(tmp_path_factory.mktemp("home"))


@pytest.fixture
def project(pristine: Path, cli: Cli) -> Owned:
    """A project of v0.1.0 as it was made."""
    return Owned(shutil.copytree(pristine, cli.folder / "project"), cli)
