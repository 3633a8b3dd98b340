"""A job of as many parts as one may have ends right, with events that arrive twice among them.

So many calls at once may take longer on a machine that is busy than the SDK waits. What fails for
that reason is redriven, as it would be on AWS.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from bursts import deployed

pytestmark = pytest.mark.proves("fan-out-fan-in")

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
        lambda_, sqs = stack.emulator.client("lambda"), stack.emulator.client("sqs")

        def send(function: str, event: object) -> None:
            lambda_.invoke(
                FunctionName=outputs[function], InvocationType="Event", Payload=json.dumps(event)
            )

        def described() -> Any:
            answer = lambda_.invoke(
                FunctionName=outputs["DescribeFunctionName"], Payload=json.dumps({"id": "run"})
            )
            described = json.load(answer["Payload"])
            return {"status": "UNKNOWN"} if "FunctionError" in answer else described

        def redrive() -> None:
            for function in ("Start", "Work", "Gather"):
                queue = {"QueueUrl": outputs[f"{function}DeadLetterQueueUrl"]}
                letters = sqs.receive_message(**queue, MaxNumberOfMessages=10).get("Messages", [])
                for letter in letters:
                    event = json.loads(letter["Body"])["requestPayload"]
                    send(f"{function}FunctionName", event)
                    sqs.delete_message(**queue, ReceiptHandle=letter["ReceiptHandle"])

        for number in range(TWICE):
            task = {"job": "run", "number": number, "parts": PARTS, "part": parts[number]}
            send("WorkFunctionName", task)
            send("WorkFunctionName", task)
        send("StartFunctionName", {"id": "run", "deadline_seconds": 86_400, "parts": parts})
        started = time.monotonic()
        while (job := described())["status"] != "COMPLETE":
            assert time.monotonic() - started < PATIENCE_SECONDS, job
            redrive()
            time.sleep(2)

    assert job["done"] == PARTS
    cents = sum(3 * min(units, 1_000) + 2 * max(0, units - 1_000) for units in range(PARTS))
    assert job["total_cents"] == cents
