"""One publication for all tests, and fresh projects of its first release."""

import shutil
from pathlib import Path

import command
import pytest
from command import Cli
from update.projects import Owned, made_once
from update.publication import Publication, prepared_publication, publish_three_releases


@pytest.fixture(scope="session")
def publication() -> Publication:
    """v0.1.0, v0.2.0, v0.3.0; not to be changed."""
    return prepared_publication(publish_three_releases)


@pytest.fixture(scope="session")
def pristine(publication: Publication) -> Path:
    return made_once(publication)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return command.environment(tmp_path_factory.mktemp("home"))


@pytest.fixture
def project(pristine: Path, cli: Cli) -> Owned:
    """A project of v0.1.0 as it was made."""
    return Owned(shutil.copytree(pristine, cli.folder / "project"), cli)
