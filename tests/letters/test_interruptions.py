"""A redrive that is killed or interrupted anywhere loses nothing and doubles one batch at most."""

import signal
import subprocess
import threading
from collections.abc import Callable

import pytest
from command import Cli
from letters.conftest import Letters, bodies
from letters.proxy import proxy
from letters.test_deployed import Create, create
from local.support import Client, wait_until

from sls_patterns_cli.letters.exclusion import TAG
from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["create"]

STACK = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: {fifo}
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt First.Arn, maxReceiveCount: 5}}
  First: {{Type: "AWS::SQS::Queue", Properties: {{FifoQueue: {fifo}}}}}
"""
KINDS = {
    "standard": STACK.replace("FifoQueue: {fifo}", "").format(),
    "fifo": STACK.format(fifo="true"),
}
SENT = [f"letter {number:02}" for number in range(24)]
BATCH = 10

TEN_MOMENTS = [
    *(
        (when, action, 2)
        for action in ("Receive", "Send", "Delete")
        for when in ("before", "after")
    ),
    *((when, action, 1) for action in ("Send", "Delete") for when in ("before", "after")),
]
EVERY_MOMENT = [
    pytest.param(
        kind,
        (f"{when} {action}Message{'' if action == 'Receive' else 'Batch'}", number),
        id=f"{kind} {when} {action} {number}",
        marks=[] if (action, number) == ("Send", 2) else pytest.mark.exhaustive,
    )
    for kind in KINDS
    for when, action, number in TEN_MOMENTS
]
ONE_BY_ONE = ("redrive", "--older-than", "0s", "--no-canary", "--yes")


@pytest.fixture
def kind() -> str:
    """The kind of queue; a test may have another."""
    return "standard"


@pytest.fixture
def queues(
    kind: str, create: Create, client: Client, request: pytest.FixtureRequest
) -> dict[str, str]:
    """A deployed queue with letters in its dead-letter queue, and the stack's name."""
    name = f"interrupted-{abs(hash(request.node.name)) % 10**8}"
    create(name, KINDS[kind])
    found = client("cloudformation").list_stack_resources(StackName=name)
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in found["StackResourceSummaries"]
    }
    for text in SENT:
        fifo = {"MessageGroupId": text[-1], "MessageDeduplicationId": text}
        given = fifo if kind == "fifo" else {}
        client("sqs").send_message(QueueUrl=ids["First"], MessageBody=text, **given)
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


@pytest.fixture
def finish(queues: dict[str, str], letters: Letters, client: Client) -> Callable[[], list[str]]:
    """Redrives until all letters have arrived; returns them in the order of their arrival."""
    arrived: list[str] = []

    def is_finished() -> bool:
        arrived.extend(bodies(client, queues["Queue"]))
        if {*arrived} == {*SENT} and not visible(client, queues["First"]):
            return True
        letters(*ONE_BY_ONE, "--stack", queues["stack"])
        return False

    def finished() -> list[str]:
        five_minutes_later(client, queues["First"])
        wait_until(is_finished)
        return arrived

    return finished


@pytest.mark.parametrize(("kind", "moment"), EVERY_MOMENT)
def test_a_redrive_that_is_killed_loses_nothing_and_doubles_one_batch_at_most(
    kind: str, moment: tuple[str, int], redrive: Redrive, finish: Callable[[], list[str]]
) -> None:
    step, number = moment

    code, _ = redrive(Stopper(step, signal.SIGKILL, number))
    arrived = finish()

    assert code == -signal.SIGKILL
    # A FIFO queue drops what comes twice within five minutes.
    assert len(arrived) <= len(SENT) + (BATCH if kind == "standard" else 0)
    for group in "0123456789" if kind == "fifo" else "":
        of_group = [text for text in arrived if text[-1] == group]
        assert of_group == sorted(of_group)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interruption_waits_for_the_letters_that_were_sent(
    kind: str, redrive: Redrive, queues: dict[str, str], client: Client
) -> None:
    code, said = redrive(Stopper("after SendMessageBatch", signal.SIGINT))

    assert kind in KINDS
    assert code == 130
    says = "interrupted: no letter is lost or doubled; what is held is shown again in 300 s at most"
    assert said == f"sls-patterns: {says}\n"
    sent = bodies(client, queues["Queue"])
    assert sent
    assert visible(client, queues["First"]) == len(SENT) - len(sent)


def five_minutes_later(client: Client, url: str) -> None:
    """Let a redrive that was killed keep no other one out."""
    client("sqs").untag_queue(QueueUrl=url, TagKeys=[TAG])


def visible(client: Client, url: str) -> int:
    """Count what is in a queue, hidden or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)
