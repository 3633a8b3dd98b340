"""What is in the way of an update is one clear line; nothing has changed then."""

import json
import os
import shutil
from pathlib import Path

import pytest
from command import Cli
from update.projects import Owned, make
from update.publication import Publication, git, publish

ANSWERS = ".copier-answers.yml"


def test_changes_that_are_not_committed(project: Owned) -> None:
    project.append("README.md", "x")
    assert project.refused() == (
        "PROJECT has changes that are not committed (README.md); commit or stash them"
    )
    git(project.folder, "add", "README.md")
    assert "not committed (README.md)" in project.refused()
    (project.folder / "Makefile").unlink()
    assert "not committed (Makefile, README.md)" in project.refused()


def test_no_repository_and_no_commit(project: Owned) -> None:
    shutil.rmtree(project.folder / ".git")
    assert (
        project.refused() == "PROJECT is not in a git repository; an update compares with a commit"
    )
    git(project.folder, "init", "--quiet")
    uncommitted = "PROJECT is not committed; an update compares with the last commit"
    assert project.refused() == uncommitted
    git(project.folder, "add", "README.md")
    git(project.folder, "commit", "--quiet", "--message=without the answers")
    assert project.refused() == uncommitted


def test_no_git_on_the_machine(project: Owned) -> None:
    assert project.refused(PATH="/nowhere") == "git is not installed; an update needs it"


def test_a_folder_that_no_template_made(cli: Cli) -> None:
    project = Owned(cli.folder / "empty", cli)
    assert project.refused() == f"PROJECT is not a project of sls-patterns: it has no {ANSWERS}"
    project.folder.mkdir()
    assert project.refused() == f"PROJECT is not a project of sls-patterns: it has no {ANSWERS}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<<<<<<< HEAD\n_commit: v1\n=======\n", "not allowed in this context"),
        ("", "it holds no answers"),
        ("- v0.1.0\n", "it holds no answers"),
        ("pattern: scalable-webhook\n", "it does not say _commit"),
        ("_commit: 1\n", "it does not say _commit"),
        ("_commit: v0.1.0\n_src_path: x\n", "it does not say pattern"),
        ("\0", "unacceptable character"),
        ("region: 2026-13-45\n", "month must be in 1..12"),
        ("topology: [function]\n", "topology is not one value"),
    ],
)
def test_a_broken_answers_file(project: Owned, content: str, why: str) -> None:
    project.write(ANSWERS, content)
    project.commit()
    line = project.refused()
    assert line.startswith(f"PROJECT/{ANSWERS} is broken: ")
    assert why in line
    assert line.endswith("; restore it with git")


def test_an_answer_that_cannot_be(project: Owned) -> None:
    project.write(ANSWERS, project.read(ANSWERS).replace("us-east-1", "atlantis"))
    project.commit()
    assert project.refused().startswith("region: atlantis is not an AWS region")


def test_a_version_that_is_not_there(project: Owned, publication: Publication) -> None:
    there = f"{publication.folder} has no version v0.2.5; it has v0.1.0, v0.2.0, v0.3.0"
    assert project.refused("--to", "v0.2.5") == there
    assert project.refused("--to", "newest").startswith(f"{publication.folder} has no version ")
    project.write(ANSWERS, project.read(ANSWERS).replace("v0.1.0", "v0.2.5"))
    project.commit()
    assert project.refused() == there


def test_a_project_that_is_newer_than_all_there_is(
    project: Owned, publication: Publication
) -> None:
    project.write(ANSWERS, project.read(ANSWERS).replace("v0.1.0", "v9.0.0"))
    project.commit()
    assert project.refused() == (
        f"PROJECT was made from v9.0.0, which is newer than all of {publication.folder}, "
        "up to v0.3.0; install a newer sls-patterns"
    )


def test_the_way_back(publication: Publication, cli: Cli) -> None:
    project = make(publication, cli.folder / "project", cli, version="v0.2.0")
    assert (
        project.refused("--to", "0.1.0") == "v0.1.0 is older than v0.2.0; an update cannot go back"
    )


def test_what_was_made_from_no_version(project: Owned) -> None:
    project.write(ANSWERS, project.read(ANSWERS).replace("v0.1.0", "0badc0d"))
    project.commit()
    assert project.refused() == "PROJECT was made from 0badc0d, which is not a version"


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1:9/template.git", "/nowhere/template.git", "--upload-pack=x"]
)
def test_a_source_that_cannot_be_reached(project: Owned, address: str) -> None:
    for how in ({"SLS_PATTERNS_SOURCE": address}, {}):
        options = () if how else (f"--source={address}",)
        assert project.refused(*options, **how).startswith(f"{address} cannot be reached: ")


def test_who_signs_in_to_a_source_is_not_repeated(project: Owned) -> None:
    refused = project.refused("--source=https://me:hunter2@127.0.0.1:9/template.git")

    assert refused.startswith("https://***@127.0.0.1:9/template.git cannot be reached: ")
    assert "hunter2" not in refused


@pytest.mark.parametrize(
    ("address", "why"),
    [("~nobody-here/x", "home directory"), (f"/{'x' * 300}", "File name too long")],
)
def test_a_source_that_cannot_be_found(project: Owned, address: str, why: str) -> None:
    line = project.refused(f"--source={address}")
    assert line.startswith(f"{address}: ")
    assert why in line


def test_a_wheel_as_the_source(project: Owned) -> None:
    address = "https://example.invalid/sls_patterns_cli-1.2.3-py3-none-any.whl"
    assert project.refused(SLS_PATTERNS_SOURCE=address).startswith(
        f"{address} is a wheel, from which CI installs this tool; an update takes the template"
    )


def test_a_source_without_versions(project: Owned, tmp_path: Path) -> None:
    bare = publish(tmp_path / "template").folder
    assert project.refused("--source", bare) == (
        f"{bare} has no version of the template: "
        "no tag names one; its maintainer writes the tags with make tags"
    )
    git(bare, "tag", "v0.1.0", git(bare, "rev-parse", "HEAD:templates").strip())
    git(bare, "tag", "v0.2.0")
    assert project.refused("--source", bare).startswith(f"v0.1.0 of {bare}: ")


def test_a_shallow_clone_as_the_source(
    project: Owned, publication: Publication, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    origin = f"file://{publication.folder}"
    git(tmp_path, "clone", "--quiet", "--depth=1", origin, shallow)
    unshallow = "it is a shallow clone; fetch the rest with git fetch --unshallow --tags"
    assert project.refused("--source", shallow) == (
        f"{shallow} has no version of the template: {unshallow}"
    )
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=v0.3.0", origin, tmp_path / "tagged")
    assert project.refused("--source", tmp_path / "tagged") == (
        f"{tmp_path / 'tagged'} has no version v0.1.0; it has v0.3.0; {unshallow}"
    )


def test_wrong_answers(project: Owned) -> None:
    asked = (
        "pattern, project_name, topology, external_auth, runtime, runtime_version, iac, "
        "datastore, poison, bodies, auth, rollout, job_rows, tolerated_percentage, region, "
        "dashboard, stages, tracing, parameters, dead_letters, log_level"
    )
    for data, line in {
        "datastore=mysql": "--data datastore: 'mysql' is not offered; choose from: dynamodb, ",
        "region=atlantis": "--data region: atlantis is not an AWS region",
        "colour=red": f"--data colour is not a question; the questions are: {asked}",
        "_commit=v9": f"--data _commit is not a question; the questions are: {asked}",
        "region": "--data 'region' is not of the form KEY=VALUE",
    }.items():
        assert project.refused("--data", data).startswith(line)


def test_an_answer_that_a_newer_version_does_not_offer_is_not_changed_in_silence(
    cli: Cli, tmp_path: Path
) -> None:
    publication = publish(tmp_path / "template")
    question = "\nlog_level: {type: str, default: info, choices: [info, debug]}\n"
    publication.append("templates/questions.yml", question)
    answers = "templates/project/{{ _copier_conf.answers_file }}.jinja"
    publication.append(answers, "log_level: {{ log_level }}\n")
    publication.release("0.1.0")
    publication.replace("templates/questions.yml", "[info, debug]", "[info, warning]")
    publication.release("0.2.0")
    project = make(publication, cli.folder / "project", cli, log_level="debug")
    assert project.refused() == (
        "log_level: v0.2.0 no longer offers debug; choose with --data log_level=VALUE, such as info"
    )
    project.update("--data", "log_level=warning")
    assert "log_level: warning\n" in project.read(ANSWERS)


def test_a_template_that_would_run_something_or_is_broken(cli: Cli, tmp_path: Path) -> None:
    publication = publish(tmp_path / "template")
    publication.release("0.1.0")
    publication.replace("copier.yml", "_subdirectory:", "_tasks: ['touch ran']\n_subdirectory:")
    publication.release("0.2.0")
    publication.append("copier.yml", "_broken: yes\n")  # after the questions
    publication.release("0.3.0")
    project = make(publication, cli.folder / "project", cli)
    done = project.run("update", "--to", "0.2.0")
    assert (done.returncode, done.stderr) == (
        2,
        "sls-patterns: the template would run code on this machine: tasks\n",
    )
    assert project.run("update").stderr == (
        "sls-patterns: the template is broken: copier.yml cannot be read\n"
    )
    assert project.changed() == []
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("_answers_file: /etc/answers.yml\n", "a setting in copier.yml"),
        ("{{ range(99999999) }}", "Range too big"),
        ("{% include 'templates/project/README.md.jinja' %}", "maximum recursion depth exceeded"),
        ("{% include 'templates/gone.jinja' %}", "it has no file templates/gone.jinja"),
        ("{{ ().__class__.__bases__ }}", "access to attribute '__class__'"),
        ("{{ 'x' * 10 ** 12 }}", "MemoryError"),
    ],
)
def test_a_template_that_would_do_harm_is_one_line(
    cli: Cli, tmp_path: Path, text: str, why: str
) -> None:
    publication = publish(tmp_path / "template")
    publication.release("0.1.0")
    if text.startswith("_"):
        publication.replace("copier.yml", "_answers_file: .copier-answers.yml\n", text)
    else:
        publication.write("templates/project/README.md.jinja", text)
    publication.release("0.2.0")
    project = make(publication, cli.folder / "project", cli)

    done = project.run("update")

    (line,) = done.stderr.splitlines()
    assert line.startswith("sls-patterns: the template is broken: ")
    assert why in line
    assert str(tmp_path) not in line
    assert done.returncode == 2
    assert project.changed() == []


def test_a_folder_that_cannot_be_written_to(project: Owned) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    (project.folder / "src").chmod(0o555)
    done = project.run("update")
    (project.folder / "src").chmod(0o755)
    assert (done.returncode, project.changed()) == (1, [])
    assert "nothing was changed" in done.stderr


def test_status_says_why_an_update_would_be_refused(project: Owned) -> None:
    project.append("README.md", "x")
    assert project.status()["refused"] == (
        f"{project.folder} has changes that are not committed (README.md); commit or stash them"
    )
    assert "update would be refused: " in " ".join(project.run("status").stdout.split())
    (project.folder / ANSWERS).unlink()
    assert project.run("status", "--json").returncode == 2
    assert json.dumps(project.changed()).count(ANSWERS) == 1
