"""One publication for all tests, and fresh projects of its first release."""

import json
import shutil
from pathlib import Path

import command
import pytest
from command import Cli
from releases import COMING, RELEASED, released_repository
from update.projects import Owned, made_once
from update.publication import (
    Publication,
    git,
    prepared_publication,
    publish,
    publish_three_releases,
)

FOLDER = Path(__file__).parent
OF_RELEASES = {"test_poison.py", "test_released.py"}
"""Tests of projects that releases made."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one worker run the tests of `make test` that render what releases made.

    It compiles the templates of each version once. For all of these tests it would be too slow.
    """
    for item in items:
        few = item.get_closest_marker("exhaustive") is None
        if item.path.parent == FOLDER and item.path.name in OF_RELEASES and few:
            item.add_marker(pytest.mark.xdist_group("released projects"))


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


def publish_coming(folder: Path) -> Publication:
    """All releases, and the working tree as the release that it leads to."""
    publication = publish(folder, whole=True)
    git(folder, "fetch", "--quiet", "--tags", released_repository())
    git(folder, "tag", "--force", f"v{COMING}")
    return publication


@pytest.fixture(scope="session")
def coming() -> Path:
    return prepared_publication(publish_coming, json.dumps(RELEASED)).folder
