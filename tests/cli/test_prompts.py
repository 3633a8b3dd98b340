"""In a terminal `new` asks what is missing."""

import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pexpect
import pytest
import yaml
from command import Cli

from sls_patterns_cli import catalog

CLEAR_LINE = "\x15"
ENTER = "\r"
DOWN = "\x1b[B"
CTRL_C = "\x03"
CTRL_D = "\x04"

ANSWERS: dict[str, tuple[str, ...]] = {
    "Which pattern": ("scalable-webhook", "a/b"),
    "project's name": ("--name", "hook"),
    "Which topology": ("--topology", "function"),
    "Which runtime": ("--runtime", "python"),
    "Which version": ("--runtime-version", "python3.13"),
    "Which IaC flavour": ("--iac", "sam"),
    "Which datastore": ("--datastore", "dynamodb"),
    "change functions": ("--data", "rollout=all-at-once"),
    "Which AWS region": ("--region", "us-east-1"),
    "have a dashboard": ("--data", "dashboard=false"),
    "Should stages": ("--data", "stages=false"),
    "Should requests be traced": ("--data", "tracing=xray"),
    "optional parameters": ("--data", "parameters=[]"),
}


DROPPING = """
import os, signal, time
from sls_patterns_cli.system import interrupts

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

with interrupts.handled(), interrupts.allowed():
    Dropped()
    time.sleep(60)
"""


def terminal(cli: Cli, *arguments: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        cli.command[0],
        [*cli.command[1:], *arguments],
        cwd=str(cli.folder),
        env=cli.environment | {"TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8",
        dimensions=(50, 150),
        timeout=30,
    )


def code(process: "pexpect.spawn[str]") -> int | None:
    process.expect(pexpect.EOF)
    process.close()
    ended: int | None = process.exitstatus
    return ended


def answers(folder: Path) -> dict[str, str | bool]:
    loaded: dict[str, str | bool] = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    return loaded


def test_everything_missing_is_asked_for(cli: Cli) -> None:
    process = terminal(cli, "new")
    process.expect("Which pattern")
    process.send(DOWN + ENTER)
    process.expect("project's name")
    process.send(CLEAR_LINE + "asked-for" + ENTER)
    process.expect("Which topology")
    process.send(ENTER)
    process.expect("Which runtime")
    process.send(DOWN + ENTER)
    process.expect("Which version")
    process.send(ENTER)
    process.expect("Which IaC flavour")
    process.send(ENTER)
    process.expect("Which datastore")
    process.send(DOWN + ENTER)
    process.expect("change functions")
    process.send(ENTER)
    process.expect("Which AWS region")
    process.send(CLEAR_LINE + "eu-west-1" + ENTER)
    process.expect("have a dashboard")
    process.send("y" + ENTER)
    process.expect("Should stages")
    process.send(ENTER)
    process.expect("Should requests be traced")
    process.send(ENTER)
    process.expect("optional parameters")
    process.send(ENTER)
    process.expect("answers right")
    process.send(ENTER)
    process.expect("Next, after cd asked-for")
    assert code(process) == 0
    made = answers(cli.folder / "asked-for")
    assert made["dashboard"] is True
    assert (made["pattern"], made["region"]) == ("scalable-webhook", "eu-west-1")
    assert (made["runtime"], made["runtime_version"]) == ("typescript", "nodejs24.x")
    assert made["datastore"] == "aurora-postgresql"


def test_a_wrong_answer_is_refused_in_the_prompt(cli: Cli) -> None:
    given = dict(ANSWERS)
    given["Which pattern"] = ("scalable-webhook",)
    del given["project's name"], given["Which AWS region"]
    process = terminal(cli, "new", *chain(*given.values()))
    process.expect("project's name")
    process.send(CLEAR_LINE + "Wrong_Name" + ENTER)
    process.expect("lower-case letters")
    process.send(CLEAR_LINE + "right-name" + ENTER)
    process.expect("Which AWS region")
    process.send(ENTER)
    process.expect("answers right")
    process.send(ENTER)
    assert code(process) == 0
    assert answers(cli.folder / "right-name")["project_name"] == "right-name"


def test_what_is_given_is_not_asked_for(cli: Cli) -> None:
    process = terminal(cli, "new", *chain(*ANSWERS.values()))
    process.expect("Next, after cd a/b")
    assert code(process) == 0


def test_defaults_ask_nothing(cli: Cli) -> None:
    process = terminal(cli, "new", "scalable-webhook", "--defaults")
    process.expect("Next, after cd scalable-webhook")
    assert code(process) == 0


def asked() -> list[str]:
    """The questions that are asked: those that leave a choice."""
    pattern = catalog.pattern("scalable-webhook")
    offered = {
        "Which topology": pattern.offered,
        "Which runtime": pattern.runtimes,
        "Which IaC flavour": pattern.flavours,
        "Which datastore": pattern.topologies[0].datastores,
    }
    return [question for question in ANSWERS if len(offered.get(question, "any")) > 1]


@pytest.mark.parametrize("question", asked())
def test_ctrl_c_in_a_prompt_leaves_nothing(cli: Cli, question: str) -> None:
    others = (answer for asked, answer in ANSWERS.items() if asked != question)
    process = terminal(cli, "new", *chain(*others))
    process.expect(question)
    process.send(CTRL_C)
    process.expect(pexpect.EOF)
    assert "Traceback" not in (process.before or "")
    assert code(process) == 130
    assert not list(cli.folder.iterdir())


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("Which pattern", signal.SIGTERM),
        ("Which pattern", signal.SIGHUP),
        ("project's name", signal.SIGINT),
        ("project's name", signal.SIGTERM),
        ("project's name", signal.SIGHUP),
    ],
)
def test_a_signal_in_a_prompt_leaves_nothing(
    cli: Cli, question: str, number: signal.Signals
) -> None:
    pattern = [] if question == "Which pattern" else ["scalable-webhook", "a/b"]
    process = terminal(cli, "new", *pattern)
    process.expect(question)
    process.kill(number)
    process.expect(pexpect.EOF)
    assert "Traceback" not in (process.before or "")
    assert code(process) == 128 + number
    assert not list(cli.folder.iterdir())


def test_a_signal_that_meets_a_finalizer_is_not_lost() -> None:
    """Python drops what is raised in one; a prompt waited for ever after that, once in a while."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPING], capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, b"", b"")


def test_an_ended_input_is_one_line(cli: Cli) -> None:
    process = terminal(cli, "new", "scalable-webhook")
    process.expect("project's name")
    process.send(CLEAR_LINE + CTRL_D)
    process.expect(
        "sls-patterns: the input ended before the last question; give the answers as options"
    )
    assert code(process) == 2
    assert not list(cli.folder.iterdir())


def test_a_destination_in_the_way_is_refused_before_any_question(cli: Cli) -> None:
    (cli.folder / "full").mkdir()
    (cli.folder / "full/file").touch()
    process = terminal(cli, "new", "scalable-webhook", "full")
    index = process.expect(["full is not empty", "project's name"])
    assert index == 0
    assert code(process) == 2
