"""A mend in a file of the user's is reported, and its proof waits until the user has it."""

import shutil
from pathlib import Path

import pytest
from command import Cli
from update.projects import PACKAGE, Owned, made_once, make
from update.publication import (
    MENDS_OF_PATTERN,
    WEBHOOK,
    Publication,
    git,
    prepared_publication,
    publish_without_mends,
)
from update.test_plain_copier import copier

from sls_patterns_cli.catalog.fix_declaration import between, read_fixes
from sls_patterns_cli.errors import UserError

LOGIC, MODELS = f"{PACKAGE}/logic.py", f"{PACKAGE}/models.py"
PROOF = "tests/e2e/test_unstorable_in_dlq.py"
MENDED = "\nMENDED_IN = (0, 2, 0)\n"
REASON = "Signatures are compared in constant time."
MENDS = f"""
- release: 0.2.0
  reason: {REASON}
  files: [src/*/logic.py, src/*/models.py]
  topologies: [function]
  proofs: [unstorable-in-dlq]
- release: 0.2.0
  reason: The project under test has another topology.
  topologies: [direct]
  files: [src/*/logic.py, src/*/models.py]
"""


def publish_mends(folder: Path) -> Publication:
    """v0.2.0 mends two files of the user's, and brings the proof; v0.3.0 changes a document."""
    publication = publish_without_mends(folder)
    publication.write(MENDS_OF_PATTERN, MENDS)
    for file in ("logic.py", "models.py"):
        publication.append(f"{WEBHOOK}/{file}.jinja", MENDED)
    publication.release("0.2.0")
    publication.append("templates/project/README.md.jinja", "\nMade with 0.3.0.\n")
    publication.append(f"{WEBHOOK}/{PROOF}.jinja", "# of 0.3.0\n")
    publication.release("0.3.0")
    return publication


@pytest.fixture(scope="module")
def mending() -> Publication:
    return prepared_publication(publish_mends)


@pytest.fixture(scope="module")
def pristine(mending: Publication) -> Path:
    return made_once(mending)


def take_over(project: Owned, *paths: str) -> None:
    for path in paths:
        project.append(path, MENDED)
    project.commit()


def test_a_mend_is_reported_with_its_reason_and_diff_and_the_file_stays(project: Owned) -> None:
    project.append(LOGIC, "# mine\n")
    project.commit()
    before = {path: project.read(path) for path in (LOGIC, MODELS)}

    report = project.update(code=3)

    assert [(each["path"], each["reasons"]) for each in report["to_review"]] == [
        (LOGIC, [REASON]),
        (MODELS, [REASON]),
    ]
    for review in report["to_review"]:
        assert review["diff"].startswith(f"--- a/{review['path']}\n+++ b/{review['path']}\n@@ ")
        assert [line for line in review["diff"].splitlines() if line[:1] in "+-"][2:] == [
            "+",
            "+MENDED_IN = (0, 2, 0)",
        ]
    assert {path: project.read(path) for path in (LOGIC, MODELS)} == before
    assert report["must_be_settled"] is True


def test_a_mend_for_another_topology_is_not_reported(project: Owned) -> None:
    report = project.update(code=3)

    assert {reason for each in report["to_review"] for reason in each["reasons"]} == {REASON}


def test_its_proof_is_put_beside_as_it_would_fail(project: Owned) -> None:
    report = project.update(code=3)

    assert report["waiting"] == [{"path": PROOF, "template": f"{PROOF}.template"}]
    assert report["conflicts"] == []
    assert PROOF not in report["added"]
    assert not project.exists(PROOF)
    assert "def test_unstorable_in_dlq" in project.read(f"{PROOF}.template")


def test_the_terminal_shows_reason_diff_and_where_the_proof_is(project: Owned) -> None:
    done = project.run("update", "--dry-run")

    assert done.returncode == 3
    shown = done.stdout[done.stdout.index("To review") :]
    assert REASON in shown
    assert f"--- a/{LOGIC}" in shown
    assert "+MENDED_IN = (0, 2, 0)" in shown
    assert f"{PROOF}.template" in " ".join(shown.split())
    assert not project.exists(f"{PROOF}.template")


def test_a_mend_that_the_user_has_arrives_with_its_proof(project: Owned) -> None:
    take_over(project, LOGIC, MODELS)

    report = project.update()

    assert report["to_review"] == []
    assert PROOF in report["added"]
    assert project.exists(PROOF)


def test_the_proof_waits_for_all_files_of_its_mend(project: Owned) -> None:
    take_over(project, LOGIC)

    report = project.update(code=3)

    assert [review["path"] for review in report["to_review"]] == [MODELS]
    assert not project.exists(PROOF)


def test_a_file_that_the_user_has_deleted_is_not_to_review(project: Owned) -> None:
    git(project.folder, "rm", "--quiet", LOGIC)
    take_over(project, MODELS)

    report = project.update()

    assert report["to_review"] == []
    assert project.exists(PROOF)


def test_the_way_from_a_version_that_has_the_mend_reports_none(
    mending: Publication, cli: Cli
) -> None:
    project = make(mending, cli.folder / "project", cli, version="v0.2.0")
    project.append(LOGIC, "# mine\n")
    project.commit()

    report = project.update()

    assert report["to_review"] == []
    assert project.exists(PROOF)


def test_what_is_put_beside_overwrites_nothing(project: Owned) -> None:
    project.write(f"{PROOF}.template", "mine\n")
    project.commit()

    report = project.update(code=3)

    assert report["waiting"] == [{"path": PROOF, "template": f"{PROOF}.template-2"}]
    assert project.read(f"{PROOF}.template") == "mine\n"


def test_the_status_tells_what_would_be_to_review(project: Owned) -> None:
    update = project.status()["update"]

    assert [review["path"] for review in update["to_review"]] == [LOGIC, MODELS]


def test_plain_copier_brings_the_proof_and_leaves_the_mend(mending: Publication, cli: Cli) -> None:
    folder = cli.folder / "plain"
    answers = ("--data", "pattern=scalable-webhook", "--data", "project_name=scalable-webhook")
    origin = f"git+file://{mending.folder}"
    copy = ("copy", *answers, "--vcs-ref", "v0.1.0", "--defaults", "--quiet")
    copier(cli, cli.folder, *copy, origin, folder)
    git(folder, "init", "--quiet")
    plain = Owned(folder, cli)
    plain.commit()

    copier(cli, folder, "update", "--defaults")

    assert plain.exists(PROOF)
    assert MENDED not in plain.read(LOGIC)


def test_a_record_that_cannot_be_read_is_refused_with_one_line(
    mending: Publication, cli: Cli, project: Owned
) -> None:
    broken = Publication(Path(shutil.copytree(mending.folder, cli.folder / "broken")))
    broken.replace(MENDS_OF_PATTERN, "reason:", "raeson:")
    broken.release("0.4.0")

    says = project.refused("--source", broken.folder)

    assert says == (
        f"{MENDS_OF_PATTERN}: mend 1: unknown key 'raeson'; did you mean reason? "
        "allowed: release, reason, files, proofs, topologies, migrates, answer"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"release": "soon"}, "release must be text of the form"),
        ({"release": 0.2}, "release must be text of the form"),
        ({"files": []}, "files must have at least one entry"),
        ({"files": "src/*/logic.py"}, "files must be a list"),
        ({"proofs": ["No Id"]}, "proofs must be names of the form"),
        ({"reason": None}, "reason is missing"),
    ],
)
def test_a_mend_is_read_strictly(change: dict[str, object], says: str) -> None:
    mend = {"release": "0.2.0", "reason": REASON, "files": ["src/*/logic.py"], "proofs": ["id"]}

    with pytest.raises(UserError, match=r"^templates/patterns/hook/mends.yml: mend 1: ") as refused:
        read_fixes("hook", [{**mend, **change}])

    assert says in refused.value.message


def test_a_development_version_has_the_mends_of_the_release_that_it_leads_to() -> None:
    mend = {"reason": REASON, "files": ["src/*/logic.py"], "proofs": ["id"]}
    mends = read_fixes("hook", [{**mend, "release": each} for each in ("0.2.0", "0.3.0")])

    def found(base: str, target: str) -> list[str]:
        return [str(each.release) for each in between(mends, base, target)]

    assert found("v0.1.0", "v0.3.0.dev0") == ["0.2.0", "0.3.0"]
    assert found("v0.2.0", "v0.3.0.dev0") == ["0.3.0"]
    assert found("v0.1.0", "v0.2.0") == ["0.2.0"]
    assert found("v0.3.0", "v0.3.0") == []
