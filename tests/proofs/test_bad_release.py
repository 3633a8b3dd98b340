"""A release that fails every message gives none of them up before it is rolled back."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from bursts import deployed
from conservation import disordered
from conservation.outlasting import messages, promised_tries
from conservation.patterns import SERVICES, Service
from conservation.schedule import IDS
from conservation.stack import Stack
from local.support import wait_until

from sls_patterns_cli.local.emulator import timescale

FACTOR = 40
"""An hour is a few seconds, of which the last tenth is enough to disable a mapping."""

SECONDS = 120


@dataclass(frozen=True)
class Release:
    """What breaks the function that gets a message."""

    files: str
    function: str
    fault: str


RELEASES = {
    "python": Release(
        "src/*/handlers/{}.py",
        r"def \w+\(record: SQSRecord\) -> None:\n",
        '    raise TypeError("what this release does")\n',
    ),
    "typescript": Release(
        "src/handlers/{}.ts",
        r"async function \w+\(record: SQSRecord\): Promise<void> \{\n",
        '  if (record) throw new TypeError("what this release does");\n',
    ),
}


def service(name: str) -> Service:
    (found,) = (each for each in SERVICES if str(each) == name)
    return found


@pytest.mark.parametrize("runtime", RELEASES)
@pytest.mark.parametrize(
    ("service", "handler"),
    [
        pytest.param(service("scalable-webhook/function-dynamodb"), "process", id="standard"),
        pytest.param(service("fifoer/native-dynamodb"), "post", id="fifo"),
    ],
)
def test_a_release_that_fails_for_an_hour_makes_no_letter(
    service: Service,
    handler: str,
    runtime: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, sent = RELEASES[runtime], messages("good", 4)
    good = {each.id for each in sent if not each.is_poison}
    poison = {each.id for each in sent if each.is_poison}
    monkeypatch.setenv(timescale.VARIABLE, str(FACTOR))

    with deployed(
        tmp_path / "project",
        runtime=runtime,
        pattern=service.pattern,
        topology=service.topology,
        datastore="dynamodb",
    ) as made:
        stack = Stack(made.emulator, made.outputs, made.project.root)
        (node,), (letters,) = stack.tables, (each for each in stack.queues if "DeadLetter" in each)
        (file,) = made.project.root.glob(release.files.format(handler))
        before = file.read_text()
        broken, places = re.subn(release.function, lambda found: found[0] + release.fault, before)
        assert places == 1
        file.write_text(broken)
        assert made.deployment.deploy_changes()

        for message in sent:
            service.send(stack, message)
        wait_until(lambda: stack.most_failures() >= promised_tries(stack), SECONDS)
        with stack.not_consumed():  # the last tenth of an hour is shorter here than a deployment
            given_up = stack.message_count(letters)
            file.write_text(before)
            assert made.deployment.deploy_changes()

        wait_until(lambda: stored(stack, node) == good, SECONDS)
        wait_until(lambda: stack.message_count(letters) >= len(poison), SECONDS)
        found = {each for body in stack.take(letters) for each in IDS.findall(body)}
        assert (given_up, found) == (0, poison)
        if service.in_order:
            assert disordered(sent, stack.items(node)) == []


def stored(stack: Stack, node: str) -> set[str]:
    """Return the ids of the messages in the table."""
    return {each for item in stack.items(node) for each in IDS.findall(str(item))}
