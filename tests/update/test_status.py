"""What `status` tells of a project, which it does not change."""

from update.projects import PACKAGE, Owned, snapshot
from update.publication import git


def test_it_tells_versions_drift_and_what_an_update_would_do(project: Owned) -> None:
    project.append("template.yaml", "# mine\n")
    project.append(f"{PACKAGE}/logic.py", "# mine, and mine to change\n")
    git(project.folder, "rm", "--quiet", "Makefile", f"{PACKAGE}/handlers/process.py")
    project.write("own.txt", "mine\n")
    project.commit()
    before = snapshot(project.folder)
    status = project.status()
    assert snapshot(project.folder) == before
    versions = {"path", "version", "newest", "refused", "update"}
    assert set(status) == versions | {"drift", "offered", "fixes", "to_review"}
    assert (status["version"], status["newest"]) == ("v0.1.0", "v0.3.0")
    assert status["refused"] is None
    assert status["drift"] == {"edited": ["template.yaml"], "missing": ["Makefile"]}
    assert status["offered"] == [f"{PACKAGE}/handlers/process.py", "tests/unit/test_audit.py"]
    assert status["update"] == project.update()


def test_it_sees_drift_that_is_not_committed(project: Owned) -> None:
    project.append("README.md", "x")
    (project.folder / "Makefile").unlink()
    drift = project.status()["drift"]
    assert drift == {"edited": ["README.md"], "missing": ["Makefile"]}


def test_a_project_that_is_up_to_date(project: Owned) -> None:
    project.update()
    project.commit()
    status = project.status()
    assert (status["version"], status["update"]) == ("v0.3.0", None)
    assert status["drift"] == {"edited": [], "missing": []}


def test_it_is_for_people_too(project: Owned) -> None:
    project.append("README.md", "\nMine.\n")
    project.commit()
    done = project.cli("status", "project")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "project: v0.1.0, newest v0.3.0"
    assert lines[lines.index("Drift from the template") + 1] == "edited README.md"
    assert (
        lines[lines.index("On offer: new files that would be yours") + 1]
        == "new tests/unit/test_audit.py"
    )
    assert "updated template.yaml" in lines
