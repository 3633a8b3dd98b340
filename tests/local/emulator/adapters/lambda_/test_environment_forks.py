"""Environments of a Python function share what packages hold after their import, and no more."""

import fcntl
import io
import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from local.support import RUNTIME, Client, write

from sls_patterns_cli.local.emulator.adapters.lambda_.environment_forks import Fork
from sls_patterns_cli.local.emulator.runtimes import REQUIREMENTS_FOLDER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

HANDLER = """
import os, tempfile, time
from pathlib import Path
import boto3, package
from package import part

CLIENT = boto3.client("sqs", region_name="eu-west-1")
STARTED_IN = os.getpid()

def handler(event, context):
    if place := event.get("meet_in"):
        (Path(place) / context.aws_request_id).touch()
        while len(list(Path(place).iterdir())) < 2:
            time.sleep(0.05)
    return {
        "process": os.getpid(),
        "started_in": STARTED_IN,
        "imported_in": package.PROCESS,
        "part_imported_in": part.PROCESS,
        "word": package.WORD,
        "log": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        "temporary": tempfile.gettempdir(),
        "random": package.random.random(),
        "threads": package.threading.active_count(),
        "clients_in": boto3.CLIENTS,
    }
"""
BOTO3 = """
import os
CLIENTS = []
def client(service, **options):
    CLIENTS.append(os.getpid())
"""
PACKAGE = """
import os, random, tempfile, threading
PROCESS, WORD = os.getpid(), os.environ["WORD"]
tempfile.gettempdir()
"""
WITHOUT_VARIABLES = """
import os, random, threading
PROCESS, WORD = os.getpid(), ""
"""
THREADED = """
import time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""

TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}

Answers = list[dict[str, Any]]
Function = Callable[..., Answers]


@pytest.fixture
def function(client: Client, tmp_path: Path) -> Function:
    """Return what deploys a function with a package, and gets answers from two environments."""

    def answers(package: str = PACKAGE, boto3: str = BOTO3, **changed: str) -> Answers:
        name = tmp_path.name.replace("_", "-")
        if changed:
            client("lambda").update_function_configuration(
                FunctionName=name, Environment={"Variables": changed}
            )
        else:
            packages = tmp_path / "packages"
            part = "import os\nPROCESS = os.getpid()\n"
            files = {"package/__init__.py": package, "package/part.py": part, "boto3.py": boto3}
            write(packages, files)
            client("lambda").create_function(
                FunctionName=name,
                Runtime=RUNTIME,
                Handler="index.handler",
                Role=client("iam").create_role(
                    RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST)
                )["Role"]["Arn"],
                Timeout=60,
                Environment={"Variables": {"WORD": "first"}},
                Code={"ZipFile": zipped({"index.py": HANDLER, REQUIREMENTS_FOLDER: str(packages)})},
            )
        place = tmp_path / f"meeting-{len(list(tmp_path.iterdir()))}"
        place.mkdir()

        def invoke(_number: int) -> dict[str, Any]:
            payload = json.dumps({"meet_in": str(place)})
            answer = client("lambda").invoke(FunctionName=name, Payload=payload)
            told: dict[str, Any] = json.loads(answer["Payload"].read())
            return told

        with ThreadPoolExecutor(2) as callers:
            return list(callers.map(invoke, range(2)))

    return answers


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_packages_are_imported_once_and_the_function_in_each_environment(
    function: Function,
) -> None:
    one, other = function()

    assert one["imported_in"] == other["imported_in"] == one["part_imported_in"]
    assert one["imported_in"] not in {one["process"], other["process"]}
    assert one["process"] != other["process"]
    for each in (one, other):
        assert each["started_in"] == each["process"]
    for own in ("log", "temporary", "random"):
        assert one[own] != other[own]


def test_what_boto3_knows_of_a_service_is_read_once_and_each_environment_has_a_client_of_its_own(
    function: Function,
) -> None:
    one, other = function()

    assert one["clients_in"] == [(reader := one["clients_in"][0]), one["process"]]
    assert other["clients_in"] == [reader, other["process"]]
    assert reader not in {one["process"], other["process"], one["imported_in"]}


def test_a_client_that_cannot_be_made_is_the_environments_error(function: Function) -> None:
    for each in function(boto3=f"{BOTO3}    raise ValueError(f'no {{service}} in {{options}}')"):
        assert "no sqs in {'region_name': 'eu-west-1'}" in each["errorMessage"]


def test_packages_see_the_variables_of_a_changed_configuration(function: Function) -> None:
    before = function()
    after = function(WORD="second")

    assert {each["word"] for each in before} == {"first"}
    assert {each["word"] for each in after} == {"second"}


def test_functions_share_packages_that_read_no_variable(function: Function) -> None:
    before = function(WITHOUT_VARIABLES)
    after = function(WORD="second")

    assert len({each["imported_in"] for each in before + after}) == 1
    assert len({each["clients_in"][0] for each in before + after}) == 2
    assert len({each["process"] for each in before + after}) == 4


@pytest.mark.parametrize(
    "reads",
    [
        'os.getenv("WORD")',
        '"WORD" in os.environ',
        "os.environ.copy()",
        "[*os.environ]",
        'os.environ["AWS_LAMBDA_FUNCTION_NAME"]',
    ],
)
def test_a_package_that_reads_a_variable_of_the_function_is_its_own(
    function: Function, reads: str
) -> None:
    before = function(f"{WITHOUT_VARIABLES}\n{reads}")
    after = function(WORD="second")

    assert {each["imported_in"] for each in before}.isdisjoint(
        each["imported_in"] for each in after
    )


@pytest.mark.parametrize("variable", ["TZ", "LANG", "LC_ALL"])
def test_a_function_with_another_value_of_what_all_have_has_packages_of_its_own(
    function: Function, variable: str
) -> None:
    before = function(WITHOUT_VARIABLES)
    after = function(**{variable: "Asia/Tokyo"})

    assert {each["imported_in"] for each in before}.isdisjoint(
        each["imported_in"] for each in after
    )


def test_a_package_that_starts_a_thread_does_so_in_each_environment(function: Function) -> None:
    for each in function(PACKAGE + THREADED):
        assert each["threads"] == 2
        assert each["imported_in"] == each["process"]


def test_a_package_that_cannot_be_imported_is_the_environments_error(function: Function) -> None:
    for each in function(f"{PACKAGE}\nraise OSError('no such device')"):
        assert "OSError: no such device" in each["errorMessage"]


BEYOND_SELECT = 1024


@pytest.fixture
def _many_files() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] <= BEYOND_SELECT:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("_many_files")
def test_the_end_of_an_environment_is_seen_however_many_files_are_open() -> None:
    read, theirs = os.pipe()
    ended = fcntl.fcntl(read, fcntl.F_DUPFD_CLOEXEC, BEYOND_SELECT)
    os.close(read)
    standard = [os.open(os.devnull, mode) for mode in (os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)]
    waiting = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, pass_fds=[theirs]) as process:
        os.close(theirs)
        environment = Fork(process.pid, standard, ended)
        before = environment.poll()

        environment.kill()

        assert environment.wait(timeout=10) == environment.poll() == 1
    assert before is None
