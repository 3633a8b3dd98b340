"""A job of as many parts as one may have ends right, with events that arrive twice among them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from bursts import deployed

PARTS, TWICE = 5_000, 20

PATIENCE_SECONDS = 1_800


@pytest.mark.exhaustive
@pytest.mark.parametrize("datastore", ["dynamodb", "s3"])
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_a_job_of_five_thousand_parts_has_the_right_total(
    runtime: str, datastore: str, tmp_path: Path
) -> None:
    parts = [{"id": f"customer-{number}", "units": number} for number in range(PARTS)]
    with deployed(
        tmp_path / "project",
        pattern="fan-out-fan-in",
        topology="workers",
        runtime=runtime,
        datastore=datastore,
    ) as stack:
        outputs = stack.outputs
        lambda_ = stack.emulator.client("lambda")

        def send(function: str, event: object) -> None:
            lambda_.invoke(
                FunctionName=outputs[function], InvocationType="Event", Payload=json.dumps(event)
            )

        def described() -> Any:
            answer = lambda_.invoke(
                FunctionName=outputs["DescribeFunctionName"], Payload=json.dumps({"id": "run"})
            )
            return json.load(answer["Payload"])

        for number in range(TWICE):
            task = {"job": "run", "number": number, "parts": PARTS, "part": parts[number]}
            send("WorkFunctionName", task)
            send("WorkFunctionName", task)
        send("StartFunctionName", {"id": "run", "deadline_seconds": 86_400, "parts": parts})
        started = time.monotonic()
        while (job := described())["status"] != "COMPLETE":
            assert time.monotonic() - started < PATIENCE_SECONDS, job
            time.sleep(2)

    assert job["done"] == PARTS
    cents = sum(3 * min(units, 1_000) + 2 * max(0, units - 1_000) for units in range(PARTS))
    assert job["total_cents"] == cents
