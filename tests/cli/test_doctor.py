"""`doctor` says what this machine and a project lack, and how to mend it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Cli, without_extras

SECRET = "ThisIsTheSecretOfNobody"  # noqa: S105 - looked for in what is printed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with git and make alone, to which tests add programs of any version."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("git", "make"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def add(path: Path, **versions: str) -> None:
    for name, version in versions.items():
        program = path / name
        program.write_text(f'#!/bin/sh\necho "{version}"\n')
        program.chmod(0o755)


def findings(cli: Cli, *arguments: str, **environment: str) -> dict[str, dict[str, Any]]:
    done = cli("doctor", *arguments, "--json", **environment)
    report = json.loads(done.stdout)
    assert report["ok"] is (done.returncode == 0)
    return {each["name"]: each for each in report["findings"]}


def test_without_a_project_only_what_no_project_can_do_without_has_to_be_mended(
    cli: Cli, path: Path
) -> None:
    found = findings(cli, PATH=str(path))

    assert {each["state"] for each in found.values()} == {"ok", "note"}
    assert found["sam"]["found"].startswith("not installed")
    assert found["docker"]["state"] == "ok"
    (path / "git").unlink()
    assert findings(cli, PATH=str(path))["git"]["state"] == "mend"


@pytest.mark.parametrize(
    ("answers", "programs", "lacking"),
    [
        (["python", "sam"], {}, {"python3", "sam", "aws"}),
        (["python", "cdk"], {"python3": "3.13.1"}, {"node", "npx", "aws"}),
        (["typescript", "sam"], {"aws": "aws-cli/2.1.0", "sam": "1.2.3"}, {"node", "npm"}),
        (["typescript", "cdk"], {"node": "v24.1.0", "npm": "11.0.0"}, {"npx", "aws"}),
    ],
    ids=["python-sam", "python-cdk", "typescript-sam", "typescript-cdk"],
)
def test_a_project_lacks_what_its_runtime_and_flavour_need(
    answers: list[str], programs: dict[str, str], lacking: set[str], cli: Cli, path: Path
) -> None:
    runtime, iac = answers
    assert cli("new", "notifier", "here", "--runtime", runtime, "--iac", iac).returncode == 0
    add(path, **programs)

    found = findings(cli, "here", PATH=str(path))

    assert {name for name, each in found.items() if each["state"] == "mend"} == lacking
    assert all(found[name]["mend"] for name in lacking)


@pytest.mark.parametrize(
    ("answers", "oldest"), [(["typescript", "sam"], 24), (["python", "cdk"], 22)]
)
def test_an_older_node_is_told_and_the_oldest_that_will_do_is_not(
    answers: list[str], oldest: int, cli: Cli, path: Path
) -> None:
    runtime, iac = answers
    assert cli("new", "notifier", "here", "--runtime", runtime, "--iac", iac).returncode == 0
    add(path, node=f"v{oldest - 1}.9.9")
    assert (
        f"node {oldest} or newer is needed"
        in findings(cli, "here", PATH=str(path))["node"]["found"]
    )
    add(path, node=f"v{oldest}.0.0")
    assert findings(cli, "here", PATH=str(path))["node"]["state"] == "ok"


def test_another_python_than_the_functions_have_is_told(cli: Cli, path: Path) -> None:
    assert cli("new", "notifier", "here").returncode == 0
    add(path, python3="Python 3.11.2")
    assert findings(cli, "here", PATH=str(path))["python3.13"]["state"] == "note"
    add(path, **{"python3.13": "Python 3.13.0"})
    assert "python3.13" not in findings(cli, "here", PATH=str(path))
    (path / "python3.13").unlink()
    add(path, python3="Python 3.13.0")
    assert "python3.13" not in findings(cli, "here", PATH=str(path))


def test_a_project_is_found_from_a_folder_below_it(cli: Cli, path: Path) -> None:
    assert cli("new", "notifier", "here", "--region", "eu-west-1").returncode == 0
    below = Cli(cli.folder / "here/tests", cli.environment)
    assert findings(below, PATH=str(path))["region"]["found"].startswith("eu-west-1")


def test_the_lock_file_of_a_project_is_asked_for_until_it_is_there(cli: Cli, path: Path) -> None:
    assert cli("new", "notifier", "here").returncode == 0
    assert findings(cli, "here", PATH=str(path))["src/requirements.lock"]["state"] == "note"
    (cli.folder / "here/src/requirements.lock").touch()
    assert findings(cli, "here", PATH=str(path))["src/requirements.lock"]["state"] == "ok"


@pytest.mark.parametrize(
    ("version", "state"), [("v0.6.0", "note"), ("v99.0.0", "mend"), ("main", "note")]
)
def test_the_age_of_a_project_is_told(version: str, state: str, cli: Cli, path: Path) -> None:
    assert cli("new", "notifier", "here").returncode == 0
    assert findings(cli, "here", PATH=str(path))["template"]["state"] == "ok"
    answers = cli.folder / "here/.copier-answers.yml"
    lines = answers.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("_commit")]
    answers.write_text("\n".join([*kept, f"_commit: {version}"]))
    assert findings(cli, "here", PATH=str(path))["template"]["state"] == state


@pytest.mark.parametrize(
    ("files", "environment", "found"),
    [
        ({}, {}, "none for the profile default"),
        ({"credentials": f"[default]\naws_secret_access_key={SECRET}\n"}, {}, "profile default"),
        (
            {"config": f"[profile work]\nsso_session={SECRET}\n"},
            {"AWS_PROFILE": "work"},
            "profile work",
        ),
        ({"config": f"[profile work]\nsso_session={SECRET}\n"}, {}, "none for the profile default"),
        ({"config": f"broken {SECRET}"}, {}, "none for the profile default"),
        ({}, {"AWS_ACCESS_KEY_ID": SECRET}, "in the environment"),
    ],
)
def test_credentials_are_found_and_nothing_of_them_is_printed(
    files: dict[str, str], environment: dict[str, str], found: str, cli: Cli, path: Path
) -> None:
    home = Path(cli.environment["HOME"], ".aws")
    home.mkdir()
    for name, text in files.items():
        (home / name).write_text(text)
    without = Cli(
        cli.folder, {k: v for k, v in cli.environment.items() if not k.startswith("AWS_")}
    )
    told = findings(without, PATH=str(path), **environment)
    assert told["credentials"]["found"].startswith(found)
    assert SECRET not in without("doctor", PATH=str(path), **environment).stdout


def test_extras_that_are_not_installed_are_named(cli: Cli, tmp_path: Path) -> None:
    found = findings(cli, **without_extras(tmp_path))
    assert {name for name in found if name.startswith("[") and found[name]["mend"]} == {
        "[check]",
        "[letters]",
        "[local]",
    }


def test_a_person_reads_what_to_do(cli: Cli, path: Path) -> None:
    assert cli("new", "notifier", "here").returncode == 0
    done = cli("doctor", "here", PATH=str(path))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "The project in here"
    assert any("MEND  sam" in line for line in lines)
    assert lines[-1] == "3 to mend"


def test_a_broken_project_is_one_line(cli: Cli) -> None:
    (cli.folder / ".copier-answers.yml").write_text("[")
    done = cli("doctor")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
