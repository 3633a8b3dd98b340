"""What `new` makes, and what it says."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Cli

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog import template_address


def made(cli: Cli, *arguments: str, **environment: str) -> Any:
    done = cli("new", "scalable-webhook", *arguments, "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file's mode and content, git's own left out."""
    return {
        path.relative_to(folder).as_posix(): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_the_project_takes_the_patterns_name_and_the_defaults(cli: Cli) -> None:
    project = made(cli)
    assert set(project) == {"path", "answers", "files", "git", "git_problem", "missing_tools"}
    assert project["path"] == str(cli.folder / "scalable-webhook")
    assert project["answers"] == {
        "pattern": "scalable-webhook",
        "project_name": "scalable-webhook",
        "topology": "function",
        "runtime": "python",
        "runtime_version": "python3.13",
        "iac": "sam",
        "datastore": "dynamodb",
        "poison": "named",
        "rollout": "all-at-once",
        "region": "us-east-1",
        "dashboard": False,
        "stages": False,
        "tracing": "xray",
        "dead_letters": "command",
    }
    assert project["files"] == sorted(tree(cli.folder / "scalable-webhook"))
    assert project["git"] is True


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my-webhooks", "my-webhooks"),
        ("a/b/hook-1", "hook-1"),
        ("My Web_hooks", "my-web-hooks"),
        (".", "work"),
        ("json", "scalable-webhook"),
        ("9lives", "scalable-webhook"),
        ("café", "scalable-webhook"),
        (41 * "a", "scalable-webhook"),
    ],
)
def test_a_project_is_named_after_its_folder_if_it_can_be(cli: Cli, folder: str, name: str) -> None:
    assert made(cli, folder)["answers"]["project_name"] == name


def test_a_project_in_typescript(cli: Cli) -> None:
    project = made(cli, "--runtime", "typescript", "--name", "my-hook")
    assert project["answers"]["runtime_version"] == "nodejs24.x"
    assert {"package.json", "src/handlers/receive.ts", "src/adapters/signing-secret.ts"} <= set(
        project["files"]
    )
    assert not [file for file in project["files"] if file.endswith(".py")]


def test_options_and_data_reach_the_project(cli: Cli) -> None:
    options = ("--name", "my-hook", "--region", "eu-north-1", "--runtime", "python")
    project = made(cli, *options, "--data", "runtime_version=python3.14", "--datastore", "dynamodb")
    folder = cli.folder / "my-hook"
    assert (folder / "src/my_hook/handlers/receive.py").is_file()
    assert project["answers"]["runtime_version"] == "python3.14"
    assert "python3.14" in (folder / "template.yaml").read_text()
    assert "eu-north-1" in (folder / "samconfig.toml").read_text()


def test_the_answers_file_records_where_updates_come_from(cli: Cli) -> None:
    made(cli)
    answers = yaml.safe_load((cli.folder / "scalable-webhook/.copier-answers.yml").read_text())
    assert answers["_src_path"] == template_address()
    version = cli("--version").stdout.split()[1]
    assert answers["_commit"] == f"v{version}"


@pytest.mark.parametrize(
    "answers",
    [
        {"pattern": "scalable-webhook"},
        {"pattern": "fan-out-fan-in", "runtime": "typescript", "iac": "cdk", "datastore": "s3"},
    ],
    ids=lambda answers: answers["pattern"],
)
def test_the_project_is_that_of_plain_copier_without_trust(
    cli: Cli, answers: dict[str, str], tmp_path: Path
) -> None:
    template = tmp_path / "template"
    shutil.copytree(catalog.template_root() / "templates", template / "templates")
    shutil.copy(catalog.template_root() / "copier.yml", template)
    data = [f"--data={question}={answer}" for question, answer in answers.items()]
    (cli.folder / "plain").mkdir()
    subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", *data, template, "plain/hook"],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        check=True,
    )
    options = (f"--{each}={answer}" for each, answer in answers.items() if each != "pattern")
    cli("new", answers["pattern"], "ours/hook", *options)
    ours, plain = tree(cli.folder / "ours"), tree(cli.folder / "plain")
    _, recorded = ours.pop("hook/.copier-answers.yml")
    _, expected = plain.pop("hook/.copier-answers.yml")
    assert ours == plain
    made_from = (b"_commit:", b"_src_path:")
    here = [line for line in recorded.splitlines() if not line.startswith(made_from)]
    assert here == expected.splitlines()


def test_an_empty_folder_is_filled_where_it_is(cli: Cli) -> None:
    before = cli.folder.stat().st_ino
    assert made(cli, ".")["path"] == str(cli.folder)
    assert cli.folder.stat().st_ino == before
    assert (cli.folder / ".git/HEAD").is_file()
    assert not list(cli.folder.glob(".sls-patterns-*"))


def test_parent_folders_are_made_with_the_users_permissions(cli: Cli) -> None:
    made(cli, "a/b/hook")
    reference = cli.folder / "reference"
    reference.mkdir()
    for folder in ("a", "a/b", "a/b/hook"):
        assert (cli.folder / folder).stat().st_mode == reference.stat().st_mode
    assert [entry.name for entry in (cli.folder / "a/b").iterdir()] == ["hook"]


def test_no_parent_folder_stays_after_a_failure(cli: Cli) -> None:
    assert cli("new", "scalable-webhook", "a/b/hook", "--name", "Bad").returncode == 2
    assert not list(cli.folder.iterdir())


def test_it_ends_with_the_tree_the_variant_and_what_comes_next(cli: Cli) -> None:
    done = cli("new", "scalable-webhook", "my hook", "--name", "hook")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "my hook/"
    assert any(line.split()[:2] == ["src/hook/handlers/", "__init__.py"] for line in lines)
    variant = (
        "pattern scalable-webhook, topology function, runtime python, runtime version python3.13, "
        "iac sam, datastore dynamodb, poison named, rollout all-at-once, region us-east-1, "
        "tracing xray, dead letters command"
    )
    assert lines[lines.index(variant) + 1 :][:6] == [
        "Nothing was asked, without a terminal: what was not given has its default.",
        "",
        "Next, after cd 'my hook':",
        "  make test                run the unit tests",
        "  sls-patterns local test  prove it on this machine, without AWS",
        "  make deploy              deploy it to AWS",
    ]


@pytest.fixture
def few_tools(tmp_path: Path) -> Path:
    """A PATH with git, make and python3 alone."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in ("git", "make", "python3"):
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def test_missing_tools_are_named_in_one_line(cli: Cli, few_tools: Path) -> None:
    done = cli("new", "scalable-webhook", "told", PATH=str(few_tools))
    assert done.stdout.splitlines()[-1] == (
        "Not installed, and needed by the project: sam, aws; sls-patterns doctor says how"
    )
    assert made(cli, "asked", PATH=str(few_tools))["missing_tools"] == ["sam", "aws"]
    (few_tools / "sam").symlink_to(sys.executable)
    (few_tools / "aws").symlink_to(sys.executable)
    assert made(cli, "complete", PATH=str(few_tools))["missing_tools"] == []


def test_two_projects_of_the_same_answers_are_the_same(cli: Cli) -> None:
    made(cli, "one/hook")
    made(cli, "two/hook")
    assert tree(cli.folder / "one") == tree(cli.folder / "two")


def test_the_users_settings_for_copier_change_nothing(cli: Cli) -> None:
    settings = Path(cli.environment["HOME"], "settings.yml")
    settings.write_text("defaults: {region: eu-west-1, project_name: [broken")
    assert made(cli, COPIER_SETTINGS_PATH=str(settings))["answers"]["region"] == "us-east-1"
    settings.write_text("defaults: {region: eu-west-1}")
    project = made(cli, "again", COPIER_SETTINGS_PATH=str(settings))
    assert project["answers"]["region"] == "us-east-1"
