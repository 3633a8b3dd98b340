"""An effect outside AWS happens once, though the function is killed before it can record it.

What a project's own proofs cannot show: they cannot kill a function between the two.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from bursts import deployed
from conservation.patterns import DEFECTS
from local.processes import environments
from payment_provider import Payment, payment_provider

from sls_patterns_cli.local.session import _Stack

CHARGES = [f"order-{number}" for number in range(3)]
"""So few that no message is struck as often as the queue gives up."""
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Reckoning:
    """What the provider did, and what is recorded."""

    payments: Counter[str]
    """How many payments there are for each charge."""
    attempts: Counter[str]
    """How often each idempotency key came."""
    recorded: dict[str, str]
    """The id of the payment, by charge."""
    first: dict[str, str]
    """The id of the first payment that was made, by charge."""
    kills: int


def charged(folder: Path, runtime: str, change: Callable[[Path], None] | None = None) -> Reckoning:
    """Charge each once, and kill the functions whenever a charge has been paid for first."""
    first: dict[str, str] = {}
    kills: list[int] = []
    answers = {"pattern": "frugal-consumer", "topology": "third-party", "runtime": runtime}
    with (
        payment_provider() as provider,
        deployed(folder, change=change, parameters={"PaymentsUrl": provider.url}, **answers) as on,
    ):

        def kill(payment: Payment) -> None:
            if payment.reference not in first:
                first[payment.reference] = payment.id
                kills.extend(_killed(on.emulator.pid))

        provider.after_payment = kill
        sqs, url = on.emulator.client("sqs"), on.outputs["ChargingQueueUrl"]
        for charge in CHARGES:
            body = f'{{"id": "{charge}", "customer": "c", "cents": 1, "currency": "EUR"}}'
            sqs.send_message(QueueUrl=url, MessageBody=body)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(recorded := _recorded(on)) < len(CHARGES):
            assert time.monotonic() < until, f"{recorded} after {provider.attempts()}"
            time.sleep(0.1)
        return Reckoning(
            Counter(payment.reference for payment in provider.payments()),
            provider.attempts(),
            recorded,
            first,
            len(kills),
        )


def _killed(emulator: int) -> list[int]:
    """Kill every environment of a function; return those that were killed."""
    killed = []
    for pid in environments(emulator):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed


def _recorded(stack: _Stack) -> dict[str, str]:
    pages = stack.emulator.client("dynamodb").get_paginator("scan")
    items = [
        item
        for page in pages.paginate(TableName=stack.outputs["ChargesTableName"])
        for item in page["Items"]
    ]
    return {each["id"]["S"]: each["payment_id"]["S"] for each in items if "outcome" in each}


@pytest.mark.parametrize(
    "runtime", ["python", pytest.param("typescript", marks=pytest.mark.exhaustive)]
)
def test_a_charge_whose_function_is_killed_after_the_payment_is_made_once(
    runtime: str, tmp_path: Path
) -> None:
    reckoning = charged(tmp_path / "project", runtime)

    assert reckoning.kills >= len(CHARGES)
    assert reckoning.payments == Counter(CHARGES)
    assert reckoning.recorded == reckoning.first
    assert all(attempts > 1 for attempts in reckoning.attempts.values())
    assert len(reckoning.attempts) == len(CHARGES)


@pytest.mark.exhaustive
def test_the_reckoning_shows_two_payments_where_each_attempt_has_a_key_of_its_own(
    tmp_path: Path,
) -> None:
    reckoning = charged(tmp_path / "project", "python", DEFECTS["key-of-the-attempt"].apply)

    assert reckoning.payments.keys() == set(CHARGES)
    assert min(reckoning.payments.values()) > 1
