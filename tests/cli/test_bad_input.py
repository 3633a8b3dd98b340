"""Bad input is one line that says what is allowed; the exit code is 2 and nothing is written."""

from pathlib import Path

import pytest
from command import Cli

NEW = ("new", "scalable-webhook", "project")
QUESTIONS = "pattern, project_name, topology, runtime, runtime_version, iac, datastore, region"
NAME_RULE = (
    "a name has up to 40 lower-case letters, digits and single hyphens, and starts with a letter"
)
LINES = {
    ("show", "scalable-webhok"): (
        "unknown pattern 'scalable-webhok'; did you mean scalable-webhook?"
    ),
    ("new", "scalable-webhok"): (
        "unknown pattern 'scalable-webhok'; did you mean scalable-webhook?"
    ),
    ("show", "zzz"): "unknown pattern 'zzz'; choose from: scalable-webhook",
    ("show", "../../x"): "unknown pattern '../../x'; choose from: scalable-webhook",
    ("show",): "Missing argument 'pattern'.",
    ("show", "scalable-webhook", "--topology", "mesh"): (
        "scalable-webhook has no topology 'mesh'; choose from: function"
    ),
    ("show", "scalable-webhook", "--json", "--mermaid"): "--json and --mermaid exclude each other",
    ("new",): "which pattern? choose from: scalable-webhook",
    ("new", "--defaults"): "which pattern? choose from: scalable-webhook",
    (*NEW, "--datastore", "mysql"): ("--datastore: 'mysql' is not offered; choose from: dynamodb"),
    (*NEW, "--data", "datastore=mysql"): (
        "--data datastore: 'mysql' is not offered; choose from: dynamodb"
    ),
    (*NEW, "--runtime", "cobol"): (
        "--runtime: 'cobol' is not offered; choose from: python, typescript"
    ),
    (*NEW, "--runtime", "typescript", "--runtime-version", "nodejs20.x"): (
        "--runtime-version: 'nodejs20.x' is not offered; choose from: nodejs24.x, nodejs22.x"
    ),
    (*NEW, "--runtime", "typescript", "--runtime-version", "python3.13"): (
        "--runtime-version: 'python3.13' is not offered; choose from: nodejs24.x, nodejs22.x"
    ),
    (*NEW, "--runtime-version", "python2.7"): (
        "--runtime-version: 'python2.7' is not offered; "
        "choose from: python3.13, python3.14, python3.12"
    ),
    (*NEW, "--topology", "mesh"): "--topology: 'mesh' is not offered; choose from: function",
    (*NEW, "--iac", "pulumi"): "--iac: 'pulumi' is not offered; choose from: sam, cdk",
    (*NEW, "--name", "My_Hook"): f"--name: {NAME_RULE}",
    (*NEW, "--name", ""): f"--name: {NAME_RULE}",
    (*NEW, "--name", "two\nlines"): f"--name: {NAME_RULE}",
    (*NEW, "--name", "json"): "--name: json is the name of a Python module or keyword",
    (*NEW, "--data", "colour=red"): (
        f"--data colour is no question; the questions are: {QUESTIONS}"
    ),
    (*NEW, "--data", "package=x"): (
        f"--data package is no question; the questions are: {QUESTIONS}"
    ),
    (*NEW, "--data", "_commit=v9"): (
        f"--data _commit is no question; the questions are: {QUESTIONS}"
    ),
    (*NEW, "--data", "region"): "--data 'region' is not of the form KEY=VALUE",
    (*NEW, "--region", "us-east-1", "--data", "region=us-east-1"): (
        "--data region and --region answer the same question"
    ),
    (*NEW, "surplus"): "Got unexpected extra argument(s) (surplus)",
    (*NEW, "--colour"): "No such option: --colour",
    ("nwe",): "No such command 'nwe'. Did you mean 'new'?",
    ("local",): "Missing command.",
}


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("arguments", LINES, ids=" ".join)
def test_bad_input_is_one_line(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.stderr == f"sls-patterns: {LINES[arguments]}\n"
    assert (done.returncode, done.stdout) == (2, "")
    assert everything_in(cli.folder) == []


def test_an_unknown_region_is_refused_with_those_there_are(cli: Cli) -> None:
    done = cli(*NEW, "--region", "mars-1")
    assert done.stderr.startswith("sls-patterns: --region: mars-1 is no AWS region; one of: ")
    assert " eu-central-1," in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert everything_in(cli.folder) == []


def test_a_destination_that_is_not_free_is_refused(cli: Cli) -> None:
    (cli.folder / "file").write_text("mine")
    (cli.folder / "full").mkdir()
    (cli.folder / "full/file").write_text("mine")
    (cli.folder / "dangling").symlink_to("nowhere")
    (cli.folder / "scalable-webhook").symlink_to("full")
    before = everything_in(cli.folder)
    folder = cli.folder
    for arguments, line in {
        ("file",): f"{folder}/file is a file",
        ("file/deeper/x",): f"{folder}/file is a file, so nothing can be made in it",
        ("full",): f"{folder}/full is not empty",
        (".",): f"{folder} is not empty",
        ("dangling",): f"{folder}/dangling is a file",
        (): f"{folder}/scalable-webhook is not empty",
        ("x" * 300,): f"{folder}/{'x' * 300}: File name too long",
    }.items():
        done = cli("new", "scalable-webhook", *arguments)
        assert (done.returncode, done.stderr) == (2, f"sls-patterns: {line}\n")
        assert everything_in(folder) == before


def test_a_folder_that_cannot_be_written_is_refused(cli: Cli) -> None:
    # /proc takes no folders from anybody, root included.
    done = cli("new", "scalable-webhook", "/proc/project")
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("sls-patterns: /proc")
    assert done.stderr.count("\n") == 1


def test_a_deleted_current_folder_is_one_line(cli: Cli) -> None:
    command = f'rmdir "$PWD" && exec "{cli.command[0]}" -m sls_patterns_cli new scalable-webhook'
    for destination in ("", " project"):
        cli.folder.mkdir(exist_ok=True)
        done = Cli(cli.folder, cli.environment, ("sh", "-c", command + destination))()
        assert done.stderr == "sls-patterns: the current folder does not exist any more\n"
        assert done.returncode == 2
