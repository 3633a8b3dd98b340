"""An update takes what the template brings, keeps what the user did, and says where both meet."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Cli
from update.projects import PACKAGE, Owned, make, snapshot
from update.publication import Publication, git

USERS = {
    f"{PACKAGE}/handlers/receive.py": "\n# my handler\n",
    f"{PACKAGE}/logic.py": "\n# my rule\n",
    f"{PACKAGE}/models.py": "\n# my model\n",
    "tests/unit/test_logic.py": "\n# my test\n",
}


@pytest.fixture(scope="module")
def lived_in(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> tuple[Owned, dict[str, tuple[int, bytes]], Any]:
    """A project with edits of every kind that was updated; how it was; the report."""
    folder = tmp_path_factory.mktemp("lived-in")
    project = Owned(shutil.copytree(pristine, folder / "project"), Cli(folder, environment))
    for path, text in USERS.items():
        project.append(path, text)
    git(project.folder, "rm", "--quiet", f"{PACKAGE}/handlers/process.py", "Makefile")
    project.write(f"{PACKAGE}/handlers/notify.py", "# my own handler\n")
    git(project.folder, "mv", "tests/sender.py", "tests/signer.py")
    project.prepend("template.yaml", "# my wiring\n")
    project.prepend(f"{PACKAGE}/adapters/deliveries.py", "# my adapter\n")
    project.append("pyproject.toml", "# my tools\n")
    project.append("README.md", "\nMy chapter.\n")
    project.append("samconfig.toml", "# my stack\n")
    project.write("events/invoice-paid.json", "{}\n")
    project.write(f"{PACKAGE}/adapters/clock.py", "# my clock\n")
    project.write("run.sh", "#!/bin/sh\n")
    (project.folder / "run.sh").chmod(0o755)
    project.commit()
    before = snapshot(project.folder)
    return project, before, project.update(code=3)


def test_what_the_user_owns_stays_as_it_was(lived_in: Any) -> None:
    project, before, _ = lived_in
    after = snapshot(project.folder)
    for path in (*USERS, f"{PACKAGE}/handlers/notify.py", "run.sh"):
        assert after[path] == before[path]


def test_what_the_user_owns_in_typescript_stays_as_it_was(
    publication: Publication, cli: Cli
) -> None:
    project = make(publication, cli.folder / "project", cli, runtime="typescript")
    users = [f"src/{path}.ts" for path in ("handlers/receive", "logic", "models")]
    users.append("tests/unit/logic.test.ts")
    for path in users:
        project.append(path, "\n// mine\n")
    git(project.folder, "rm", "--quiet", "src/handlers/process.ts")
    project.commit()

    project.update()

    for path in users:
        assert project.read(path).endswith("\n// mine\n")
        assert "// of 0.2.0" not in project.read(path)
    assert not project.exists("src/handlers/process.ts")
    assert project.read("src/adapters/deliveries.ts").endswith("\n// of 0.2.0\n")


def test_what_the_user_removed_or_renamed_does_not_come_back(lived_in: Any) -> None:
    project, _, report = lived_in
    for path in (f"{PACKAGE}/handlers/process.py", "Makefile", "tests/sender.py"):
        assert not project.exists(path)
    assert report["skipped"] == []


def test_what_the_user_renamed_is_followed(lived_in: Any) -> None:
    project, before, report = lived_in
    assert report["renamed"] == [{"path": "tests/sender.py", "now": "tests/signer.py"}]
    _, was = before["tests/signer.py"]
    assert project.read("tests/signer.py") == was.decode() + "\n# sender of 0.2.0\n"


def test_wiring_and_adapters_merge_with_the_users_edits(lived_in: Any) -> None:
    project, _, report = lived_in
    wiring = project.read("template.yaml")
    assert wiring.startswith("# my wiring\n")
    assert "MemorySize: 512" in wiring
    assert "MemorySize: 256" not in wiring
    adapter = project.read(f"{PACKAGE}/adapters/deliveries.py")
    assert adapter.startswith("# my adapter\n")
    assert adapter.endswith("\n# deliveries of 0.2.0\n")
    assert project.read("pyproject.toml").endswith("# my tools\n")
    assert report["updated"] == [
        f"{PACKAGE}/adapters/deliveries.py",
        "template.yaml",
        "tests/signer.py",
    ]


def test_new_files_of_the_template_are_written(lived_in: Any) -> None:
    project, _, report = lived_in
    assert report["added"] == ["SECURITY.md", "deploy.toml"]
    assert project.read("SECURITY.md") == "Logs are at info.\nMade with 0.3.0.\n"
    assert report["answers"] == {"log_level": {"from": None, "to": "info"}}


def test_edits_in_a_renamed_or_removed_file_survive_and_are_reported(lived_in: Any) -> None:
    project, before, report = lived_in
    assert report["kept"] == [
        {"path": "events/invoice-paid.json", "renamed_to": None, "imported_by": None},
        {"path": "samconfig.toml", "renamed_to": "deploy.toml", "imported_by": None},
    ]
    after = snapshot(project.folder)
    for path in ("events/invoice-paid.json", "samconfig.toml"):
        assert after[path] == before[path]
    assert project.read("deploy.toml").endswith("# renamed in 0.2.0\n")
    assert "# my stack" not in project.read("deploy.toml")


def test_a_conflict_holds_both_sides_and_is_one_for_git(lived_in: Any) -> None:
    project, before, report = lived_in
    both_added = f"{PACKAGE}/adapters/clock.py"
    assert report["conflicts"] == [
        {"path": "README.md", "template": None},
        {"path": both_added, "template": None},
    ]
    for path, mine, theirs in (
        ("README.md", "My chapter.", "Made with 0.2.0."),
        (both_added, "# my clock", "# clock of 0.3.0"),
    ):
        text = project.read(path)
        ours, _, rest = text.partition("<<<<<<< before updating\n")[2].partition("=======\n")
        assert mine in ours
        assert theirs in rest
        assert theirs not in ours
    unmerged = git(project.folder, "ls-files", "--unmerged", "-z").split("\0")[:-1]
    stages = {entry.split("\t")[1] + entry.split()[2] for entry in unmerged}
    assert stages == {"README.md1", "README.md2", "README.md3", f"{both_added}2", f"{both_added}3"}
    assert git(project.folder, "show", ":2:README.md").encode() == before["README.md"][1]
    assert git(project.folder, "show", ":3:README.md").endswith("Made with 0.2.0.\n")


def test_git_can_undo_it_all(lived_in: Any, tmp_path: Path) -> None:
    project, before, _ = lived_in
    copy = shutil.copytree(project.folder, tmp_path / "copy")
    git(copy, "reset", "--quiet", "--hard")
    git(copy, "clean", "--quiet", "--force", "-d")
    assert snapshot(copy) == before


def test_new_files_of_the_users_kind_are_offered_and_not_written(project: Owned) -> None:
    report = project.update("--to", "0.2.0", code=3)
    assert report["offered"] == [f"{PACKAGE}/handlers/audit.py", "tests/unit/test_audit.py"]
    assert not project.exists(f"{PACKAGE}/handlers/audit.py")
    project.commit()
    assert project.status()["offered"] == ["tests/unit/test_audit.py"]  # v0.3.0 has no audit.py


def test_a_handler_that_the_template_has_no_more_is_reported(project: Owned) -> None:
    project.update("--to", "v0.2.0", code=3)
    project.write(f"{PACKAGE}/handlers/audit.py", "# my audit\n")
    project.commit()
    report = project.update(code=3)
    assert report["orphaned"] == [f"{PACKAGE}/handlers/audit.py"]
    assert project.read(f"{PACKAGE}/handlers/audit.py") == "# my audit\n"


def test_nothing_to_settle_is_exit_0_and_a_second_update_changes_nothing(project: Owned) -> None:
    report = project.update()
    assert report["must_be_settled"] is False
    assert (report["from"], report["base"], report["to"]) == ("v0.1.0", "v0.1.0", "v0.3.0")
    assert report["removed"] == ["events/invoice-paid.json", "samconfig.toml"]
    assert not project.exists("events")
    project.commit()
    before = snapshot(project.folder)
    again = project.update()
    assert not any(again[kind] for kind in ("updated", "added", "removed", "conflicts", "kept"))
    assert snapshot(project.folder) == before


def test_a_dry_run_reports_the_same_and_changes_nothing(project: Owned) -> None:
    project.append("README.md", "\nMine.\n")
    project.commit()
    before = snapshot(project.folder)
    foreseen = project.update("--dry-run", code=3)
    assert snapshot(project.folder) == before
    assert project.changed() == []
    assert project.update(code=3) == foreseen


def test_another_answer_moves_wiring_and_adapters_and_keeps_what_is_the_users(
    publication: Publication, cli: Cli
) -> None:
    project = make(publication, cli.folder / "project", cli, version="v0.3.0")
    project.append(f"{PACKAGE}/handlers/receive.py", "# mine\n")
    project.commit()
    report = project.update(
        "--data", "datastore=aurora-postgresql", "--data", "log_level=debug", "--replace", code=3
    )
    assert report["answers"] == {
        "datastore": {"from": "dynamodb", "to": "aurora-postgresql"},
        "log_level": {"from": "info", "to": "debug"},
    }
    assert f"{PACKAGE}/adapters/events/aurora_postgresql.py" in report["added"]
    assert f"{PACKAGE}/adapters/events/dynamodb.py" in report["removed"]
    assert not project.exists(f"{PACKAGE}/adapters/events/dynamodb.py")
    assert "events.aurora_postgresql" in project.read(f"{PACKAGE}/adapters/events/__init__.py")
    assert project.read("SECURITY.md").startswith("Logs are at debug.")
    assert project.read(f"{PACKAGE}/handlers/receive.py").endswith("# mine\n")
    # Its test is the user's: it stays, and is said to fit no more.
    assert report["orphaned"] == ["tests/unit/test_events_dynamodb.py"]
    # As does the environment that tests find.
    assert report["unfit"] == ["tests/unit/conftest.py"]
    assert report["differences"].keys() == {*report["unfit"]}
    # The function that migrates the database, and what it applies are to be written.
    assert report["offered"] == [
        f"{PACKAGE}/handlers/migrate.py",
        f"{PACKAGE}/migrations/0000_application_user.sql",
        f"{PACKAGE}/migrations/0001_events.sql",
        "tests/unit/test_events_aurora_postgresql.py",
    ]


def test_optional_parameters_come_and_go_with_their_answer(project: Owned) -> None:
    before = snapshot(project.folder)

    report = project.update("--to", "v0.1.0", "--data", "parameters=[concurrency]")
    project.commit()

    assert report["answers"] == {"parameters": {"from": None, "to": ["concurrency"]}}
    assert report["replaced"] == []
    assert "ProcessMaximumConcurrency:" in project.read("template.yaml")

    report = project.update("--to", "v0.1.0", "--data", "parameters=[]")

    assert report["answers"] == {"parameters": {"from": ["concurrency"], "to": None}}
    assert snapshot(project.folder) == before


def test_an_edited_adapter_outlives_another_datastore(project: Owned) -> None:
    adapter = f"{PACKAGE}/adapters/events/dynamodb.py"
    project.append(adapter, "# my index\n")
    project.commit()
    report = project.update(
        "--to", "v0.1.0", "--data", "datastore=aurora-postgresql", "--replace", code=3
    )
    assert report["kept"] == [{"path": adapter, "renamed_to": None, "imported_by": None}]
    assert project.read(adapter).endswith("# my index\n")


def test_files_that_git_does_not_track_are_never_overwritten(project: Owned) -> None:
    project.write(".git/info/exclude", "deploy.toml\n")
    project.write("deploy.toml", "ignored, and mine\n")
    project.write("SECURITY.md", "not tracked, and mine\n")
    project.write("notes.txt", "not tracked, and in nobody's way\n")
    report = project.update(code=3)
    assert report["conflicts"] == [
        {"path": "SECURITY.md", "template": "SECURITY.md.template"},
        {"path": "deploy.toml", "template": "deploy.toml.template"},
    ]
    assert project.read("deploy.toml") == "ignored, and mine\n"
    assert project.read("SECURITY.md") == "not tracked, and mine\n"
    assert project.read("notes.txt") == "not tracked, and in nobody's way\n"
    assert project.read("SECURITY.md.template").startswith("Logs are at info.")


def test_edits_that_git_was_told_not_to_look_at_are_never_overwritten(project: Owned) -> None:
    git(project.folder, "update-index", "--assume-unchanged", "README.md", "samconfig.toml")
    project.append("README.md", "\nhidden\n")
    project.append("samconfig.toml", "# hidden\n")
    report = project.update(code=3)
    assert report["conflicts"] == [{"path": "README.md", "template": "README.md.template"}]
    assert report["kept"] == [
        {"path": "samconfig.toml", "renamed_to": "deploy.toml", "imported_by": None}
    ]
    assert project.read("README.md").endswith("\nhidden\n")
    assert project.read("README.md.template").endswith("\nMade with 0.2.0.\n")
    assert project.read("samconfig.toml").endswith("# hidden\n")


def test_nothing_is_written_through_a_link(project: Owned, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(project.folder / f"{PACKAGE}/adapters", outside)
    before = snapshot(outside)
    shutil.rmtree(project.folder / f"{PACKAGE}/adapters")
    (project.folder / f"{PACKAGE}/adapters").symlink_to(outside)
    project.commit()
    done = project.run("update")
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) <= 1
    assert snapshot(outside) == before


def test_a_project_in_a_folder_of_a_bigger_repository(project: Owned, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(project.folder, whole / "services/hook", ignore=shutil.ignore_patterns(".git"))
    (whole / "README.md").write_text("of the whole\n")
    git(whole, "init", "--quiet")
    inner = Owned(whole / "services/hook", project.cli)
    inner.append("README.md", "\nMine.\n")
    inner.commit()
    git(whole, "add", "--all")
    git(whole, "commit", "--quiet", "--amend", "--no-edit")
    (whole / "README.md").write_text("of the whole, and not committed\n")
    report = inner.update(code=3)
    assert report["conflicts"] == [{"path": "README.md", "template": None}]
    assert "MemorySize: 512" in inner.read("template.yaml")
    assert (whole / "README.md").read_text() == "of the whole, and not committed\n"
    unmerged = git(whole, "ls-files", "--unmerged").splitlines()
    assert {line.split("\t")[1] for line in unmerged} == {"services/hook/README.md"}


def test_the_users_settings_for_git_and_copier_change_nothing(
    project: Owned, tmp_path: Path
) -> None:
    plain = Owned(shutil.copytree(project.folder, tmp_path / "plain"), project.cli)
    plain.update()
    home = Path(project.cli.environment["HOME"])
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/ignore").write_text("*.toml\nSECURITY.md\n")
    (home / ".config/git/attributes").write_text("* eol=crlf\n")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath = {hooks}\nautocrlf = input\n[commit]\ngpgSign = true\n"
        "[diff]\nnoprefix = true\nmnemonicPrefix = true\n[status]\nrelativePaths = true\n"
        "[merge]\nconflictStyle = diff3\n[color]\nui = always\n"
    )
    (home / "settings.yml").write_text("defaults: {log_level: debug}")
    project.update(COPIER_SETTINGS_PATH=str(home / "settings.yml"), GIT_DIR="/nowhere")
    assert snapshot(project.folder) == snapshot(plain.folder)


def test_the_report_is_for_people_too(project: Owned) -> None:
    project.append("README.md", "\nMine.\n")
    project.append("samconfig.toml", "# mine\n")
    project.commit()
    done = project.cli("update", "project")
    assert (done.returncode, done.stderr) == (3, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "project: v0.1.0 -> v0.3.0"
    assert "updated template.yaml" in lines
    assert "removed events/invoice-paid.json" in lines
    settling = lines[lines.index("To settle by hand") :]
    assert settling[1].startswith("conflict README.md holds both sides between markers")
    assert settling[2].startswith("kept samconfig.toml is now deploy.toml; your edits are still in")
