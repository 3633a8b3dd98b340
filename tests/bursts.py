"""Bursts: many orders or webhooks sent to a service on the local stack at the same time.

Run it to measure: as many as the local stack has to bear, and how many it took in a second.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import urllib3
from environments import link_modules
from rendering import render_project

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

SENDERS = 64

ORDERS, WEBHOOKS = 500, 2000

PATIENCE_SECONDS = 1800

ORDER = {
    "customer": "customer-17",
    "country": "DE",
    "items": [{"sku": "mug-blue", "quantity": 2, "price_cents": 1290}],
}
EVENT = {"type": "order.created", "timestamp": "2026-01-05T10:00:00Z", "data": {"id": "17"}}

Send = Callable[[str], int]
"""Sends what has this id; returns the status of the answer."""


@dataclass(frozen=True)
class Burst:
    """What became of a burst: how many of its messages ended in which way."""

    answers: Counter[int]
    ends: Counter[str]
    accepted_seconds: float
    seconds: float

    def __str__(self) -> str:
        count = self.answers.total()
        return (
            f"{count} in {self.seconds:.1f} s, {count / self.seconds:.0f} a second "
            f"(accepted at {count / self.accepted_seconds:.0f} a second): {dict(self.ends)}"
        )


def orders(folder: Path, count: int, runtime: str) -> Burst:
    """Place orders with a `state-machine` that has not run before."""
    with deployed(folder, pattern="state-machine", topology="standard", runtime=runtime) as stack:
        step_functions = stack.emulator.client("stepfunctions")
        pages = step_functions.get_paginator("list_executions")
        (machine,) = step_functions.list_state_machines()["stateMachines"]
        api = stack.outputs["ApiUrl"]

        def place(order: str) -> int:
            return _http.request("PUT", f"{api}/orders/{order}", json=ORDER, timeout=300).status

        def ends() -> Counter[str]:
            found = pages.paginate(stateMachineArn=machine["stateMachineArn"])
            return Counter(each["status"] for page in found for each in page["executions"])

        return _burst(count, place, ends, lambda found: found.total() - found["RUNNING"])


def webhooks(folder: Path, count: int, runtime: str) -> Burst:
    """Send webhooks to a `scalable-webhook` with a table that has not run before."""
    with deployed(
        folder,
        pattern="scalable-webhook",
        topology="function",
        datastore="dynamodb",
        runtime=runtime,
    ) as stack:
        outputs, client = stack.outputs, stack.emulator.client
        secret = client("secretsmanager").get_secret_value(SecretId=outputs["SigningSecretArn"])
        sqs, dynamodb = client("sqs"), client("dynamodb")
        key = base64.b64decode(secret["SecretString"])
        body = json.dumps(EVENT)

        def send(delivery: str) -> int:
            url, headers = f"{outputs['ApiUrl']}/webhooks", signed(key, delivery, body)
            return _http.request("POST", url, body=body, headers=headers, timeout=300).status

        def ends() -> Counter[str]:
            pages = dynamodb.get_paginator("scan").paginate(
                TableName=outputs["EventsTableName"], Select="COUNT"
            )
            dead = sqs.get_queue_attributes(
                QueueUrl=outputs["DeliveriesDeadLetterQueueUrl"], AttributeNames=["All"]
            )["Attributes"]["ApproximateNumberOfMessages"]
            stored = sum(page["Count"] for page in pages)
            return +Counter({"stored": stored, "dead": int(dead)})

        return _burst(count, send, ends, Counter.total)


_http = urllib3.PoolManager(maxsize=SENDERS, retries=False)


@contextmanager
def deployed(
    folder: Path,
    *,
    change: Callable[[Path], object] | None = None,
    parameters: Mapping[str, str] | None = None,
    **answers: str,
) -> Iterator[session._Stack]:
    """Deploy a project that has not run before, as it is or changed; anyone may call its API.

    `parameters` are values for its template.
    """
    project = render_project(folder, iac="sam", auth="none", **answers)
    if change:
        change(project)
    if answers["runtime"] == "typescript":
        link_modules(project)
    with session._stack(project, Progress(lambda _line: None), parameters) as stack:
        yield stack


def _burst(
    count: int, send: Send, ends: Callable[[], Counter[str]], ended: Callable[[Counter[str]], int]
) -> Burst:
    """Send as many and wait until all that were accepted have ended, in whatever way."""
    ids = [secrets.token_hex(16) for _ in range(count)]
    started = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = Counter(senders.map(send, ids))
    accepted = time.monotonic()
    while ended(found := ends()) < answers[202] and _since(started) < PATIENCE_SECONDS:
        time.sleep(0.2)
    return Burst(answers, found, accepted - started, _since(started))


def _since(moment: float) -> float:
    return time.monotonic() - moment


def signed(key: bytes, delivery: str, body: str) -> dict[str, str]:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    now = str(int(time.time()))
    digest = hmac.digest(key, f"{delivery}.{now}.{body}".encode(), hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": delivery,
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def main() -> None:
    measured: list[tuple[str, Callable[..., Burst], int]] = [
        ("orders", orders, ORDERS),
        ("webhooks", webhooks, WEBHOOKS),
    ]
    for what, burst, count in measured:
        for runtime in ("python", "typescript"):
            with TemporaryDirectory() as name:
                folder = Path(name) / "project"
                print(f"{what}, {runtime}: {burst(folder, count, runtime)}", flush=True)


if __name__ == "__main__":
    main()
