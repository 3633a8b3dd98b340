"""How something is sent in, at the source of an edge: what a real sender would send.

Each takes the deployment and the edge, and returns a call that sends some messages, with the text
of each in it, or None where the emulator has nothing to send to.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from sls_patterns_cli.cloudformation.stack import Resource, inside, mappings
from sls_patterns_cli.prove.deployment import Deployment
from sls_patterns_cli.prove.patterns import ANY, matching
from sls_patterns_cli.wiring.edges.invocations import is_durable
from sls_patterns_cli.wiring.edges.rules import DEFAULT_BUS
from sls_patterns_cli.wiring.model import (
    BUCKET,
    BUS,
    DELIVERY,
    FUNCTION,
    LOG_FILTER,
    LOG_GROUP,
    MACHINE,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    STREAM,
    SUBSCRIBER,
    TABLE,
    TOPIC,
    Edge,
    place_of,
)

Send = Callable[[Sequence[str]], None]
"""Sends a message for each text."""

_numbers = count()

ENVELOPE = {"source", "detail-type", "detail"}
"""What a filter names of an event of PutEvents, and this tool can choose."""


def stimulus(deployment: Deployment, edge: Edge) -> Send | None:
    """Return what sends messages along an edge, or None where it cannot be done here."""
    declared = deployment.stack.resources[edge.declared_by]
    if declared.type in {RULE, SCHEDULE} and declared.get("ScheduleExpression"):
        return _fired(deployment, edge)
    if declared.type == RULE and (pattern := declared.get("EventPattern")):
        return _object_for(deployment, edge, pattern) or _event(deployment, declared, pattern)
    if declared.type == SUBSCRIBER:
        return _published(deployment, declared)
    source = deployment.resource(edge.source)
    make = _BY_TYPE.get(source.type) if source else None
    if make and source:
        return make(deployment, source, edge)
    return None


def direct(deployment: Deployment, edge: Edge) -> Send | None:
    """Return what calls the target as its source would: for sources that are not here."""
    target = deployment.resource(edge.target, FUNCTION, MACHINE)
    if target is None:
        return None
    if target.type == MACHINE:
        return _started(deployment, target)
    # A durable function is invoked by a qualifier, even by this one.
    unqualified = edge.qualifier == "$LATEST" and not is_durable(target)
    qualifier = {} if unqualified else {"Qualifier": edge.qualifier}
    name = deployment.ids[edge.target]

    def invoke(texts: Sequence[str]) -> None:
        client = deployment.client("lambda")
        for text in texts:
            payload = json.dumps({"message": text}).encode()
            client.invoke(FunctionName=name, InvocationType="Event", Payload=payload, **qualifier)

    return invoke


def _started(deployment: Deployment, machine: Resource) -> Send:
    def start(texts: Sequence[str]) -> None:
        client = deployment.client("stepfunctions")
        for text in texts:
            arn = deployment.arn(machine.name)
            client.start_execution(stateMachineArn=arn, input=json.dumps({"message": text}))

    return start


def _fired(deployment: Deployment, edge: Edge) -> Send | None:
    arn = deployment.arn(edge.declared_by)
    if not arn:
        return None
    return lambda _: deployment.control({"do": "fire", "arn": arn})


def _event(deployment: Deployment, rule: Resource, pattern: Any) -> Send | None:
    if not isinstance(pattern, Mapping) or deployment.resource(rule.name) is None:
        return None
    bus = rule.get("EventBusName")
    name = _bus_name(deployment, bus)
    if name is None:
        return None

    def put(texts: Sequence[str]) -> None:
        event = matching(deployment.literal(pattern))
        for text in texts:
            entry = {
                "Source": event.get("source", "sls-patterns"),
                "DetailType": event.get("detail-type", "sls-patterns"),
                "Detail": json.dumps({"message": text, **_mapping(event.get("detail"))}),
                "Resources": event.get("resources", []),
                "EventBusName": name,
            }
            if isinstance(entry["Resources"], str):
                entry["Resources"] = [entry["Resources"]]
            deployment.control({"do": "event", "entry": entry})

    return put


def _bus_name(deployment: Deployment, bus: Any) -> str | None:
    if bus is None or bus == DEFAULT_BUS:
        return DEFAULT_BUS
    found = deployment.stack.found(bus, BUS)
    if found:
        return deployment.ids.get(found.name)
    text = deployment.literal(bus)
    return text if isinstance(text, str) else None


def _object_for(deployment: Deployment, edge: Edge, pattern: Any) -> Send | None:
    """An object in a bucket of the stack that sends its events to EventBridge."""
    bucket = deployment.resource(edge.source, BUCKET)
    if bucket is None:
        return None
    event = matching(deployment.literal(pattern))
    key = str(inside(event, "detail", "object", "key") or "")
    if event.get("detail-type", "Object Created") != "Object Created":
        return None
    prefix, is_open, suffix = key.partition(ANY)
    if key and not is_open:
        return _put_object(deployment, bucket, key)
    return _put_objects(deployment, bucket, prefix, suffix)


def _messages(deployment: Deployment, queue: Resource, edge: Edge) -> Send:
    url, is_fifo = deployment.ids[queue.name], queue.is_true("FifoQueue")
    wanted = _filter(deployment, edge)

    def send(texts: Sequence[str]) -> None:
        entries = []
        for number, text in enumerate(texts):
            entry = {"Id": str(number), "MessageBody": _body(wanted.get("body"), text)}
            if is_fifo:
                entry |= {"MessageGroupId": "prove", "MessageDeduplicationId": _unique()}
            entries.append(entry)
        for start in range(0, len(entries), 10):
            deployment.client("sqs").send_message_batch(
                QueueUrl=url, Entries=entries[start : start + 10]
            )

    return send


def _body(wanted: Any, text: str) -> str:
    """What a filter takes: an object, or a text; else an object with the text."""
    if isinstance(wanted, str):
        return wanted
    return json.dumps({"message": text, **_mapping(wanted)})


def _notifications(deployment: Deployment, topic: Resource, edge: Edge) -> Send:
    arn = deployment.arn(topic.name)
    declared = deployment.stack.resources[edge.declared_by]
    policy = declared.get("FilterPolicy")
    policy = policy if isinstance(policy, Mapping) else {}
    in_body = declared.get("FilterPolicyScope") == "MessageBody"

    def publish(texts: Sequence[str]) -> None:
        wanted = matching(deployment.literal(policy))
        for text in texts:
            given: dict[str, Any] = {"TopicArn": arn, "Message": text}
            if in_body:
                given["Message"] = _body(wanted, text)
            else:
                given["MessageAttributes"] = {
                    name: {
                        "DataType": "String" if isinstance(value, str) else "Number",
                        "StringValue": str(value),
                    }
                    for name, value in wanted.items()
                }
            if topic.is_true("FifoTopic"):
                given |= {"MessageGroupId": "prove", "MessageDeduplicationId": _unique()}
            deployment.client("sns").publish(**given)

    return publish


def _published(deployment: Deployment, declared: Resource) -> Send:
    """An event of PutEvents, or of PutRawEvents where a filter takes only such."""
    arn = deployment.literal(declared.get("EventBusArn"))
    wanted = _by_scope(deployment, declared)
    data, system = wanted.get("DATA", {}), wanted.get("SYSTEM_METADATA", {})
    given = {key: system[key] for key in ("EventGroupId", "DeduplicationId") if key in system}
    is_envelope = "METADATA" not in wanted and data.keys() <= ENVELOPE

    def put(texts: Sequence[str]) -> None:
        client = deployment.client("eventbridgev2")
        if is_envelope:
            entry = {
                "Source": data.get("source") or system.get("aws:Source", "sls-patterns"),
                "DetailType": data.get("detail-type")
                or system.get("aws:DetailType", "sls-patterns"),
                "SystemMetadata": given,
            }
            details = [_body(data.get("detail"), text) for text in texts]
            client.put_events(
                EventBusArn=arn, Entries=[{**entry, "Detail": detail} for detail in details]
            )
            return
        kind = system.get("ContentType", "application/json")
        raw: dict[str, Any] = {
            "Metadata": wanted.get("METADATA", {}),
            "SystemMetadata": {"ContentType": kind, **given},
        }
        bodies = [_body(data, text).encode() for text in texts]
        client.put_raw_events(EventBusArn=arn, Entries=[{**raw, "Data": body} for body in bodies])

    return put


def _by_scope(deployment: Deployment, declared: Resource) -> dict[str, dict[str, Any]]:
    """Return what an event must have in each part that a subscriber filters."""
    found: dict[str, dict[str, Any]] = {}
    for each in declared.items("FilterConfiguration", "Filters"):
        with suppress(ValueError, TypeError):
            pattern = json.loads(deployment.literal(each.get("Pattern")))
            found[str(each.get("Scope"))] = matching(pattern)
    return found


def _objects(deployment: Deployment, bucket: Resource, edge: Edge) -> Send | None:
    declared = deployment.stack.resources[edge.declared_by]
    for configuration in _notices(declared):
        if _target_of(deployment, configuration) == edge.target:
            events = configuration.get("Events") or [configuration.get("Event")]
            if not any(str(event).startswith("s3:ObjectCreated") for event in events):
                return None
            prefix, suffix = _affixes(configuration)
            return _put_objects(deployment, bucket, prefix, suffix)
    return None


def _notices(declared: Resource) -> Iterator[dict[str, Any]]:
    given = declared.get("NotificationConfiguration")
    for part in given.values() if isinstance(given, Mapping) else ():
        yield from mappings(part)


def _target_of(deployment: Deployment, configuration: Mapping[str, Any]) -> str:
    for key in ("Function", "LambdaFunctionArn", "Queue", "QueueArn", "Topic", "TopicArn"):
        if key in configuration:
            return place_of(deployment.stack, configuration[key]).name
    return ""


def _affixes(configuration: Mapping[str, Any]) -> tuple[str, str]:
    """The prefix and suffix of keys, as CloudFormation or S3's API names the rules."""
    rules = inside(configuration, "Filter", "S3Key", "Rules") or inside(
        configuration, "Filter", "Key", "FilterRules"
    )
    found = {str(rule.get("Name")).lower(): str(rule.get("Value")) for rule in mappings(rules)}
    return found.get("prefix", ""), found.get("suffix", "")


def _put_objects(deployment: Deployment, bucket: Resource, prefix: str, suffix: str) -> Send:
    name = deployment.ids[bucket.name]

    def put(texts: Sequence[str]) -> None:
        for text in texts:
            key = f"{prefix}{_unique()}-{text}{suffix}"
            deployment.client("s3").put_object(Bucket=name, Key=key, Body=text.encode())

    return put


def _put_object(deployment: Deployment, bucket: Resource, key: str) -> Send:
    def put(texts: Sequence[str]) -> None:
        for text in texts:
            deployment.client("s3").put_object(
                Bucket=deployment.ids[bucket.name], Key=key, Body=text.encode()
            )

    return put


def _records(deployment: Deployment, stream: Resource, edge: Edge) -> Send:
    name, wanted = deployment.ids[stream.name], _filter(deployment, edge)

    def put(texts: Sequence[str]) -> None:
        records = [
            {"Data": _body(wanted.get("data"), text).encode(), "PartitionKey": "prove"}
            for text in texts
        ]
        deployment.client("kinesis").put_records(StreamName=name, Records=records)

    return put


def _items(deployment: Deployment, table: Resource, edge: Edge) -> Send:
    name, wanted = deployment.ids[table.name], _filter(deployment, edge)
    types = {
        str(each.get("AttributeName")): str(each.get("AttributeType"))
        for each in table.items("AttributeDefinitions")
    }
    keys = [str(each.get("AttributeName")) for each in table.items("KeySchema")]
    images = wanted.get("dynamodb")
    image = _mapping(_mapping(images).get("NewImage") or _mapping(images).get("OldImage"))
    given = _mapping(_mapping(images).get("Keys"))
    kind = wanted.get("eventName", "INSERT")

    def put(texts: Sequence[str]) -> None:
        client = deployment.client("dynamodb")
        for text in texts:
            key = {each: _key(given.get(each), types.get(each, "S")) for each in keys}
            item = {"message": {"S": text}, **key, **image}
            client.put_item(TableName=name, Item=item)
            if kind == "MODIFY":
                client.put_item(TableName=name, Item={**item, "again": {"BOOL": True}})
            if kind == "REMOVE":
                client.delete_item(TableName=name, Key={each: item[each] for each in keys})

    return put


def _key(wanted: Any, kind: str) -> dict[str, Any]:
    """A value of a key: one of its own, unless a filter names it."""
    number = str(next(_numbers))
    if isinstance(wanted, Mapping):
        return {kind: str(wanted[kind]).replace(ANY, f"{ANY}-{number}") for kind in wanted}
    return {kind: number.encode() if kind == "B" else number}


def _log_events(deployment: Deployment, group: Resource, edge: Edge) -> Send | None:
    declared = deployment.stack.resources[edge.declared_by]
    if declared.type != LOG_FILTER:
        return None
    name, pattern = deployment.ids[group.name], str(declared.get("FilterPattern") or "")

    def put(texts: Sequence[str]) -> None:
        client = deployment.client("logs")
        stream = _unique()
        client.create_log_stream(logGroupName=name, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": _line(pattern, text)} for text in texts]
        client.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)

    return put


def _line(pattern: str, text: str) -> str:
    """A line of a log that has the terms of a pattern."""
    if pattern.strip().startswith("{"):
        return json.dumps({"message": text})
    terms = [term.strip('?"') for term in pattern.split() if not term.startswith("-")]
    return " ".join([*terms, text])


def _delivered(deployment: Deployment, delivery: Resource, edge: Edge) -> Send | None:
    name = deployment.ids[delivery.name]
    arn = delivery.get("KinesisStreamSourceConfiguration", "KinesisStreamARN")
    if arn is not None:
        stream = deployment.stack.found(arn, STREAM)
        return _records(deployment, stream, edge) if stream else None

    def put(texts: Sequence[str]) -> None:
        for text in texts:
            record = {"Data": f"{text}\n".encode()}
            deployment.client("firehose").put_record(DeliveryStreamName=name, Record=record)

    return put


def _filter(deployment: Deployment, edge: Edge) -> dict[str, Any]:
    """Return what a record must have for the filter of an event source."""
    declared = deployment.stack.resources[edge.declared_by]
    path = ("SourceParameters", "FilterCriteria") if declared.type == PIPE else ("FilterCriteria",)
    for each in declared.items(*path, "Filters"):
        pattern = deployment.literal(each.get("Pattern"))
        if isinstance(pattern, str):
            try:
                pattern = json.loads(pattern)
            except ValueError:
                return {}
        return matching(pattern) if isinstance(pattern, Mapping) else {}
    return {}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _unique() -> str:
    return f"prove-{next(_numbers)}"


_BY_TYPE: dict[str, Callable[[Deployment, Resource, Edge], Send | None]] = {
    QUEUE: _messages,
    TOPIC: _notifications,
    BUCKET: _objects,
    STREAM: _records,
    TABLE: _items,
    LOG_GROUP: _log_events,
    DELIVERY: _delivered,
}
