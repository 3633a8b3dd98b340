"""`sls-patterns harness` changes, reads and restores a stack, whatever becomes of the proofs."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from local.conftest import client, deploy_stack, emulator, interpreter
from local.support import Client, DeployStack, wait_until

from sls_patterns_cli.local.emulator.server import Emulator

__all__ = ["client", "deploy_stack", "emulator", "interpreter"]

pytestmark = pytest.mark.usefixtures("shop")

STACK = "shop-e2e"
RECEIVES = 33


@pytest.fixture(scope="module")
def shop(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(Path(__file__).with_name("stack.yaml").read_text(), STACK)


class Proofs:
    """A process of the command, as proofs start it, and what it said first."""

    def __init__(self, emulator: Emulator, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sls_patterns_cli", "harness", *arguments],
            env=emulator.client_environment({}) | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout
        self.said: dict[str, str] = json.loads(self.process.stdout.readline())

    def post(self, operation: str, **given: Any) -> tuple[int, Any]:
        answer = urllib3.request("POST", self.said["url"] + operation, json=given, timeout=60)
        return answer.status, answer.json()

    def ask(self, operation: str, **given: Any) -> Any:
        status, answer = self.post(operation, **given)
        assert status == 200, answer
        return answer

    def end(self) -> tuple[int, str]:
        """End as proofs do that are gone; return the exit code, and what it said of it."""
        _, told = self.process.communicate(timeout=60)
        return self.process.returncode, told.decode()


Start = Callable[..., Proofs]


@pytest.fixture
def start(emulator: Emulator) -> Iterator[Start]:
    started: list[Proofs] = []

    def of(*arguments: str, **environment: str) -> Proofs:
        started.append(Proofs(emulator, *(arguments or ("--stack", STACK)), **environment))
        return started[-1]

    yield of
    for each in started:
        if each.process.poll() is None:
            each.end()


@pytest.fixture
def state(client: Client, shop: dict[str, str]) -> Callable[[], dict[str, Any]]:
    """Reads from AWS all that the proofs can change, and every record of it."""

    def read() -> dict[str, Any]:
        function, sqs = client("lambda"), client("sqs")
        configuration = function.get_function_configuration(FunctionName=shop["Store"])
        attributes = sqs.get_queue_attributes(QueueUrl=shop["Orders"], AttributeNames=["All"])
        (mapping,) = function.list_event_source_mappings(FunctionName=shop["Store"])[
            "EventSourceMappings"
        ]
        tagged = (configuration["FunctionArn"], mapping["EventSourceMappingArn"])
        return {
            "variables": configuration["Environment"]["Variables"],
            "concurrency": function.get_function_concurrency(FunctionName=shop["Store"]).get(
                "ReservedConcurrentExecutions"
            ),
            "mapping": mapping["State"],
            "policy": json.loads(attributes["Attributes"]["Policy"])["Statement"],
            "receives": json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"],
            "secret": client("secretsmanager").get_secret_value(SecretId=shop["Token"])[
                "SecretString"
            ],
            "records": [
                *(function.list_tags(Resource=arn)["Tags"] for arn in tagged),
                sqs.list_queue_tags(QueueUrl=shop["Orders"]).get("Tags", {}),
            ],
        }

    return read


CHANGES: dict[str, dict[str, Any]] = {
    "set-variables": {"of": {"name": "Store"}, "variables": {"TABLE": "missing", "NEW": "1"}},
    "throttle": {"of": {"name": "Store"}},
    "pause-consumer": {"of": {"url": "Orders"}},
    "close-queue": {"of": {"url": "Orders"}},
    "lower-receives": {"of": {"url": "Orders"}},
    "set-secret": {"of": {"name": "Token"}, "value": "another"},
}


def change(proofs: Proofs, shop: dict[str, str], operation: str) -> str:
    given = dict(CHANGES[operation])
    of = {key: shop[name] for key, name in given.pop("of").items()}
    made: str = proofs.ask(operation, **of, **given)
    return made


@pytest.mark.parametrize("operation", CHANGES)
def test_each_change_is_made_and_restored(
    start: Start, shop: dict[str, str], state: Callable[[], Any], operation: str
) -> None:
    before = state()
    proofs = start()

    made = change(proofs, shop, operation)

    assert state() != before
    proofs.ask("restore", change=made)
    assert state() == before


@pytest.mark.parametrize("operation", CHANGES)
def test_what_is_left_changed_is_restored_when_the_proofs_are_gone(
    start: Start, shop: dict[str, str], state: Callable[[], Any], operation: str
) -> None:
    before = state()
    proofs = start()
    change(proofs, shop, operation)
    # Ctrl-C and a cancelled job reach all processes; this one is needed until all is restored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        proofs.process.send_signal(number)

    code, told = proofs.end()

    assert code == 0
    assert told.startswith("restored ")
    assert state() == before


@pytest.mark.parametrize("operation", CHANGES)
def test_what_was_left_when_all_was_killed_stops_the_next_run_until_it_is_forced(
    start: Start, shop: dict[str, str], state: Callable[[], Any], operation: str
) -> None:
    before = state()
    proofs = start()
    change(proofs, shop, operation)
    proofs.process.kill()
    proofs.process.wait()

    said = start().said

    assert "is not as it was deployed: an interrupted proof has left it changed" in said["refused"]
    assert state() != before
    assert "url" in start(FORCE="1").said
    assert state() == before


def test_what_is_changed_cannot_be_changed_by_a_second_proof(
    start: Start, shop: dict[str, str], state: Callable[[], Any]
) -> None:
    before = state()
    proofs = start()
    made = change(proofs, shop, "close-queue")

    status, answer = proofs.post("lower-receives", url=shop["Orders"])

    assert (status, answer) == (409, f"{shop['Orders']} is not as it was deployed")
    proofs.ask("restore", change=made)
    assert state() == before


def test_a_change_that_fails_leaves_nothing_behind(
    start: Start, shop: dict[str, str], client: Client
) -> None:
    """A queue without a redrive policy has no receives, and stays without a record."""
    proofs = start()

    status, answer = proofs.post("lower-receives", url=shop["Letters"])

    assert status == 502
    assert answer == f"lower-receives: the queue {shop['Letters']} has no RedrivePolicy"
    tags = client("sqs").list_queue_tags(QueueUrl=shop["Letters"])["Tags"]
    assert all(name.startswith("aws:") for name in tags)


def test_what_a_stranger_deployed_is_no_change(start: Start) -> None:
    """A concurrency of 0, a paused mapping, a queue that is closed, and one without a policy."""
    assert "url" in start().said


@pytest.mark.parametrize(
    ("arguments", "environment", "allowed"),
    [
        (("--stack", "shop"), {}, False),
        (("--stack", "shop", "--smoke"), {}, True),
        (("--stack", "shop"), {"FORCE": "1"}, True),
        (("--stack", "shop"), {"FORCE": "0"}, False),
    ],
)
def test_a_stack_that_may_be_in_use_is_refused(
    start: Start,
    deploy_stack: DeployStack,
    *,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    allowed: bool,
) -> None:
    deploy_stack('Resources: {Mine: {Type: "AWS::SQS::Queue"}}\n', "shop")

    proofs = start(*arguments, **environment)

    assert ("url" in proofs.said) is allowed
    if not allowed:
        assert proofs.said["refused"].endswith("shop does not end in -e2e; FORCE=1 overrides this")
        assert proofs.end()[0] == 2


def test_a_stack_that_is_not_there_is_named(start: Start) -> None:
    assert "cannot read the stack none-e2e" in start("--stack", "none-e2e").said["refused"]


def test_only_who_knows_the_address_is_answered(start: Start) -> None:
    proofs = start()
    root = proofs.said["url"].rsplit("/", 2)[0]

    for path in ("/outputs", "//outputs", "/guessed/outputs"):
        assert urllib3.request("POST", root + path, json={}).status == 404
    status, answer = proofs.post("of-a-later-version")
    assert (status, "install a newer one" in answer) == (404, True)


def test_queues_and_logs_are_read(start: Start, shop: dict[str, str], client: Client) -> None:
    proofs = start()
    assert proofs.ask("outputs") == shop
    client("sqs").send_message(
        QueueUrl=shop["Letters"],
        MessageBody="body",
        MessageAttributes={"reason": {"DataType": "String", "StringValue": "why"}},
    )
    assert proofs.ask("message-counts", url=shop["Letters"]) == {"visible": 1, "in_flight": 0}

    (message,) = proofs.ask("take-messages", url=shop["Letters"])

    assert (message["body"], message["attributes"]) == ("body", {"reason": "why"})
    assert proofs.ask("message-counts", url=shop["Letters"]) == {"visible": 0, "in_flight": 0}
    client("lambda").invoke(FunctionName=shop["Store"])
    part = {"group": f"/aws/lambda/{shop['Store']}", "since": 0}
    wait_until(lambda: proofs.ask("log-entries", **part))
    (entry,) = proofs.ask("log-entries", **part)
    assert entry["message"] == "stored"
    assert proofs.ask("most-at-a-time", **part) == 1
    assert any("stored" in line for line in proofs.ask("log-lines", **part))
