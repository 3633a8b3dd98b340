"""Every version that was really released updates to the newest, and no edit is lost."""

import shutil
from pathlib import Path

import pytest
from command import Cli
from copier import run_copy
from rendering import ROOT
from update.projects import PACKAGE, Owned
from update.publication import git

from sls_patterns_cli import history

USERS = (f"{PACKAGE}/logic.py", f"{PACKAGE}/handlers/receive.py", "tests/unit/test_logic.py")


def released() -> dict[str, str]:
    try:
        return history.releases(ROOT)
    except history.HistoryError:  # an unpacked sdist, or a shallow clone
        return {}


VERSIONS = list(released())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with all tags, as plain Copier needs them."""
    folder = tmp_path_factory.mktemp("released") / "template.git"
    git(ROOT, "clone", "--quiet", "--bare", "--no-tags", f"file://{ROOT}", folder)
    for version, commit in released().items():
        git(folder, "tag", version, commit)
    return folder


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_a_released_version_updates_to_the_newest(cli: Cli, clone: Path, version: str) -> None:
    project = Owned(cli.folder / "project", cli)
    data = {"pattern": "scalable-webhook"}
    origin = f"git+file://{clone}"
    run_copy(origin, project.folder, data=data, vcs_ref=version, defaults=True, quiet=True)
    git(project.folder, "init", "--quiet")
    project.commit()
    for path in USERS:
        project.append(path, "\n# mine\n")
    project.append("template.yaml", "# my wiring\n")
    project.append("Makefile", "# my target\n")
    git(project.folder, "rm", "--quiet", f"{PACKAGE}/handlers/process.py", "README.md")
    git(project.folder, "mv", f"{PACKAGE}/models.py", f"{PACKAGE}/shapes.py")
    project.write(f"{PACKAGE}/handlers/notify.py", "# my own\n")
    project.commit()

    done = project.run("update", "--json")
    assert done.returncode in {0, 3}, done.stderr
    assert f"_commit: {VERSIONS[-1]}\n" in project.read(".copier-answers.yml")
    for path in USERS:
        assert project.read(path).endswith("\n# mine\n")
    assert "# my wiring\n" in project.read("template.yaml")
    assert "# my target\n" in project.read("Makefile")
    assert project.read(f"{PACKAGE}/handlers/notify.py") == "# my own\n"
    for path in (f"{PACKAGE}/handlers/process.py", "README.md", f"{PACKAGE}/models.py"):
        assert not project.exists(path)
    assert project.exists(f"{PACKAGE}/shapes.py")
    shutil.rmtree(project.folder)


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
def test_an_untouched_project_of_any_version_becomes_a_new_one(cli: Cli, clone: Path) -> None:
    origin = f"git+file://{clone}"
    data = {"pattern": "scalable-webhook"}
    newest = cli.folder / "newest"
    run_copy(origin, newest, data=data, vcs_ref=VERSIONS[-1], defaults=True, quiet=True)
    project = Owned(cli.folder / "project", cli)
    run_copy(origin, project.folder, data=data, vcs_ref=VERSIONS[0], defaults=True, quiet=True)
    git(project.folder, "init", "--quiet")
    project.commit()
    report = project.update("--json")
    for path in (*report["updated"], *report["added"], ".copier-answers.yml"):
        assert project.read(path) == (newest / path).read_text()
    for path in report["removed"]:
        assert not (newest / path).exists()
