"""Bad input is one line that says what is allowed; the exit code is 2 and nothing is written."""

import json
import subprocess
from pathlib import Path

import pytest
from command import Cli

from sls_patterns_cli import catalog

PATTERNS = ", ".join(pattern.slug for pattern in catalog.patterns())
NEW = ("new", "scalable-webhook", "project")
QUESTIONS = (
    "pattern, project_name, topology, external_auth, runtime, runtime_version, iac, datastore, "
    "poison, bodies, auth, rollout, job_rows, tolerated_percentage, region, dashboard, stages, "
    "tracing, parameters, dead_letters"
)
NAME_RULE = (
    "a name has up to 40 lower-case letters, digits and single hyphens, and starts with a letter"
)
BAD_NAMES = (
    *("", "a" * 41, "My_Hook", "two words", "two\nlines", "end\n", "a\ttab", "1st", "a--b", "end-"),
    *(
        "{{ region }}",
        "{% raw %}",
        "$(id)",
        ".",
        "..",
        "../up",
        "a/b",
        "a\\b",
        "C:",
        "café",
        "名前",
    ),
)
RESERVED_NAMES = {
    "json": "a Python module or keyword",
    "aws-cdk": "a Python module or keyword",
    "null": "a value in YAML",
    "on": "a value in YAML",
    "nul": "a device on Windows",
    "com1": "a device on Windows",
}
LINES: dict[tuple[str, ...], str] = {
    ("show", "scalable-webhok"): (
        "unknown pattern 'scalable-webhok'; did you mean scalable-webhook?"
    ),
    ("new", "scalable-webhok"): (
        "unknown pattern 'scalable-webhok'; did you mean scalable-webhook?"
    ),
    ("show", "fan"): "unknown pattern 'fan'; did you mean fan-out-fan-in?",
    ("show", "event"): "unknown pattern 'event'; did you mean eventually-consistent?",
    ("show", "zzz"): f"unknown pattern 'zzz'; choose from: {PATTERNS}",
    ("show", "../../x"): f"unknown pattern '../../x'; choose from: {PATTERNS}",
    ("show",): "Missing argument 'pattern'.",
    ("show", "scalable-webhook", "--topology", "mesh"): (
        "scalable-webhook has no topology 'mesh'; choose from: function, direct"
    ),
    ("show", "scalable-webhook", "--json", "--mermaid"): "--json and --mermaid cannot be combined",
    ("new",): f"which pattern? choose from: {PATTERNS}",
    ("new", "--defaults"): f"which pattern? choose from: {PATTERNS}",
    (*NEW, "--datastore", "mysql"): (
        "--datastore: 'mysql' is not offered; choose from: dynamodb, aurora-postgresql"
    ),
    (*NEW, "--data", "datastore=mysql"): (
        "--data datastore: 'mysql' is not offered; choose from: dynamodb, aurora-postgresql"
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
    (*NEW, "--topology", "mesh"): (
        "--topology: 'mesh' is not offered; choose from: function, direct"
    ),
    (*NEW, "--iac", "pulumi"): "--iac: 'pulumi' is not offered; choose from: sam, cdk",
    **{(*NEW, "--name", name): f"--name: {NAME_RULE}" for name in BAD_NAMES},
    (*NEW, "--name=-hook"): f"--name: {NAME_RULE}",
    **{
        (*NEW, "--name", name): f"--name: {name} is the name of {what}"
        for name, what in RESERVED_NAMES.items()
    },
    (*NEW, "--data", "colour=red"): (
        f"--data colour is not a question; the questions are: {QUESTIONS}"
    ),
    (*NEW, "--data", "package=x"): (
        f"--data package is not a question; the questions are: {QUESTIONS}"
    ),
    (*NEW, "--data", "_commit=v9"): (
        f"--data _commit is not a question; the questions are: {QUESTIONS}"
    ),
    **{
        (*NEW, "--data", f"parameters={answer}"): (
            f"--data parameters: {answer!r} is not a list of names, such as [one, another]"
        )
        for answer in ("concurrency", "", "[concurrency", "{concurrency: 1}", "[[concurrency]]")
    },
    (*NEW, "--data", "parameters=[concurrency, currency]"): (
        "--data parameters: 'currency' is not offered; "
        "choose from: domain, concurrency, kms, retention, email, boundary"
    ),
    (*NEW, "--data", "parameters=[capacity]"): (
        "--data parameters: 'capacity' is not offered; "
        "choose from: domain, concurrency, kms, retention, email, boundary"
    ),
    **{
        ("new", "fan-out-fan-in", "project", "--data", f"tolerated_percentage={answer}"): (
            f"--data tolerated_percentage: {answer} is not a percentage that may fail; "
            "choose a whole number from 0 to 99"
        )
        for answer in ("-1", "100", "x", "1.5", "1" * 5_000)
    },
    ("new", "fan-out-fan-in", "project", "--data", "job_rows=xml"): (
        "--data job_rows: 'xml' is not offered; choose from: json-lines, csv"
    ),
    (*NEW, "--data", "job_rows=csv"): (
        "--data job_rows: 'csv' is not offered; choose from: json-lines"
    ),
    (*NEW, "--data", "tolerated_percentage=10"): (
        "--data tolerated_percentage is not asked for with these answers"
    ),
    (*NEW, "--data", "region"): "--data 'region' is not of the form KEY=VALUE",
    (*NEW, "--data", "=us-east-1"): "--data '=us-east-1' is not of the form KEY=VALUE",
    (*NEW, "--data", ""): "--data '' is not of the form KEY=VALUE",
    (*NEW, "--region", "us-east-1", "--data", "region=us-east-1"): (
        "--data region and --region answer the same question"
    ),
    (*NEW, "--name", "hooks-e2e"): (
        "--name: hooks-e2e is not a name for a service: only the stacks of proofs end in -e2e, "
        "and they are not protected from deletion"
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


@pytest.mark.parametrize("region", ["mars-1", "", "us-east-1\n", "US-EAST-1", "us-east-1a"])
def test_an_unknown_region_is_refused_with_those_there_are(cli: Cli, region: str) -> None:
    done = cli(*NEW, "--region", region)
    line = f"sls-patterns: --region: {region}".rstrip()
    assert done.stderr.startswith(f"{line} is not an AWS region; choose from: ")
    assert " eu-central-1," in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert everything_in(cli.folder) == []


@pytest.mark.parametrize(
    ("pattern", "topology"),
    [(each.slug, topology.name) for each in catalog.patterns() for topology in each.topologies],
)
def test_a_datastore_that_the_topology_does_not_offer_is_refused(
    cli: Cli, pattern: str, topology: str
) -> None:
    offered = catalog.pattern(pattern).topology(topology).datastores
    datastore = next(each for each in catalog.vocabulary().datastores if each not in offered)
    arguments = ("--topology", topology, "--datastore", datastore)
    done = cli("new", pattern, "project", *arguments)
    there = ", ".join(offered)
    assert done.stderr == (
        f"sls-patterns: --datastore: {datastore!r} is not offered; choose from: {there}\n"
    )
    assert done.returncode == 2
    assert everything_in(cli.folder) == []


def test_a_repository_that_was_just_cloned_is_a_free_destination(cli: Cli) -> None:
    subprocess.run(["git", "init", "--quiet", "clone"], cwd=cli.folder, check=True)

    done = cli("new", "scalable-webhook", "clone", "--defaults")

    assert done.returncode == 0, done.stderr
    assert (cli.folder / "clone/template.yaml").is_file()
    assert (cli.folder / "clone/.git/HEAD").is_file()


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
        ("file/deeper/x",): f"{folder}/file is a file, so no folder can be created in it",
        ("full",): f"{folder}/full is not empty",
        (".",): f"{folder} is not empty",
        ("dangling",): f"{folder}/dangling is a link that leads nowhere",
        (): f"{folder}/scalable-webhook is not empty",
        ("x" * 300,): f"{folder}/{'x' * 300}: File name too long",
    }.items():
        done = cli("new", "scalable-webhook", *arguments)
        assert (done.returncode, done.stderr) == (2, f"sls-patterns: {line}\n")
        assert everything_in(folder) == before


def on_a_file_system(cli: Cli, options: str, *arguments: str) -> tuple[str, str, list[str]]:
    """Run it in a small file system: its exit code, what it said, and what is there afterwards."""
    script = """
        mount -t tmpfs -o "$1" none . || exit 77
        cd . && shift
        "$@" > /dev/null
        echo $? && ls -A
    """
    command = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", options)
    try:
        done = Cli(cli.folder, cli.environment, (*command, *cli.command))(*arguments)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if not done.stdout:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    code, *there = done.stdout.split()
    return code, done.stderr, there


def test_a_read_only_file_system_is_refused(cli: Cli) -> None:
    code, said, there = on_a_file_system(cli, "ro", *NEW)
    assert (code, there) == ("2", [])
    assert said == f"sls-patterns: {cli.folder} is not writable\n"


@pytest.mark.parametrize("size", ["4k", "40k", "80k", "120k"])
def test_a_full_disk_is_one_line_and_leaves_nothing(cli: Cli, size: str) -> None:
    code, said, there = on_a_file_system(cli, f"size={size}", *NEW, "--name", "hook", "--no-git")
    assert (code, there) == ("1", [])
    assert said == f"sls-patterns: {cli.folder}/project: No space left on device\n"


@pytest.mark.parametrize("size", ["340k", "380k", "440k"])
def test_a_disk_too_small_for_the_repository_keeps_the_project(cli: Cli, size: str) -> None:
    code, said, there = on_a_file_system(cli, f"size={size}", *NEW)
    assert (code, said, there) == ("0", "", ["project"])


@pytest.mark.parametrize("command", [("list",), ("show", "scalable-webhook", "--json"), NEW])
def test_an_output_that_cannot_be_written_is_one_line(cli: Cli, command: tuple[str, ...]) -> None:
    done = cli.in_a_shell("> /dev/full", *command)
    assert done.stderr == ("sls-patterns: cannot write: No space left on device\n")
    assert done.returncode == 1


@pytest.mark.parametrize("command", [("list",), ("show", "scalable-webhook", "--json"), NEW])
def test_a_reader_that_has_seen_enough_hears_no_complaint(
    cli: Cli, command: tuple[str, ...]
) -> None:
    done = cli.in_a_shell("| true", *command)
    assert done.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(cli: Cli, closed: str) -> None:
    done = cli.in_a_shell(closed, *NEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert (cli.folder / "project/.git/HEAD").is_file()
    refused = cli.in_a_shell(closed, "nwe")
    assert refused.returncode == 2
    assert refused.stdout == ""


@pytest.mark.parametrize("utf8", ["0", "1"])
def test_what_is_not_ascii_works_under_the_c_locale(cli: Cli, utf8: str) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0"}
    refused = cli("new", "scalable-webhook", "café", "--name", "café", **locale)
    assert (refused.returncode, refused.stderr) == (2, f"sls-patterns: --name: {NAME_RULE}\n")
    assert everything_in(cli.folder) == []
    done = cli("new", "scalable-webhook", "café", **locale)
    assert (done.returncode, done.stderr) == (0, "")
    assert (cli.folder / "café/template.yaml").is_file()
    in_the_way = cli("new", "scalable-webhook", "café", **locale)
    assert in_the_way.returncode == 2
    assert in_the_way.stderr.endswith(" is not empty\n")


def test_a_folder_that_cannot_be_written_is_refused(cli: Cli) -> None:
    # /proc takes no folders from anybody, root included.
    done = cli("new", "scalable-webhook", "/proc/project")
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("sls-patterns: /proc")
    assert done.stderr.count("\n") == 1


def test_a_project_is_reported_from_a_folder_that_was_deleted(cli: Cli) -> None:
    project = cli.folder.parent / "project"
    made = f'"{cli.command[0]}" -m sls_patterns_cli new scalable-webhook "{project}" --defaults'
    status = f'"{cli.command[0]}" -m sls_patterns_cli status "{project}"'
    command = f'rmdir "$PWD" && {made} && {status}'
    done = Cli(cli.folder, cli.environment, ("sh", "-c", command))()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"cd {project}" in done.stdout
    cli.folder.mkdir()


def test_a_file_that_is_in_the_way_is_one_line(cli: Cli) -> None:
    assert cli("new", "scalable-webhook", "project").returncode == 0
    (cli.folder / "project/.sls-patterns").write_text("not a folder")
    done = cli("local", "test", "project")
    assert done.returncode == 1
    assert done.stderr.endswith(": Not a directory\n")
    assert done.stderr.count("\n") == 1


def test_a_folder_whose_name_looks_like_an_option_is_named_as_a_folder(cli: Cli) -> None:
    done = cli("new", "scalable-webhook", "--", "-folder")
    assert "cd ./-folder" in done.stdout


def test_json_is_ascii_where_the_output_takes_nothing_else(cli: Cli) -> None:
    done = cli("new", "scalable-webhook", "café", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["path"] == str(cli.folder / "café")


def test_a_deleted_current_folder_is_one_line(cli: Cli) -> None:
    command = f'rmdir "$PWD" && exec "{cli.command[0]}" -m sls_patterns_cli new scalable-webhook'
    for destination in ("", " project"):
        cli.folder.mkdir(exist_ok=True)
        done = Cli(cli.folder, cli.environment, ("sh", "-c", command + destination))()
        assert done.stderr == "sls-patterns: the current folder no longer exists\n"
        assert done.returncode == 2
