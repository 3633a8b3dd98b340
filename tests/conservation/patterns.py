"""How each messaging pattern is sent a message, and where that ends; in the catalogue's order.

To add a pattern, add a function that sends and an entry to `SERVICES`: all else is derived from the
stack's outputs and from the ids, which say what becomes of a message.
"""

import base64
import gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3
import yaml
from bursts import EVENT as PAYLOAD
from bursts import signed
from rendering import ROOT

from conservation.copy_of_table import CLOSED
from conservation.objects import RESULTS, ROWS
from conservation.orders import EFFECTS as FULFILLED
from conservation.orders import UNDONE
from conservation.outbox import SUBSCRIBER
from conservation.schedule import Message
from conservation.stack import Stack

MOMENT = "2026-01-05T10:00:00Z"
TASKS: dict[str, dict[str, Any]] = {
    "invoice": {"amount": 12950},
    "label": {"country": "DE", "grams": 700},
    "refund": {"amount": 4200},
}
INSISTS_FOR_SECONDS = 120
"""How long what did not succeed is tried again: an outage takes seconds on a busy machine."""
PAUSE_SECONDS = 0.05
SENDERS = 8

_http = urllib3.PoolManager(maxsize=SENDERS, retries=False)


@dataclass(frozen=True)
class Source:
    """What gives a function its messages."""

    defects: tuple[str, ...]
    """Names in `DEFECTS`."""
    strikes: int
    """How often a message may be struck and must be done all the same."""
    slow_seconds: float = 1.1
    """How long a slow message takes: longer than the shortest visibility timeout, which is a
    second, and less than an SDK waits for an answer, which is three."""
    at_a_time: int = 30
    """So many messages the service is given; it gets the next one when one is done."""


QUEUE = Source(("poison-not-kept",), strikes=4, slow_seconds=1.6)
# In a VPC without a way to SQS, SQS alone moves messages.
ISOLATED_QUEUE = replace(QUEUE, defects=("no-dead-letter-queue",))
# Each message is written before it is made and after it, so a slow one takes twice as long.
EFFECTS = Source(("key-of-the-attempt", "poison-not-kept"), strikes=4, slow_seconds=0.8)
# What a function receives itself is visible again after 1.5 s, which may pass on a busy machine.
POLLED_QUEUE = Source(("polled-poison-not-kept",), strikes=2, at_a_time=8)
EVENT = Source(("events-not-retried", "failed-events-not-kept"), strikes=2)
KEPT_EVENT = Source((*EVENT.defects, "failed-records-not-told"), strikes=2)
BARE_EVENT = Source(("events-not-retried", "failed-events-without-queue"), strikes=2)
# Lambda tries a record of a stream again for hours, and all that follow wait for it. So few strikes
# in a row, that a busy machine gets on between them.
STREAM = Source(
    (
        "older-changes-written",
        "records-not-retried",
        "stream-reports-not-heard",
        "failed-records-not-told",
    ),
    strikes=6,
    slow_seconds=0.5,
    at_a_time=60,
)
# Firehose invokes a function four times, and waits for a table.
DELIVERY = Source((), strikes=3, at_a_time=200)
# A kill seldom meets a batch that is being published, so that a missing retry would seldom show.
OUTBOX = Source(("failed-records-not-told",), strikes=6)
# A job is uploaded, which is an event; each of its batches is tried three times.
UPLOAD = Source(("failed-executions-not-kept", "failed-events-not-kept"), strikes=2)
# A step is tried six times, and an invocation that dies is another one's affair.
EXECUTION = Source(("failed-events-without-queue", "effects-not-kept"), strikes=2, slow_seconds=0.8)
# Subscribers are both, and a message is in the hands of either.
SUBSCRIBERS = Source((*QUEUE.defects, *EVENT.defects), strikes=2, slow_seconds=1.6)


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
    waits: frozenset[str] = frozenset()
    """Datastores: until these are there, messages stay in a queue or stream. All others are given
    up after some attempts."""
    in_order: bool = False
    """Whether a group's messages are done in the order in which they were sent."""

    def __str__(self) -> str:
        return f"{self.pattern}/{self.topology}-{self.datastore}"


@dataclass(frozen=True)
class Defect:
    """A change of the rendered project, in one file, wherever the expression is found there."""

    find: str
    replace: str
    shows_as: str
    """Which messages of the outcome are not as they should be: `lost`, `given_up`, `repeated`."""
    file: str = "template.yaml"
    """The pattern of the file's path."""

    def apply(self, project: Path) -> None:
        (file,) = project.glob(self.file)
        broken, places = re.subn(self.find, self.replace, file.read_text())
        assert places > 0, f"nothing is found: {self.find}"
        file.write_text(broken)


def _defects() -> dict[str, Defect]:
    wiring: dict[str, dict[str, str]] = yaml.safe_load(
        (ROOT / "templates/iac/sam/mutants.yml").read_text()
    )
    shown = {
        "no-dead-letter-queue": "lost",
        "failed-events-not-kept": "lost",
        "failed-executions-not-kept": "given_up",  # with those that succeed in their place
        "failed-events-without-queue": "lost",
        "events-not-retried": "given_up",
        "records-not-retried": "given_up",
        "stream-reports-not-heard": "lost",
        "failed-records-not-told": "lost",
    }
    defects = {name: Defect(**wiring[name], shows_as=how) for name, how in shown.items()}
    for name, sends, adapter in (
        ("poison-not-kept", r"self\._dead_letters\.send\(record, reason\)", "batches"),
        ("polled-poison-not-kept", r"self\._dead_letters\.send\(.*\)", "entries"),
    ):
        defects[name] = Defect(sends, '""', shows_as="lost", file=f"src/*/adapters/{adapter}.py")
    defects["older-changes-written"] = Defect(
        r"WHERE \(copy\.last_updated, copy\.sequence\)\s+< \(EXCLUDED.*\)",
        "WHERE true",
        shows_as="lost",
        file="src/*/adapters/reports/aurora_postgresql.py",
    )
    defects["key-of-the-attempt"] = Defect(
        r'f"\{charge\.id\}#charge"',
        'f"{charge.id}#{now}"',
        shows_as="repeated",
        file="src/*/logic.py",
    )
    # A slow step is killed after its effect and before Lambda knows of it.
    defects["effects-not-kept"] = Defect(
        r"done_at = if_not_exists\(done_at, :now\)",
        "done_at = :now",
        shows_as="repeated",
        file="src/*/adapters/effects/dynamodb.py",
    )
    return defects


DEFECTS = _defects()


def _one_end(done: str, dead: str) -> Callable[[Message], set[str]]:
    return lambda message: {dead if message.is_poison else done}


def _post_webhook(stack: Stack, message: Message) -> None:
    _post_signed(stack, message, stack.signing_key)


def _post_webhook_directly(stack: Stack, message: Message) -> None:
    """Post it to an API that takes it in whoever has signed it."""
    _post_signed(stack, message, b"forged" if message.is_other_poison else stack.signing_key)


def _post_signed(stack: Stack, message: Message, key: bytes) -> None:
    """Post it until it is accepted, as those do who send webhooks."""
    body = json.dumps({"no": "type"} if message.is_poison else PAYLOAD)
    headers = signed(key, message.id, body)
    url = f"{stack.outputs['ApiUrl']}/webhooks"

    def is_accepted() -> bool:
        answer = _http.request("POST", url, body=body, headers=headers, timeout=60)
        return answer.status == 202

    _insist(is_accepted, f"{message.id} was not accepted")


def _put_into_stream(stack: Stack, message: Message) -> None:
    """Put it as the API does, which a proof shows."""
    stack.client("kinesis").put_record(
        StreamName=stack.outputs["EventsStreamName"],
        PartitionKey=message.id,
        Data=_event_record(message),
    )


def _put_into_delivery(stack: Stack, message: Message) -> None:
    stack.client("firehose").put_record(
        DeliveryStreamName=stack.outputs["BatchesDeliveryStreamName"],
        Record={"Data": _event_record(message)},
    )


def _event_record(message: Message) -> bytes:
    page = None if message.is_poison else "/"
    event = {"id": message.id, "type": "click", "page": page, "occurred_at": MOMENT}
    return json.dumps({"received_at": int(time.time() * 1000), "event": event}).encode()


def _in_table(*dead: str) -> Callable[[Message], set[str]]:
    return lambda message: {*dead} if message.is_poison else {"Archive"}


def _hand_off(stack: Stack, message: Message) -> None:
    purchase = {
        "id": message.id,
        "customer": message.group,
        "amount": "much" if message.is_poison else 12950,
        "purchased_at": MOMENT,
    }
    _invoke(stack, "AwardFunctionName", purchase)


def _publish(stack: Stack, message: Message) -> None:
    """Let the publisher publish it, until it has; poison reaches subscribers only past it."""
    event = {
        "id": message.id,
        "version": 1,
        "type": _change(message),
        "tenant": message.group,
        "order": "order-17",
        "amount": "much" if message.is_poison else 12950,
    }
    if message.is_poison:
        _publish_unchecked(stack, event)
        return

    def is_published() -> bool:
        answer = stack.client("lambda").invoke(
            FunctionName=stack.outputs["PublishFunctionName"], Payload=json.dumps(event)
        )
        return "FunctionError" not in answer

    _insist(is_published, f"{message.id} was not published")


def _publish_unchecked(stack: Stack, event: dict[str, Any]) -> None:
    if topic := stack.outputs.get("OrdersTopicArn"):
        attributes = {"type": event["type"], "version": str(event["version"])}
        stack.client("sns").publish(
            TopicArn=topic,
            Message=json.dumps(event),
            MessageGroupId=event["tenant"],
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )
    else:
        _put_event(stack, "OrdersEventBusName", event)


def _change(message: Message) -> str:
    return "cancelled" if message.number % 2 else "placed"


def _publication_ends(message: Message) -> set[str]:
    """Everybody hears of placed orders, and only one subscriber of those that are cancelled."""
    if message.is_poison:
        ends = {"placed": "InvoicingDeadLetterQueue", "any": "AuditDeadLetterQueue"}
    else:
        ends = {"placed": "Invoices", "any": "Changes"}
    return {ends["any"], ends.get(_change(message), ends["any"])}


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
    if message.is_other_poison:
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
    _put_event(stack, "TasksEventBusName", _task(message))


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


def _send_charge(stack: Stack, message: Message) -> None:
    charge = {
        "id": message.id,
        "customer": message.group,
        "cents": "much" if message.is_poison else 12950,
        "currency": "EUR",
    }
    stack.client("sqs").send_message(
        QueueUrl=stack.queues["ChargingQueue"],
        MessageBody=json.dumps(charge),
        MessageGroupId=message.group,
    )


def _trigger_by_line(stack: Stack, message: Message) -> None:
    """Invoke the trigger with the lines of a log, as CloudWatch Logs does.

    The id stands beside them as well, since the lines are packed.
    """
    line = {"event": "uploaded", "key": message.id, "size": "much" if message.is_poison else 10}
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "uploads",
        "logStream": message.group,
        "subscriptionFilters": ["uploads"],
        "logEvents": [{"id": message.id, "timestamp": 0, "message": json.dumps(line)}],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    _trigger(stack, message, {"id": message.id, "awslogs": {"data": packed}})


def _trigger_by_object(stack: Stack, message: Message) -> None:
    """Invoke the trigger with an object that was created, as EventBridge does."""
    size = "much" if message.is_poison else 10
    created = {"key": message.id, "size": size, "sequencer": "0064B1"}
    _trigger(stack, message, {"source": "aws.s3", "detail": {"object": created}})


def _trigger(stack: Stack, message: Message, event: dict[str, Any]) -> None:
    """Invoke the trigger; half of the poison reaches the consumers past it."""
    if message.is_other_poison:
        upload = {"id": message.id, "key": message.id, "size": "much"}
        topic = stack.outputs["UploadsTopicArn"]
        stack.client("sns").publish(TopicArn=topic, Message=json.dumps(upload))
    else:
        _invoke(stack, "TriggerFunctionName", event)


def _upload_ends(message: Message) -> set[str]:
    if not message.is_poison:
        return {"Scans", "Bills", "Notices"}
    if message.number % 2:
        return {f"{each}DeadLetterQueue" for each in ("Scanning", "Billing", "Notifying")}
    return {"TriggerDeadLetterQueue"}


def _change_order(stack: Stack, message: Message) -> None:
    """Store an order, change it, and close or delete it; poison gets into the table past the API.

    What is sent twice are changes of the order: how it is now, and how it never was, but was said
    to be long ago.
    """
    if message.is_poison:
        item = {"id": {"S": message.id}, "amount": {"S": "much"}}
        stack.client("dynamodb").put_item(TableName=stack.tables["Orders"], Item=item)
    elif message.copy > 1:
        _copy_again(stack, message)
    else:
        _request_order(stack, message, "PUT", status="open")
        if message.number % 2:
            _request_order(stack, message, "PUT", status="paid")
        if message.number % 3:
            _request_order(stack, message, "PUT", status=CLOSED)
        else:
            _request_order(stack, message, "DELETE")


def _request_order(stack: Stack, message: Message, method: str, status: str = "") -> None:
    """Ask the API until it has done so; a deletion may be done although it did not answer."""
    url = f"{stack.outputs['ApiUrl']}/orders/{message.id}"
    body = json.dumps({"customer": message.group, "status": status, "amount": message.number})
    done = {200, 201} if method == "PUT" else {204, 404}

    def is_done() -> bool:
        answer = _http.request(method, url, body=body if status else None, timeout=60)
        return answer.status in done

    _insist(is_done, f"{method} of {message.id} failed")


def _copy_again(stack: Stack, message: Message) -> None:
    """Give the function changes of an order as Lambda does, until it has taken them."""
    key = {"id": {"S": message.id}}
    late = {
        **key,
        "customer": {"S": message.group},
        "status": {"S": "open"},
        "amount": {"N": "1"},
        "last_updated": {"S": MOMENT},
    }
    item = stack.client("dynamodb").get_item(TableName=stack.tables["Orders"], Key=key).get("Item")
    changes = [(item, "1"), (late, "9" * 38)] if item else [(late, "9" * 38)]
    records = [
        {
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": sequence},
        }
        for image, sequence in changes
    ]

    def is_taken() -> bool:
        answer = stack.client("lambda").invoke(
            FunctionName=stack.outputs["CopyFunctionName"],
            Payload=json.dumps({"Records": records}),
        )
        return bool(json.load(answer["Payload"]) == {"batchItemFailures": []})

    _insist(is_taken, f"changes of {message.id} were not taken")


def _tell_of_order(stack: Stack, message: Message) -> None:
    """Store an order, which makes an event; poison gets into the table past the API."""
    if message.is_poison:
        item = {"id": {"S": f"event#{message.id}"}, "event": {"S": "{}"}}
        stack.client("dynamodb").put_item(TableName=stack.tables["Orders"], Item=item)
    else:
        _request_order(stack, message, "PUT", status="open")


def _copy_ends(message: Message) -> set[str]:
    if message.is_poison:
        return {"OrdersToCopyDeadLetterQueue"}
    # One row for the order, however often its changes come.
    return {"Reports"} if message.copy == 1 else set()


def _upload_job(stack: Stack, message: Message) -> None:
    """Upload a job of some rows; poison is no job by its key, or has a row that is not valid."""
    key = f"{message.id}.{'txt' if message.is_other_poison else 'jsonl'}"
    units = "many" if message.is_poison else 1
    rows = [{"id": f"row-{number}", "units": units} for number in range(ROWS)]
    stack.client("s3").put_object(
        Bucket=stack.outputs["JobsBucketName"],
        Key=key,
        Body="".join(f"{json.dumps(row)}\n" for row in rows),
    )


def _job_ends(message: Message) -> set[str]:
    if message.is_poison:
        return {"StartDeadLetterQueue" if message.is_other_poison else "ProcessDeadLetterQueue"}
    # One result for the job, however often it is uploaded.
    return {RESULTS} if message.copy == 1 else set()


def _place_order(stack: Stack, message: Message) -> None:
    """Place an order; poison is shipped nowhere, or no order, which gets only past the API."""
    order = {
        "customer": message.group,
        "country": "XX" if message.is_poison else "DE",
        "items": [{"sku": "tea", "quantity": 1, "price_cents": 1295}],
    }
    if message.is_other_poison:
        _invoke(stack, "OrderFunctionAliasArn", {"order_id": message.id, "order": "much"})
        return
    url = f"{stack.outputs['ApiUrl']}/orders/{message.id}"

    def is_accepted() -> bool:
        answer = _http.request("PUT", url, body=json.dumps(order), timeout=60)
        return answer.status == 202

    _insist(is_accepted, f"{message.id} was not accepted")


def _order_ends(message: Message) -> set[str]:
    if message.copy > 1:
        return set()  # one execution for the order, however often it is placed
    if message.is_other_poison:
        return {"OrderDeadLetterQueue"}
    return {UNDONE if message.is_poison else FULFILLED}


def _put_event(stack: Stack, bus: str, event: dict[str, Any]) -> None:
    entry = {
        "EventBusName": stack.outputs[bus],
        "Source": "shop",
        "DetailType": event["type"],
        "Detail": json.dumps(event),
    }
    answer = stack.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def _invoke(stack: Stack, function: str, event: dict[str, Any]) -> None:
    stack.client("lambda").invoke(
        FunctionName=stack.outputs[function], InvocationType="Event", Payload=json.dumps(event)
    )


def _insist(succeeds: Callable[[], bool], failure: str) -> None:
    """Try until it succeeds, as clients do: failures in a row are no end during an outage."""
    until = time.monotonic() + INSISTS_FOR_SECONDS
    while not succeeds():
        if time.monotonic() > until:
            raise AssertionError(failure)
        time.sleep(PAUSE_SECONDS)


WEBHOOK = _one_end("Events", "DeliveriesDeadLetterQueue")
HAND_OFF = _one_end("Awards", "AwardDeadLetterQueue")
ENTRY = _one_end("Ledger", "EntriesDeadLetterQueue")
USAGE = _one_end("Records", "UsageDeadLetterQueue")
CHARGE = _one_end("Charges", "ChargingDeadLetterQueue")

SERVICES = [
    *(
        Service(
            "scalable-webhook",
            "function",
            waits=frozenset({"Events"}),
            datastore=datastore,
            send=_post_webhook,
            ends=WEBHOOK,
            source=source,
            messages=300,
            senders=SENDERS,
        )
        for datastore, source in (("dynamodb", QUEUE), ("aurora-postgresql", ISOLATED_QUEUE))
    ),
    Service(
        "scalable-webhook",
        "direct",
        waits=frozenset({"Events"}),
        send=_post_webhook_directly,
        ends=lambda m: {"RefusedQueue"} if m.is_other_poison else WEBHOOK(m),
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
        "s3-destination",
        send=_hand_off,
        ends=HAND_OFF,
        source=KEPT_EVENT,
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
    *(
        Service(
            "notifier",
            topology,
            waits=frozenset({"Invoices"}),
            send=_publish,
            ends=_publication_ends,
            source=SUBSCRIBERS,
            messages=200,
            senders=SENDERS,
        )
        for topology in ("sns", "eventbridge")
    ),
    Service(
        "fifoer",
        "native",
        waits=frozenset({"Ledger"}),
        send=_send_entry,
        ends=ENTRY,
        source=QUEUE,
        messages=200,
        in_order=True,
    ),
    Service(
        "fifoer",
        "scheduled",
        waits=frozenset({"Ledger"}),
        send=_send_entry,
        ends=ENTRY,
        source=POLLED_QUEUE,
        messages=40,
        in_order=True,
    ),
    *(
        Service(
            "streamer",
            topology,
            datastore="iceberg",
            send=send,
            ends=_in_table(*dead),
            source=DELIVERY,
            messages=900,
            senders=SENDERS,
        )
        for topology, send, dead in (
            (
                "kinesis",
                _put_into_stream,
                ("BatchesDeadLetterQueue", "EventsToCountDeadLetterQueue"),
            ),
            ("direct", _put_into_delivery, ("BatchesDeadLetterQueue",)),
        )
    ),
    Service(
        "state-machine",
        "durable",
        send=_place_order,
        ends=_order_ends,
        source=EXECUTION,
        messages=100,
        senders=SENDERS,
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
    *(
        Service(
            "frugal-consumer",
            "standard",
            waits=frozenset({"Records"}),
            datastore=datastore,
            send=_send_usage,
            ends=USAGE,
            source=source,
            messages=300,
        )
        for datastore, source in (("aurora-postgresql", ISOLATED_QUEUE), ("dynamodb", QUEUE))
    ),
    Service(
        "frugal-consumer",
        "third-party",
        waits=frozenset({"Charges"}),
        send=_send_charge,
        ends=CHARGE,
        source=EFFECTS,
        messages=200,
    ),
    Service(
        "fan-out-fan-in",
        "s3-object",
        datastore="none",
        send=_upload_job,
        ends=_job_ends,
        source=UPLOAD,
        messages=150,
        senders=SENDERS,
    ),
    Service(
        "eventually-consistent",
        "streams",
        waits=frozenset({"Reports"}),
        datastore="aurora-postgresql",
        send=_change_order,
        ends=_copy_ends,
        source=STREAM,
        messages=100,
        senders=SENDERS,
    ),
    Service(
        "eventually-consistent",
        "outbox",
        waits=frozenset({"Subscriber"}),
        datastore="none",
        send=_tell_of_order,
        ends=_one_end(SUBSCRIBER, "OrdersToPublishDeadLetterQueue"),
        source=OUTBOX,
        messages=150,
        senders=SENDERS,
    ),
    *(
        Service(
            "distributed-trigger",
            topology,
            waits=frozenset({"Bills", "Notices", "Scans"}),
            datastore="none",
            send=send,
            ends=_upload_ends,
            source=replace(EVENT, slow_seconds=SUBSCRIBERS.slow_seconds),
            messages=150,
        )
        for topology, send in (("s3-topic", _trigger_by_object), ("logs-topic", _trigger_by_line))
    ),
    *(
        Service(
            "distributed-trigger",
            topology,
            waits=frozenset({"Bills", "Notices", "Scans"}),
            send=send,
            ends=_upload_ends,
            source=SUBSCRIBERS,
            messages=150,
        )
        for topology, send in (
            ("cloudwatch-logs", _trigger_by_line),
            ("s3-events", _trigger_by_object),
        )
    ),
]
