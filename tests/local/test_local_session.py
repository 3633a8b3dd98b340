"""`test` and `up` on a whole small project: what they show, and that they leave nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local.processes import alive, descendants
from local.support import wait_until, write

from sls_patterns_cli.local import session
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.terminal.progress import Progress

GREETED = """
import os, urllib.request
import boto3

def greeting():
    stack = boto3.client("cloudformation").describe_stacks(StackName=os.environ["STACK_NAME"])
    url = stack["Stacks"][0]["Outputs"][0]["OutputValue"]
    return urllib.request.urlopen(f"{url}/greeting").read()

def test_greeted():
    assert greeting() == b"hello from iniconfig"
"""
PROJECT = {
    ".copier-answers.yml": """
pattern: scalable-webhook
project_name: greeter
runtime: python
runtime_version: python3.13
iac: sam
region: eu-west-1
""",
    "template.yaml": """
Transform: AWS::Serverless-2016-10-31
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Runtime: python3.13
      Handler: greeter.handlers.greet.handler
      Events: {Greet: {Type: HttpApi, Properties: {Method: GET, Path: /greeting}}}
Outputs: {ApiUrl: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}}
""",
    "src/requirements.txt": "iniconfig==2.1.0\n",
    "src/greeter/handlers/greet.py": """
import iniconfig

def handler(event, context):
    print("greeting somebody")
    return {"statusCode": 200, "body": f"hello from {iniconfig.__name__}"}
""",
    "requirements-dev.txt": "-r src/requirements.txt\nboto3\npytest\n",
    "tests/e2e/test_proofs.py": GREETED
    + """
import time

def test_refused():
    assert greeting() == b"nothing"

def test_endless():
    print("waiting", flush=True)
    time.sleep(600)
""",
}

PROGRAM = """
import sys
from pathlib import Path
from sls_patterns_cli.local import session
sys.exit(getattr(session, sys.argv[1])(Path(sys.argv[2]), sys.argv[3:]))
"""

UP = """
import sys
from pathlib import Path
from sls_patterns_cli.local import session
sys.exit(session.up(Path(sys.argv[1]), [("Greet", 'curl "$ApiUrl/greeting"')]))
"""


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("greeter")
    write(root, PROJECT)
    return root


@pytest.fixture
def started() -> Iterator[Any]:
    """Starts our program in a process (group) of its own, and ends it at the end of the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": tether.package_path()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError("\n".join(lines))


def test_the_exit_code_is_that_of_the_proofs(
    greeter: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = descendants(os.getpid())
    lines: list[str] = []
    passed = session.test(
        greeter, ["tests/e2e/test_proofs.py::test_greeted", "-q"], Progress(lines.append)
    )
    failed = session.test(greeter, ["-k", "refused", "-q"], Progress(lambda _line: None))
    nothing = session.test(
        greeter, ["tests/e2e", "-k", "no_such_proof"], Progress(lambda _line: None)
    )
    assert (passed, failed, nothing) == (0, 1, 5)
    assert not [child for child in descendants(os.getpid()) - before if alive(child)]
    assert "1 passed" in capfd.readouterr().out
    assert any(line.startswith("Installing src/requirements.txt") for line in lines)
    assert any(line.startswith("Local AWS at http://127.0.0.1:") for line in lines)
    assert any(line.startswith("Deployed greeter: ") for line in lines)


def test_a_second_run_installs_nothing(greeter: Path) -> None:
    lines: list[str] = []
    session.test(greeter, ["tests/e2e", "-k", "greeted", "-q"], Progress(lines.append))
    lines.clear()
    session.test(greeter, ["tests/e2e", "-k", "greeted", "-q"], Progress(lines.append))
    assert not any("Installing" in line for line in lines)


def test_the_users_configuration_of_aws_and_of_proxies_is_left_alone(
    greeter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_PROFILE", "nobody"), ("HTTP_PROXY", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    before = dict(os.environ)
    quiet = Progress(lambda _line: None)
    assert session.test(greeter, ["tests/e2e", "-k", "greeted", "-q"], quiet) == 0
    assert dict(os.environ) == before


def test_up_ends_when_nobody_reads_its_lines_any_more(greeter: Path, started: Any) -> None:
    process = started(UP, str(greeter))
    shown = read_until(process, "Ctrl-C stops everything")
    children = descendants(process.pid)
    process.stdout.close()
    script = "\n".join(line for line in shown if line.startswith(("export ", "curl ")))
    subprocess.run(["sh", "-c", script], capture_output=True, check=True, env=os.environ)
    assert process.wait(20) == 1
    assert not [child for child in children if alive(child)]


def test_up_shows_addresses_and_examples_follows_logs_and_ends_with_ctrl_c(
    greeter: Path, started: Any
) -> None:
    process = started(UP, str(greeter))
    shown = read_until(process, "Ctrl-C stops everything")
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in shown if line.startswith("export ")
    )
    assert exports["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert shown[shown.index("# Greet") + 1] == 'curl "$ApiUrl/greeting"'

    script = "\n".join(line for line in shown if line.startswith(("export ", "curl ")))
    called = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert called.stdout == "hello from iniconfig"
    assert "[Greet] greeting somebody" in read_until(process, "greeting somebody")[-1]

    children = descendants(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not [child for child in children if alive(child)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_up_and_leaves_nothing(
    greeter: Path, started: Any, number: signal.Signals
) -> None:
    process = started(UP, str(greeter))
    read_until(process, "Ctrl-C stops everything")
    children = descendants(process.pid)
    process.send_signal(number)
    assert process.wait(20) == 0
    assert not [child for child in children if alive(child)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_during_the_proofs_leaves_nothing(
    greeter: Path, started: Any, number: signal.Signals
) -> None:
    process = started(PROGRAM, "test", str(greeter), "tests/e2e", "-k", "endless", "-s")
    read_until(process, "waiting")
    children = descendants(process.pid)
    assert len(children) >= 3  # the emulator, the supervisor, the proofs

    process.send_signal(number)
    code = process.wait(20)

    assert code == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: not [child for child in children if alive(child)])
