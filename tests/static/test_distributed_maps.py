"""The definitions of state machines that no linter of a project checks keep to the language.

Those with a distributed map have a field that the language leaves to S3.
"""

import heapq
import json
import random
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rendering import render_project
from statelint.linter import Linter

NO_FAULT = {
    # Required: the language leaves a reader's configuration to the service.
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    'Field "InputType" not allowed in State Machine.States.Work.ItemReader.ReaderConfig'
}


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The machine of the map, with something in the place of what the stack fills in."""
    project = render_project(
        tmp_path_factory.mktemp("map") / "project",
        pattern="fan-out-fan-in",
        topology="distributed-map",
    )
    (file,) = project.glob("statemachines/*.asl.json")
    return re.sub(r"\$\{\w+\}", "filled-in", Path(file).read_text())


def faults(definition: str) -> set[str]:
    found: list[str] = Linter.validate(json.loads(definition))
    return set(found)


def test_a_distributed_map_is_of_the_amazon_states_language(definition: str) -> None:
    assert faults(definition) == NO_FAULT


def test_a_map_of_batches_has_beside_that_only_what_aws_documents(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html"""
    project = render_project(
        tmp_path / "project", pattern="fan-out-fan-in", topology="s3-object", datastore="none"
    )
    (file,) = project.glob("statemachines/*.asl.json")

    assert faults(re.sub(r"\$\{\w+\}", "filled-in", file.read_text())) == {
        *NO_FAULT,
        'Field "Label" not allowed in State Machine.States.Work',
        'Field "WriterConfig" not allowed in State Machine.States.Work.ResultWriter',
    }


# https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
EXPRESS_SECONDS = 300
# A new account may have no more: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LEAST_CONCURRENCY = 10


def waits(retrier: dict[str, Any]) -> list[float]:
    """The longest seconds before each attempt of a retrier."""
    first, most = retrier["IntervalSeconds"], retrier.get("MaxDelaySeconds", float("inf"))
    grown = (first * retrier["BackoffRate"] ** attempt for attempt in range(retrier["MaxAttempts"]))
    return [min(most, wait) for wait in grown]


def invocations(scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each task that invokes a function."""
    for state in scope["States"].values():
        if str(state.get("Resource")).endswith(":states:::lambda:invoke"):
            yield state
        if "ItemProcessor" in state:
            yield from invocations(state["ItemProcessor"])


def test_each_function_is_waited_for_while_it_is_throttled(definition: str) -> None:
    """AWS advises 126 seconds; jitter halves them on average."""
    tasks = list(invocations(json.loads(definition)))

    assert len(tasks) == 3
    for task in tasks:
        throttling, others = task["Retry"]
        assert throttling["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
        assert (sum(waits(throttling)), sum(waits(throttling)) / 2) == (124, 62)
        assert (others["ErrorEquals"], sum(waits(others))) == (["States.ALL"], 6)


def test_a_part_is_throttled_retried_and_kept_within_five_minutes(definition: str) -> None:
    part, keep = json.loads(definition)["States"]["Work"]["ItemProcessor"]["States"].values()
    throttling, others = part["Retry"]
    attempts = part["TimeoutSeconds"] * (1 + others["MaxAttempts"])
    keeping = keep["TimeoutSeconds"] * (1 + keep["Retry"][0]["MaxAttempts"])

    # Lambda refuses an invocation within a second.
    throttled = sum(waits(throttling)) + throttling["MaxAttempts"]
    failing = attempts + sum(waits(others)) + keeping + sum(waits(keep["Retry"][0]))

    assert throttled + failing <= EXPRESS_SECONDS


def lost(parts: int, at_a_time: int, seconds: float, delays: list[float]) -> int:
    """How many parts are throttled too often, with the least concurrency of an account."""
    chance, order = random.Random(16), count()  # noqa: S311
    events = [(chance.uniform(0, 0.5), next(order), 0) for _ in range(at_a_time)]
    waiting, running, lost_parts = parts - at_a_time, 0, 0
    ends = -1
    while events:
        now, _, attempt = heapq.heappop(events)
        if attempt == ends:
            running -= 1
        elif running < LEAST_CONCURRENCY:
            running += 1
            work = seconds * chance.uniform(0.5, 1.5)
            heapq.heappush(events, (now + work, next(order), ends))
            continue
        elif attempt < len(delays):
            wait = chance.uniform(0, delays[attempt])
            heapq.heappush(events, (now + wait, next(order), attempt + 1))
            continue
        else:
            lost_parts += 1
        if waiting:
            waiting -= 1
            heapq.heappush(events, (now + 0.15, next(order), 0))
    return lost_parts


@pytest.mark.parametrize(("seconds", "lost_before"), [(0.3, 64), (1, 346)])
def test_a_new_account_processes_a_thousand_short_parts(
    seconds: float, lost_before: int, definition: str
) -> None:
    """Four attempts within 7 seconds, as before 0.7.0, lost up to a third of them."""
    work = json.loads(definition)["States"]["Work"]
    at_a_time = work["MaxConcurrency"]
    throttling, _ = work["ItemProcessor"]["States"]["Part"]["Retry"]

    assert lost(1_000, at_a_time, seconds, [1, 2, 4]) == lost_before
    assert lost(1_000, at_a_time, seconds, waits(throttling)) == 0


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ('"Next": "Gather"', '"Next": "Gathered"', 'No state found named "Gathered"'),
        ('"MaxAttempts"', '"MaxAttempt"', 'Field "MaxAttempt" not allowed'),
        ('"StartAt": "Plan"', '"StartAt": "Order"', "StartAt value Order not found"),
    ],
)
def test_a_fault_in_a_state_machine_is_found(
    right: str, wrong: str, fault: str, definition: str
) -> None:
    assert right in definition

    found = faults(definition.replace(right, wrong))

    assert any(fault in each for each in found)
