"""A release that fails every message, and one that ends its process for one of them.

The first gives none up before it is rolled back. What ends its process can be given up by SQS only,
when all its receives are used up; it takes no other message along.
"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from bursts import deployed
from conservation import disordered
from conservation.outlasting import messages, promised_tries
from conservation.patterns import SERVICES, Service
from conservation.schedule import IDS
from conservation.stack import Stack
from local.support import wait_until

from sls_patterns_cli.local.emulator import timescale

FACTOR = 40
"""An hour is a few seconds."""

SECONDS = 120

FUNCTIONS = {
    "python": ("src/*/handlers/{}.py", r"def \w+\(record: SQSRecord\) -> None:\n"),
    "typescript": (
        "src/handlers/{}.ts",
        r"async function \w+\(record: SQSRecord\): Promise<void> \{\n",
    ),
}
"""Where a function is that gets a message, and how it begins."""

FAILING = {
    "python": """\
    from pathlib import Path
    from time import sleep

    if int(record.attributes.approximate_receive_count) >= {tries}:
        Path("{last_try}").touch()
        while not Path("{rolled_back}").exists():
            sleep(0.05)
    raise TypeError("what this release does")
""",
    "typescript": """\
  const {{ existsSync, writeFileSync }} = await import("node:fs");
  const {{ setTimeout }} = await import("node:timers/promises");
  if (Number(record.attributes.ApproximateReceiveCount) >= {tries}) {{
    writeFileSync("{last_try}", "");
    while (!existsSync("{rolled_back}")) await setTimeout(50);
  }}
  if (record) throw new TypeError("what this release does");
""",
}
"""Its last try in the hour does not end before the release is rolled back: the rest of the hour is
shorter here than a deployment."""

DEADLY = "good-00006"
DYING = {
    "python": f'    if "{DEADLY}" in record.body:\n        __import__("os")._exit(1)\n',
    "typescript": f'  if (record.body.includes("{DEADLY}")) process.exit(1);\n',
}


def service(name: str) -> Service:
    (found,) = (each for each in SERVICES if str(each) == name)
    return found


STANDARD, FIFO = service("scalable-webhook/function-dynamodb"), service("fifoer/native-dynamodb")
HANDLERS = {STANDARD: "process", FIFO: "post"}


def released(service: Service, runtime: str, fault: str) -> Callable[[Path], str]:
    """Return what puts a fault into a project's handler, and returns the handler as it was."""

    def change(project: Path) -> str:
        files, function = FUNCTIONS[runtime]
        (file,) = project.glob(files.format(HANDLERS[service]))
        before = file.read_text()
        broken, places = re.subn(function, lambda found: found[0] + fault, before)
        assert places == 1
        file.write_text(broken)
        return before

    return change


def releases() -> Iterator[ParameterSet]:
    """Each queue in each runtime; `make test` has both queues and both runtimes."""
    for service, runtime in product([STANDARD, FIFO], FAILING):
        is_often = (service, runtime) in ((STANDARD, "python"), (FIFO, "typescript"))
        marks = [] if is_often else [pytest.mark.exhaustive]
        name = "fifo" if service.in_order else "standard"
        yield pytest.param(service, runtime, id=f"{name}-{runtime}", marks=marks)


@pytest.mark.parametrize(("service", "runtime"), list(releases()))
def test_a_release_that_fails_for_an_hour_makes_no_letter(
    service: Service, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = messages("good", 4)
    good = {each.id for each in sent if not each.is_poison}
    poison = {each.id for each in sent if each.is_poison}
    answers = {name: getattr(service, name) for name in ("pattern", "topology", "datastore")}
    monkeypatch.setenv(timescale.VARIABLE, str(FACTOR))

    with deployed(
        tmp_path / "project", change=None, parameters=None, runtime=runtime, **answers
    ) as made:
        root = made.project.root
        stack = Stack(made.emulator, made.outputs, root)
        (node,), letters = stack.tables, letters_of(stack)
        last_try, rolled_back = tmp_path / "last-try", tmp_path / "rolled-back"
        fault = FAILING[runtime].format(
            tries=promised_tries(stack), last_try=last_try, rolled_back=rolled_back
        )
        before = released(service, runtime, fault)(root)
        assert made.deployment.deploy_changes()

        for message in sent:
            service.send(stack, message)
        wait_until(last_try.exists, SECONDS)
        given_up = stack.message_count(letters)
        (file,) = root.glob(FUNCTIONS[runtime][0].format(HANDLERS[service]))
        file.write_text(before)
        assert made.deployment.deploy_changes()
        rolled_back.touch()

        wait_until(lambda: stored(stack, node) == good, SECONDS)
        wait_until(lambda: stack.message_count(letters) >= len(poison), SECONDS)
        assert (given_up, ids(stack, letters)) == (0, poison)
        if service.in_order:
            assert disordered(sent, stack.items(node)) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", DYING)
@pytest.mark.parametrize("service", [STANDARD, FIFO], ids=["standard", "fifo"])
def test_what_ends_its_process_uses_up_its_receives_and_takes_nothing_along(
    service: Service, runtime: str, tmp_path: Path
) -> None:
    sent = messages("good", 4)
    others = [each for each in sent if each.id != DEADLY]
    good = {each.id for each in others if not each.is_poison}
    answers = {name: getattr(service, name) for name in ("pattern", "topology", "datastore")}
    change = released(service, runtime, DYING[runtime])

    with deployed(
        tmp_path / "project", change=change, parameters=None, runtime=runtime, **answers
    ) as made:
        stack = Stack(made.emulator, made.outputs, made.project.root)
        (node,), letters = stack.tables, letters_of(stack)
        for message in sent:
            service.send(stack, message)

        expected = {each.id for each in sent} - good
        wait_until(lambda: stack.message_count(letters) >= len(expected), 3 * SECONDS)
        wait_until(lambda: stored(stack, node) == good, SECONDS)
        assert ids(stack, letters) == expected
        if service.in_order:
            assert disordered(others, stack.items(node)) == []


def letters_of(stack: Stack) -> str:
    (letters,) = (each for each in stack.queues if "DeadLetter" in each)
    return letters


def ids(stack: Stack, queue: str) -> set[str]:
    """Take what is in a queue; return the ids."""
    return {each for body in stack.take(queue) for each in IDS.findall(body)}


def stored(stack: Stack, node: str) -> set[str]:
    """Return the ids of the messages in the table."""
    return {each for item in stack.items(node) for each in IDS.findall(str(item))}
