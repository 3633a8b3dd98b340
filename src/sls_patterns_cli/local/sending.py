"""Sends one message, event, record or object into a resource of a running stack."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.running import Resource, Running


@dataclass(frozen=True)
class Message:
    """What is sent, and what a client may say about it."""

    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The message's attributes, as text: filters of subscriptions read them."""
    key: str = ""
    """The message group, partition key or object key; by default one that no other has."""

    @property
    def text(self) -> str:
        """The body as text; raises UserError if it is not in UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise UserError("the file is not text in UTF-8") from error

    @property
    def document(self) -> Any:
        """The body as JSON; raises UserError if it is none."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise UserError(f"the file is not JSON: {error}") from error

    @property
    def own_key(self) -> str:
        return self.key or str(uuid.uuid4())

    def as_attributes(self) -> dict[str, dict[str, str]]:
        """The attributes as SQS and SNS take them."""
        return {
            name: {"DataType": "String", "StringValue": value}
            for name, value in self.attributes.items()
        }


def send(running: Running, name: str, message: Message) -> str:
    """Send a message to the resource `name`, and return what the service calls it.

    Raises UserError for a resource that takes none, and with what the service says if it refuses.
    """
    import botocore.exceptions

    resource = running.resource(name, SENDERS)
    try:
        return SENDERS[resource.type](running, resource, message)
    except (botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError) as error:
        raise UserError(f"{resource.logical_id} refused it: {error}", 1) from error


def _to_queue(running: Running, queue: Resource, message: Message) -> str:
    sent = running.client("sqs").send_message(
        QueueUrl=queue.physical_id,
        MessageBody=message.text,
        MessageAttributes=message.as_attributes(),
        **_order(queue, message),
    )
    return f"message {sent['MessageId']}"


def _to_topic(running: Running, topic: Resource, message: Message) -> str:
    sent = running.client("sns").publish(
        TopicArn=topic.physical_id,
        Message=message.text,
        MessageAttributes=message.as_attributes(),
        **_order(topic, message),
    )
    return f"message {sent['MessageId']}"


def _order(resource: Resource, message: Message) -> dict[str, str]:
    """What a FIFO queue or topic asks for: a group, and an id that no other message has."""
    if not resource.physical_id.endswith(".fifo"):
        return {}
    return {
        "MessageGroupId": message.own_key,
        "MessageDeduplicationId": str(uuid.uuid4()),
    }


def _to_bus(running: Running, bus: Resource, message: Message) -> str:
    event = message.document
    if not _is_event(event):
        raise UserError("an event of EventBridge is JSON with source, detail-type and detail")
    sent = running.client("events").put_events(
        Entries=[
            {
                "EventBusName": bus.physical_id,
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event.get("resources", []),
            }
        ]
    )
    return _event_id(bus, sent)


def _to_custom_bus(running: Running, bus: Resource, message: Message) -> str:
    event, to = message.document, {"EventBusArn": bus.physical_id}
    client, order = running.client("eventbridgev2"), {}
    if message.key:
        order["EventGroupId"] = message.key
    if _is_event(event) and not message.attributes:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
            "SystemMetadata": order,
        }
        sent = client.put_events(**to, Entries=[entry])
    else:
        raw = {
            "Data": message.body,
            "Metadata": dict(message.attributes),
            "SystemMetadata": {"ContentType": "application/json", **order},
        }
        sent = client.put_raw_events(**to, Entries=[raw])
    return _event_id(bus, sent)


def _is_event(document: Any) -> bool:
    return isinstance(document, dict) and {"source", "detail-type", "detail"} <= document.keys()


def _event_id(bus: Resource, sent: Any) -> str:
    """Return the id of the one event that was sent; raises UserError if the bus refused it."""
    (entry,) = sent["Entries"]
    if "EventId" not in entry:
        raise UserError(f"{bus.logical_id} refused it: {entry.get('ErrorMessage')}", 1)
    return f"event {entry['EventId']}"


def _to_stream(running: Running, stream: Resource, message: Message) -> str:
    sent = running.client("kinesis").put_record(
        StreamName=stream.physical_id, Data=message.body, PartitionKey=message.own_key
    )
    return f"record {sent['SequenceNumber']} in {sent['ShardId']}"


def _to_delivery(running: Running, delivery: Resource, message: Message) -> str:
    sent = running.client("firehose").put_record(
        DeliveryStreamName=delivery.physical_id, Record={"Data": message.body}
    )
    return f"record {sent['RecordId']}"


def _to_machine(running: Running, machine: Resource, message: Message) -> str:
    input_ = json.dumps(message.document)
    started = running.client("stepfunctions").start_execution(
        stateMachineArn=machine.physical_id, input=input_, name=message.own_key
    )
    return f"execution {started['executionArn'].rpartition(':')[2]}"


def _to_bucket(running: Running, bucket: Resource, message: Message) -> str:
    key = message.own_key
    running.client("s3").put_object(Bucket=bucket.physical_id, Key=key, Body=message.body)
    return f"object {key}"


def _to_table(running: Running, table: Resource, message: Message) -> str:
    from decimal import Decimal

    from boto3.dynamodb.types import TypeSerializer

    item = json.loads(json.dumps(message.document), parse_float=Decimal)
    if not isinstance(item, dict):
        raise UserError("an item of a table is a JSON object")
    serialize = TypeSerializer().serialize
    running.client("dynamodb").put_item(
        TableName=table.physical_id,
        Item={name: serialize(value) for name, value in item.items()},
    )
    return "item"


def _to_function(running: Running, function: Resource, message: Message) -> str:
    running.client("lambda").invoke(
        FunctionName=function.physical_id,
        InvocationType="Event",
        Payload=json.dumps(message.document).encode(),
    )
    return "asynchronous invocation"


SENDERS: dict[str, Callable[[Running, Resource, Message], str]] = {
    "AWS::DynamoDB::Table": _to_table,
    "AWS::Events::EventBus": _to_bus,
    "AWS::EventsV2::EventBus": _to_custom_bus,
    "AWS::Kinesis::Stream": _to_stream,
    "AWS::KinesisFirehose::DeliveryStream": _to_delivery,
    "AWS::Lambda::Function": _to_function,
    "AWS::S3::Bucket": _to_bucket,
    "AWS::SNS::Topic": _to_topic,
    "AWS::SQS::Queue": _to_queue,
    "AWS::StepFunctions::StateMachine": _to_machine,
}
"""How a message gets into a resource, by its type."""
