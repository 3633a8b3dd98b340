"""How each messaging pattern is sent a message, and where that ends; in the catalogue's order.

To add a pattern, add a function that sends and an entry to `SERVICES`: all else is derived from the
stack's outputs and from the ids, which say what becomes of a message.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from bursts import EVENT as PAYLOAD
from bursts import signed
from rendering import ROOT

from conservation.schedule import Message
from conservation.stack import Stack

MOMENT = "2026-01-05T10:00:00Z"
TASKS: dict[str, dict[str, Any]] = {
    "invoice": {"amount": 12950},
    "label": {"country": "DE", "grams": 700},
    "refund": {"amount": 4200},
}
WEBHOOK_TRIES = 50
SENDERS = 8

_http = urllib3.PoolManager(maxsize=SENDERS, retries=False)


@dataclass(frozen=True)
class Source:
    """What gives a function its messages."""

    defects: tuple[str, ...]
    """Names in `DEFECTS`; `make test` shows the first one, once for each pattern."""
    strikes: int
    """How often a message may be struck and must be done all the same."""
    slow_seconds: float = 1.1
    """How long a slow message takes: longer than the shortest visibility timeout, which is a
    second, and less than an SDK waits for an answer, which is three."""
    at_a_time: int = 30
    """So many messages the service is given; it gets the next one when one is done."""


QUEUE = Source(("visibility-too-short", "no-dead-letter-queue"), strikes=4, slow_seconds=1.6)
# What a function receives itself is visible again after 1.5 s, which may pass on a busy machine.
POLLED_QUEUE = Source(QUEUE.defects, strikes=2, at_a_time=8)
EVENT = Source(("events-not-retried", "failed-events-not-kept"), strikes=2)
BARE_EVENT = Source(("events-not-retried", "failed-events-without-queue"), strikes=2)


@dataclass(frozen=True)
class Service:
    """A pattern in one of its topologies."""

    pattern: str
    topology: str
    send: Callable[[Stack, Message], None]
    ends: Callable[[Message], set[str]]
    """Where a message must be in the end: nodes of datastores, or queues."""
    source: Source
    messages: int
    """So many take about 10 s on a machine that has nothing else to do."""
    datastore: str = "dynamodb"
    senders: int = 1
    keeps: frozenset[str] = frozenset()
    """Queues that keep messages, beside the dead-letter queues."""
    in_order: bool = False
    """Whether a group's messages are done in the order in which they were sent."""

    def __str__(self) -> str:
        return f"{self.pattern}/{self.topology}-{self.datastore}"


@dataclass(frozen=True)
class Defect:
    """A change of the rendered project's `template.yaml`, wherever the expression is found."""

    find: str
    replace: str
    shows_as: str
    """Which messages of the outcome are not where they should be: `lost` or `given_up`."""

    def apply(self, project: Path) -> None:
        template = project / "template.yaml"
        broken, places = re.subn(self.find, self.replace, template.read_text())
        assert places > 0, f"nothing is found: {self.find}"
        template.write_text(broken)


def _defects() -> dict[str, Defect]:
    wiring: dict[str, dict[str, str]] = yaml.safe_load(
        (ROOT / "templates/iac/sam/mutants.yml").read_text()
    )
    shown = {
        "no-dead-letter-queue": "lost",
        "failed-events-not-kept": "lost",
        "failed-events-without-queue": "lost",
        "events-not-retried": "given_up",
    }
    defects = {name: Defect(**wiring[name], shows_as=how) for name, how in shown.items()}
    # AWS refuses it for a new event source mapping, not when a queue is changed later.
    defects["visibility-too-short"] = Defect(
        r"VisibilityTimeout: \d+", "VisibilityTimeout: 1", shows_as="given_up"
    )
    return defects


DEFECTS = _defects()


def _one_end(done: str, dead: str) -> Callable[[Message], set[str]]:
    return lambda message: {dead if message.is_poison else done}


def _post_webhook(stack: Stack, message: Message) -> None:
    _post_signed(stack, message, stack.signing_key)


def _post_webhook_directly(stack: Stack, message: Message) -> None:
    """Post it to an API that takes it in whoever has signed it."""
    _post_signed(stack, message, b"forged" if _is_forged(message) else stack.signing_key)


def _is_forged(message: Message) -> bool:
    return message.is_poison and message.number % 2 == 1


def _post_signed(stack: Stack, message: Message, key: bytes) -> None:
    """Post it until it is accepted, as those do who send webhooks."""
    body = json.dumps({"no": "type"} if message.is_poison else PAYLOAD)
    headers = signed(key, message.id, body)
    url = f"{stack.outputs['ApiUrl']}/webhooks"
    for _ in range(WEBHOOK_TRIES):
        if _http.request("POST", url, body=body, headers=headers, timeout=60).status == 202:
            return
    raise AssertionError(f"{message.id} was not accepted")


def _hand_off(stack: Stack, message: Message) -> None:
    purchase = {
        "id": message.id,
        "customer": message.group,
        "amount": "much" if message.is_poison else 12950,
        "purchased_at": MOMENT,
    }
    _invoke(stack, "AwardFunctionName", purchase)


def _send_entry(stack: Stack, message: Message) -> None:
    entry = {
        "id": message.id,
        "account": message.group,
        "amount_cents": "much" if message.is_poison else 1,
    }
    stack.client("sqs").send_message(
        QueueUrl=stack.queues["EntriesQueue"],
        MessageBody=json.dumps(entry),
        MessageGroupId=message.group,
        # As it is five minutes later, when SQS has forgotten the first one.
        MessageDeduplicationId=f"{message.id}-{message.copy}",
    )


def _type_of(message: Message) -> str:
    """Each poison message with an odd number is of a type that nobody knows."""
    if message.is_poison and message.number % 2:
        return "unknown"
    return list(TASKS)[message.number % len(TASKS)]


def _task(message: Message) -> dict[str, Any]:
    kind = _type_of(message)
    fields = TASKS.get(kind, {})
    order = 17 if message.is_poison else "order-17"
    return {"id": message.id, "type": kind, "order": order, **fields}


def _task_ends(unknown: str) -> Callable[[Message], set[str]]:
    def ends(message: Message) -> set[str]:
        if not message.is_poison:
            return {"Results"}
        kind = _type_of(message)
        return {unknown if kind == "unknown" else f"{kind.capitalize()}DeadLetterQueue"}

    return ends


def _send_task(stack: Stack, message: Message) -> None:
    _invoke(stack, "RouteFunctionName", _task(message))


def _put_task(stack: Stack, message: Message) -> None:
    task = _task(message)
    event = {
        "EventBusName": stack.outputs["TasksEventBusName"],
        "Source": "shop",
        "DetailType": task["type"],
        "Detail": json.dumps(task),
    }
    answer = stack.client("events").put_events(Entries=[event])
    assert answer["FailedEntryCount"] == 0


def _send_usage(stack: Stack, message: Message) -> None:
    record = {
        "id": message.id,
        "tenant": message.group,
        "metric": "api-calls",
        "quantity": "many" if message.is_poison else 1,
        "recorded_at": MOMENT,
    }
    stack.client("sqs").send_message(
        QueueUrl=stack.queues["UsageQueue"],
        MessageBody=json.dumps(record),
        MessageGroupId=message.group,
    )


def _invoke(stack: Stack, function: str, event: dict[str, Any]) -> None:
    stack.client("lambda").invoke(
        FunctionName=stack.outputs[function], InvocationType="Event", Payload=json.dumps(event)
    )


WEBHOOK = _one_end("Events", "DeliveriesDeadLetterQueue")
HAND_OFF = _one_end("Awards", "AwardDeadLetterQueue")
ENTRY = _one_end("Ledger", "EntriesDeadLetterQueue")
USAGE = _one_end("Records", "UsageDeadLetterQueue")

SERVICES = [
    Service(
        "scalable-webhook",
        "function",
        send=_post_webhook,
        ends=WEBHOOK,
        source=QUEUE,
        messages=300,
        senders=SENDERS,
    ),
    Service(
        "scalable-webhook",
        "function",
        datastore="aurora-postgresql",
        send=_post_webhook,
        ends=WEBHOOK,
        source=QUEUE,
        messages=300,
        senders=SENDERS,
    ),
    Service(
        "scalable-webhook",
        "direct",
        send=_post_webhook_directly,
        ends=lambda m: {"RefusedQueue"} if _is_forged(m) else WEBHOOK(m),
        source=QUEUE,
        messages=300,
        senders=SENDERS,
        keeps=frozenset({"RefusedQueue"}),
    ),
    Service(
        "internal-handoff",
        "destination",
        send=_hand_off,
        ends=HAND_OFF,
        source=EVENT,
        messages=300,
    ),
    Service(
        "internal-handoff",
        "dead-letter-queue",
        send=_hand_off,
        ends=HAND_OFF,
        source=BARE_EVENT,
        messages=300,
    ),
    Service(
        "fifoer",
        "native",
        send=_send_entry,
        ends=ENTRY,
        source=QUEUE,
        messages=200,
        in_order=True,
    ),
    Service(
        "fifoer",
        "scheduled",
        send=_send_entry,
        ends=ENTRY,
        source=POLLED_QUEUE,
        messages=40,
        in_order=True,
    ),
    Service(
        "router",
        "function",
        send=_send_task,
        ends=_task_ends("RouteDeadLetterQueue"),
        source=EVENT,
        messages=300,
    ),
    Service(
        "router",
        "event-rules",
        send=_put_task,
        ends=_task_ends("UnknownQueue"),
        keeps=frozenset({"UnknownQueue"}),
        source=EVENT,
        messages=300,
    ),
    Service(
        "frugal-consumer",
        "standard",
        datastore="aurora-postgresql",
        send=_send_usage,
        ends=USAGE,
        source=QUEUE,
        messages=300,
    ),
    Service(
        "frugal-consumer",
        "standard",
        send=_send_usage,
        ends=USAGE,
        source=QUEUE,
        messages=300,
    ),
]
