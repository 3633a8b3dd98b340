"""An update adds what an answer of this version brings to a project, and takes it away."""

from pathlib import Path

import pytest
from command import Cli
from update.projects import Owned
from update.publication import git

ADDED = {"dashboard.svg"}
UPDATED = {".copier-answers.yml", "README.md", "template.yaml"}


def make(cli: Cli, pattern: str, *answers: str) -> Owned:
    """Return a project of this version in git."""
    folder = cli.folder / "shop"
    done = cli("new", pattern, folder, "--defaults", *answers)
    assert done.returncode == 0, done.stderr
    return Owned(folder, cli)


@pytest.fixture
def made(cli: Cli) -> Owned:
    return make(cli, "notifier")


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


@pytest.mark.parametrize(
    ("runtime", "handler", "added"),
    [
        ("python", "src/shop/handlers/catalog.py", "+@with_cors_headers"),
        ("typescript", "src/handlers/catalog.ts", "+export const handler = withCorsHeaders("),
    ],
)
def test_an_update_with_cors_tells_what_a_handler_needs(
    runtime: str, handler: str, added: str, cli: Cli
) -> None:
    made = make(
        cli, "simple-web-service", "--data", "topology=rest-api", "--data", f"runtime={runtime}"
    )
    before = made.read(handler)

    report = made.update("--data", "parameters=[cors]", code=3)

    assert report["unfit"] == [handler]
    assert added in report["differences"][handler]
    assert made.read(handler) == before
