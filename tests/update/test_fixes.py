"""Fixes for the user's files are applied, handed over, or stay open until they are settled."""

from pathlib import Path

import pytest
from command import Cli
from update.projects import PACKAGE, Owned, made_once, make, snapshot
from update.publication import (
    MENDS_OF_PATTERN,
    WEBHOOK,
    Publication,
    git,
    prepared_publication,
    publish_without_mends,
)

LOGIC, MODELS = f"{PACKAGE}/logic.py", f"{PACKAGE}/models.py"
RECEIVE, TEST = f"{PACKAGE}/handlers/receive.py", "tests/unit/test_receive.py"
PROOF = "tests/e2e/test_unstorable_in_dlq.py"
RECORD = ".sls-patterns.yml"
STAMP = "\nMENDED_IN = (0, 2, 0)\n"
SECOND = "\nSECOND_MENDED_IN = (0, 3, 0)\n"
REASON = "Signatures are compared in constant time."
MENDS = f"""
- release: 0.2.0
  reason: {REASON}
  files: [src/*/logic.py, src/*/models.py]
  proofs: [unstorable-in-dlq]
- release: 0.2.0
  reason: The receiver says why.
  files: [src/*/handlers/receive.py]
"""
LATER = """
- release: 0.3.0
  reason: The models are strict.
  files: [src/*/models.py]
"""
FIRST, OTHER, THIRD = "0.2.0-1", "0.2.0-2", "0.3.0-1"


def publish_mends(folder: Path) -> Publication:
    """v0.2.0 mends three files of the user's in two fixes, v0.3.0 one of them again."""
    publication = publish_without_mends(folder)
    publication.write(MENDS_OF_PATTERN, MENDS)
    for file in ("logic.py", "models.py", "handlers/receive.py"):
        publication.append(f"{WEBHOOK}/{file}.jinja", STAMP)
    # Unit tests that no fix names: they follow the code that they import.
    publication.append(f"{WEBHOOK}/tests/unit/test_receive.py.jinja", "\nOF = (0, 2, 0)\n")
    publication.release("0.2.0")
    publication.append(MENDS_OF_PATTERN, LATER)
    publication.append(f"{WEBHOOK}/models.py.jinja", SECOND)
    publication.release("0.3.0")
    return publication


@pytest.fixture(scope="module")
def mending() -> Publication:
    return prepared_publication(publish_mends)


@pytest.fixture(scope="module")
def pristine(mending: Publication) -> Path:
    return made_once(mending)


def states(report: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {fix["id"]: fix["state"] for fix in report["fixes"]}


def edit(project: Owned, path: str = LOGIC) -> None:
    """Change the user's file where no fix does."""
    project.prepend(path, '"""Mine."""\n\nMY_LIMIT = 1\n')
    project.commit()


def test_fixes_are_applied_to_files_as_released_with_the_unit_tests_of_their_code(
    project: Owned,
) -> None:
    report = project.update("--to", "v0.2.0", "--apply-fixes")

    assert states(report) == {FIRST: "applied", OTHER: "applied"}
    for path in (LOGIC, MODELS, RECEIVE):
        assert project.read(path).endswith(STAMP)
    assert project.read(TEST).endswith("OF = (0, 2, 0)\n")
    assert set(report["fixed"]) >= {LOGIC, MODELS, RECEIVE, TEST}
    assert (report["to_review"], report["must_be_settled"]) == ([], False)
    assert PROOF in report["added"]
    assert not project.exists(RECORD)


@pytest.mark.exhaustive
def test_what_is_applied_is_what_the_release_makes(
    project: Owned, mending: Publication, cli: Cli
) -> None:
    project.update("--apply-fixes")

    new = make(mending, cli.folder / "new", cli, version="v0.3.0")
    assert snapshot(project.folder) == snapshot(new.folder)


@pytest.mark.exhaustive
def test_a_dry_run_says_the_same_and_changes_nothing(project: Owned) -> None:
    before = snapshot(project.folder)

    foreseen = project.update("--dry-run", "--apply-fixes")

    assert snapshot(project.folder) == before
    assert project.update("--apply-fixes") == foreseen
    assert foreseen["handover"] == {
        "message": str(project.folder / ".git/sls-patterns/message.txt"),
        "patch": None,
        "texts": None,
    }


@pytest.mark.exhaustive
def test_the_message_for_the_commit_names_the_reasons(project: Owned) -> None:
    report = project.update("--to", "v0.2.0", "--apply-fixes")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--file", report["handover"]["message"])

    assert git(project.folder, "log", "-1", "--format=%B").strip() == (
        "Update from v0.1.0 to v0.2.0 of the template\n\n"
        f"- {REASON} ({FIRST})\n- The receiver says why. ({OTHER})"
    )


@pytest.mark.exhaustive
def test_a_fix_with_an_edited_file_is_left_and_the_others_are_applied(project: Owned) -> None:
    edit(project)
    mine = project.read(LOGIC)

    report = project.update("--to", "v0.2.0", "--apply-fixes", code=3)

    assert states(report) == {OTHER: "applied", FIRST: "open"}
    assert project.read(LOGIC) == mine
    assert not project.read(MODELS).endswith(STAMP)
    assert project.read(RECEIVE).endswith(STAMP)
    assert report["waiting"] == [{"path": PROOF, "template": f"{PROOF}.template"}]


def test_the_rest_is_a_patch_that_git_applies_to_the_edited_file(project: Owned) -> None:
    edit(project)
    report = project.update("--apply-fixes", code=3)
    project.commit()

    git(project.folder, "apply", "--3way", report["handover"]["patch"])

    assert project.read(LOGIC).endswith(STAMP)
    assert "MY_LIMIT = 1" in project.read(LOGIC)
    assert project.read(MODELS).endswith(STAMP + SECOND)
    assert project.status()["fixes"] == []


@pytest.mark.exhaustive
def test_a_conflict_that_is_not_settled_keeps_the_fix_open(project: Owned) -> None:
    project.append(LOGIC, "\nMENDED_IN = None\n")
    project.commit()
    report = project.update("--to", "v0.2.0", "--apply-fixes", code=3)
    project.commit()

    with pytest.raises(AssertionError):
        git(project.folder, "apply", "--3way", report["handover"]["patch"])

    assert "<<<<<<< " in project.read(LOGIC)
    assert states(project.status("--fixes")) == {FIRST: "open"}


@pytest.mark.exhaustive
def test_the_patch_of_a_project_in_a_folder_of_a_repository(project: Owned, cli: Cli) -> None:
    whole = cli.folder / "whole"
    (whole / "services").mkdir(parents=True)
    (project.folder / ".git").rename(cli.folder / "unused")
    project.folder.rename(whole / "services/hook")
    git(whole, "init", "--quiet")
    hook = Owned(whole / "services/hook", cli)
    edit(hook)
    report = hook.update("--apply-fixes", code=3)
    hook.commit()

    git(hook.folder, "apply", "--3way", report["handover"]["patch"])

    assert hook.read(MODELS).endswith(STAMP + SECOND)


@pytest.mark.exhaustive
def test_each_fix_that_is_left_has_a_text_for_a_coding_agent(project: Owned) -> None:
    edit(project)

    report = project.update("--apply-fixes", code=3)

    texts = Path(report["handover"]["texts"])
    assert {text.name for text in texts.iterdir()} == {f"{FIRST}.md", f"{THIRD}.md"}
    text = (texts / f"{FIRST}.md").read_text()
    assert text.startswith(f"# Fix {FIRST}\n\n{REASON}\n")
    assert f"--- a/{LOGIC}\n+++ b/{LOGIC}\n" in text
    assert "+MENDED_IN = (0, 2, 0)\n" in text
    assert f"`sls-patterns fix --prove {FIRST}` passes" in text
    assert PROOF in text


@pytest.mark.exhaustive
def test_an_open_fix_stays_in_the_status_until_the_files_have_it(project: Owned) -> None:
    edit(project)
    project.update("--to", "v0.2.0", code=3)
    project.commit()

    status = project.status("--fixes")

    assert states(status) == {FIRST: "open", OTHER: "open"}
    assert [review["path"] for review in status["to_review"]] == [RECEIVE, LOGIC, MODELS]
    for path in (LOGIC, MODELS):
        project.append(path, STAMP)
    assert states(project.status("--fixes")) == {OTHER: "open"}


@pytest.mark.exhaustive
def test_an_open_fix_survives_later_updates_and_plain_copier_leaves_its_record(
    project: Owned,
) -> None:
    project.update("--to", "v0.2.0", code=3)
    project.commit()
    record = project.read(RECORD)

    report = project.update(code=3)

    assert states(report) == {FIRST: "open", OTHER: "open", THIRD: "open"}
    assert project.read(RECORD).startswith(record)
    (models,) = (each for each in report["to_review"] if each["path"] == MODELS)
    assert "+MENDED_IN" in models["diff"]
    assert "+SECOND_MENDED_IN" in models["diff"]


def test_fix_applies_open_fixes_later_and_puts_their_proofs_in_place(project: Owned) -> None:
    project.update(code=3)
    project.commit()

    done = project.run("fix")

    assert (done.returncode, done.stderr) == (0, "")
    assert "fixes applied 3" in done.stdout
    assert project.read(MODELS).endswith(STAMP + SECOND)
    assert project.exists(PROOF)
    assert not project.exists(f"{PROOF}.template")
    assert not project.exists(RECORD)
    project.commit()
    assert project.status()["fixes"] == []


@pytest.mark.exhaustive
def test_without_an_open_fix_there_is_nothing_to_do(project: Owned) -> None:
    before = snapshot(project.folder)

    done = project.run("fix")

    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing changes" in done.stdout
    assert snapshot(project.folder) == before


def test_a_fix_is_waived_with_a_reason(project: Owned) -> None:
    project.update("--to", "v0.2.0", code=3)
    project.commit()

    done = project.run("fix", "--waive", FIRST, "--reason", 'Our "gateway" compares them.')
    project.commit()

    assert (done.returncode, done.stderr) == (0, "")
    (waived, other) = sorted(project.status()["fixes"], key=lambda fix: fix["id"])
    assert (waived["state"], waived["waived"]) == ("waived", 'Our "gateway" compares them.')
    assert other["state"] == "open"
    report = project.update("--apply-fixes", code=3)
    # What the release mends in the file later has what was waived before it.
    assert states(report) == {OTHER: "applied", THIRD: "open"}
    assert 'Our "gateway" compares them.' in project.read(RECORD)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--waive", "0.2.0-9", "--reason", "no"), f"fix 0.2.0-9 is not open; open: {FIRST}"),
        (("--waive", FIRST), "--waive ID and --reason TEXT belong together"),
        (("--reason", "no"), "--waive ID and --reason TEXT belong together"),
        (("--waive", FIRST, "--reason", "  "), "--reason is empty"),
        (("--prove", "0.2.0-9"), f"fix 0.2.0-9 is not open; open: {FIRST}"),
        (("--prove", OTHER), f"fix {OTHER} has no proof here"),
        (("--prove", FIRST, "--waive", FIRST), "--prove and --waive cannot be combined"),
    ],
)
def test_what_cannot_be_waived_or_proven(
    project: Owned, arguments: tuple[str, ...], says: str
) -> None:
    project.update("--to", "v0.2.0", code=3)
    project.commit()

    done = project.run("fix", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "content",
    [
        "",
        "fixes: 1\n",
        "fixes: [{id: x}]\n",
        "fixes: [1]\n",
        "{",
        "fixes: [{id: 0.2.0-1, since: v9.9.9}]\n",
    ],
)
def test_a_broken_record_is_refused_with_one_line(project: Owned, content: str) -> None:
    project.write(RECORD, content)
    project.commit()

    assert RECORD in project.refused()


@pytest.mark.exhaustive
def test_line_endings_do_not_count_and_stay(project: Owned) -> None:
    for path in (LOGIC, MODELS):
        file = project.folder / path
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    project.commit()

    report = project.update("--to", "v0.2.0", "--apply-fixes")

    assert states(report) == {FIRST: "applied", OTHER: "applied"}
    content = (project.folder / LOGIC).read_bytes()
    assert content.endswith(STAMP.replace("\n", "\r\n").encode())
    assert content.count(b"\n") == content.count(b"\r\n")


@pytest.mark.exhaustive
def test_a_file_that_has_the_fix_with_other_comments_is_not_to_review(project: Owned) -> None:
    for path in (LOGIC, MODELS):
        project.append(path, f"{STAMP}# by hand\nMY_OWN = 1\n")
    edit(project)

    report = project.update("--to", "v0.2.0", "--apply-fixes")

    assert states(report) == {OTHER: "applied"}
    assert project.exists(PROOF)


@pytest.mark.exhaustive
def test_a_fix_is_left_if_what_it_imports_is_not_there(project: Owned) -> None:
    project.write(LOGIC, project.read(LOGIC).replace("def accept(", "def take(", 1))
    project.commit()

    report = project.update("--to", "v0.2.0", "--apply-fixes", code=3)

    # The receiver is as released, but the new one calls what the user has renamed.
    assert states(report) == {FIRST: "open", OTHER: "open"}


@pytest.mark.exhaustive
def test_the_terminal_counts_and_says_what_is_next(project: Owned) -> None:
    edit(project)

    done = project.run("update", "--to", "v0.2.0", "--apply-fixes")

    shown = " ".join(done.stdout.split())
    assert "fixes applied 1, open fixes 1" in shown
    assert "apply --3way" in shown
    assert "commit -F" in shown


@pytest.mark.exhaustive
def test_a_fix_for_a_renamed_file_is_a_patch_on_its_new_name(project: Owned) -> None:
    rules = LOGIC.replace("logic", "rules")
    git(project.folder, "mv", LOGIC, rules)
    project.commit()

    report = project.update("--to", "v0.2.0", "--apply-fixes", code=3)
    project.commit()
    git(project.folder, "apply", "--3way", report["handover"]["patch"])

    assert [each["path"] for each in report["to_review"]] == [RECEIVE, rules, MODELS]
    assert project.read(rules).endswith(STAMP)
    assert not project.exists(LOGIC)
