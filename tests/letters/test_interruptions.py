"""A redrive that is killed or interrupted anywhere loses nothing and doubles one letter at most."""

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import proxy
from letters.test_deployed import YAML, Create, create
from local.support import Client, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

EVERY_STEP = [
    pytest.param(
        f"{when} {action}", marks=[] if action == "SendMessage" else pytest.mark.exhaustive
    )
    for action in ("ReceiveMessage", "SendMessage", "DeleteMessage")
    for when in ("before", "after")
]
SENT = [f"letter {number}" for number in range(4)]
ONE_BY_ONE = ("redrive", "--older-than", "0s", "--yes")


@pytest.fixture
def queues(create: Create, client: Client, request: pytest.FixtureRequest) -> dict[str, str]:
    """A deployed queue with letters in its dead-letter queue, and the stack's name."""
    name = f"interrupted-{abs(hash(request.node.name)) % 10**8}"
    create(name, YAML)
    found = client("cloudformation").list_stack_resources(StackName=name)
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in found["StackResourceSummaries"]
    }
    for text in SENT:
        client("sqs").send_message(QueueUrl=ids["First"], MessageBody=text)
    return {**ids, "stack": name}


class Stopper:
    """Sends a signal to a process in one of its calls of a kind, by default in the second."""

    def __init__(self, step: str, number: int, number_of_call: int = 2) -> None:
        self._step, self._number, self._call = step, number, number_of_call
        self._started = threading.Event()
        self._seen = 0

    def watch(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._started.set()

    def __call__(self, action: str, when: str, _content: bytes) -> bool:
        if f"{when} {action.rpartition('.')[2]}" == self._step:
            self._seen += 1
            if self._seen == self._call:
                self._started.wait()
                self._process.send_signal(self._number)
                if self._number == signal.SIGKILL:
                    self._process.wait()
        return False


Redrive = Callable[[Stopper], tuple[int, str]]


@pytest.fixture
def redrive(user: Cli, emulator: Emulator, queues: dict[str, str]) -> Redrive:
    """Redrives until a stopper ends it; returns the exit code and what it says."""

    def until_stopped(stopper: Stopper) -> tuple[int, str]:
        with proxy(emulator.port, stopper) as address:
            # What is held is shown again after 1.5 s then, as on AWS after five minutes.
            given = {"AWS_ENDPOINT_URL": address, "LOCAL_TIME_FACTOR": "1"}
            started = Cli(user.folder, user.environment).start(
                "letters", *ONE_BY_ONE, "--stack", queues["stack"], **given
            )
            stopper.watch(started)
            _, said = started.communicate()
            return started.returncode, said

    return until_stopped


@pytest.mark.parametrize("step", EVERY_STEP)
def test_a_redrive_that_is_killed_loses_nothing_and_doubles_one_at_most(
    step: str, redrive: Redrive, queues: dict[str, str], letters: Letters, client: Client
) -> None:
    code, _ = redrive(Stopper(step, signal.SIGKILL))

    assert code == -signal.SIGKILL
    arrived = Counter(bodies(client, queues["Queue"]))

    def redriven() -> bool:
        letters(*ONE_BY_ONE, "--stack", queues["stack"])
        arrived.update(bodies(client, queues["Queue"]))
        return arrived.keys() == {*SENT} and not visible(client, queues["First"])

    wait_until(redriven)
    assert arrived.total() <= len(SENT) + 1


def test_an_interruption_waits_for_the_letter_that_was_sent(
    redrive: Redrive, queues: dict[str, str], client: Client
) -> None:
    code, said = redrive(Stopper("after SendMessage", signal.SIGINT))

    assert code == 130
    says = "interrupted: no letter is lost or doubled; what is held is shown again in 300 s at most"
    assert said == f"sls-patterns: {says}\n"
    sent = bodies(client, queues["Queue"])
    assert sent
    assert visible(client, queues["First"]) == len(SENT) - len(sent)


def visible(client: Client, url: str) -> int:
    """Count what is in a queue, hidden or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)
