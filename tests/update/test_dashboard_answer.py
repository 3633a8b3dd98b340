"""An update adds the dashboard to a project, and takes it away."""

from pathlib import Path

import pytest
from command import Cli
from update.projects import Owned
from update.publication import git

ADDED = {"dashboard.svg"}
UPDATED = {".copier-answers.yml", "README.md", "template.yaml"}


@pytest.fixture
def made(cli: Cli) -> Owned:
    """A project of this version in git."""
    folder = cli.folder / "shop"
    done = cli("new", "notifier", folder, "--defaults")
    assert done.returncode == 0, done.stderr
    return Owned(folder, cli)


def files(folder: Path) -> dict[str, str]:
    listed = git(folder, "ls-files").splitlines()
    return {name: (folder / name).read_text() for name in listed}


def test_a_dashboard_comes_and_goes_by_its_answer(made: Owned) -> None:
    before = files(made.folder)

    report = made.update("--data", "dashboard=true")

    assert report["answers"] == {"dashboard": {"from": False, "to": True}}
    assert set(report["added"]) == ADDED
    assert set(report["updated"]) == UPDATED - {".copier-answers.yml"}
    assert report["replaced"] == report["conflicts"] == []
    assert "dashboard: true" in made.read(".copier-answers.yml")
    made.commit()

    report = made.update("--data", "dashboard=false")

    assert set(report["removed"]) == ADDED
    made.commit()
    assert files(made.folder) == before
