"""What the API of the custom event bus does; it changes nothing itself.

AWS: a bus that has subscribers is not deleted. What a subscriber may name is checked when it is
made, whether that is there and may be used when something is delivered.
https://docs.aws.amazon.com/eventbridgev2/latest/APIReference/Welcome.html
"""

import hashlib
import json
import secrets
import string
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid

from sls_patterns_cli.local.emulator.adapters.eventsv2 import delivery, wire
from sls_patterns_cli.local.emulator.adapters.eventsv2.buses import Bus, Subscriber, seconds
from sls_patterns_cli.local.emulator.adapters.eventsv2.events import (
    Event,
    envelope,
    timestamp,
    why_not_a_pattern,
    why_not_an_expression,
)
from sls_patterns_cli.local.emulator.adapters.eventsv2.wire import RefusedError
from sls_patterns_cli.local.emulator.adapters.pipes.definitions import service_of

ENVELOPE_TYPE = "application/eventbridge+json"

takes_anything = False
"""Whether there may be subscribers of buses, and with targets, that are not here: `prove` has
stand-ins for both."""

Record = dict[str, Any]

buses: dict[str, Bus] = {}


def subscribers() -> list[Subscriber]:
    """Return all subscribers."""
    # Copies, as others may change them meanwhile.
    return [each for bus in [*buses.values()] for each in [*bus.subscribers.values()]]


def do(name: str, request: Record) -> Record:
    """Do what is asked for, and return the answer; raises RefusedError."""
    if name not in _OPERATIONS:
        raise RefusedError("InvalidInputException", f"the local stack does not serve {name}")
    return _OPERATIONS[name](wire.checked(request, wire.request_shape(name)))


def _create_bus(request: Record) -> Record:
    if any(bus.name == request["Name"] for bus in buses.values()):
        raise RefusedError("ResourceAlreadyExistsException", f"{request['Name']} exists")
    arn = _arn("event-busv2", request["Name"])
    buses[arn] = Bus(arn, request["Name"], request)
    return _described_bus(buses[arn])


def _described_bus(bus: Bus) -> Record:
    return {
        **_without_token(bus.configuration),
        "EventBusArn": bus.arn,
        "StorageConfiguration": {
            "RetentionPeriodInDays": bus.retention_days,
            "RetentionWindowStartTime": bus.window_start,
        },
        "State": "ACTIVE",
        "CreationTime": bus.created,
        "LastModifiedTime": bus.modified,
    }


def _update_bus(request: Record) -> Record:
    bus = _bus(request)
    changed = {key: value for key, value in request.items() if key != "EventBusArn"}
    bus.configuration = {**bus.configuration, **changed}
    bus.modified = time.time()
    return _described_bus(bus)


def _delete_bus(request: Record) -> Record:
    bus = _bus(request)
    if bus.subscribers:
        raise RefusedError("ResourceInUseException", f"{bus.arn} has subscribers")
    del buses[bus.arn]
    return {"EventBusArn": bus.arn, "State": "DELETING"}


def _list_buses(_request: Record) -> Record:
    return {"EventBuses": [_summary(_described_bus(bus), "EventBuses") for bus in buses.values()]}


def _create_subscriber(request: Record) -> Record:
    bus = _bus(request)
    _require_valid(bus, request)
    with bus.changed:
        for each in bus.subscribers.values():
            if each.configuration["Name"] == request["Name"]:
                raise RefusedError("ResourceAlreadyExistsException", f"{request['Name']} exists")
        arn = _arn("subscriber", request["Name"])
        bus.subscribers[arn] = Subscriber(bus, arn, request)
    return _described(bus.subscribers[arn])


def _described(subscriber: Subscriber) -> Record:
    usual = {"Type": "UNORDERED", "StartingPosition": "LATEST"}
    return {
        **usual,
        **_without_token(subscriber.configuration),
        "BatchConfiguration": {
            "MaxBatchSize": delivery.most_in_a_batch(subscriber.configuration),
            "MaxBatchWindowInSeconds": 0,
            **(subscriber.configuration.get("BatchConfiguration") or {}),
        },
        "SubscriberArn": subscriber.arn,
        "State": subscriber.state,
        "CreationTime": subscriber.created,
        "LastModifiedTime": subscriber.modified,
    }


def _update_subscriber(request: Record) -> Record:
    subscriber = _subscriber(request)
    given = {key: value for key, value in request.items() if key != "SubscriberArn"}
    invoke = {
        **subscriber.configuration["InvokeConfiguration"],
        **given.get("InvokeConfiguration", {}),
    }
    _require_valid(subscriber.bus, {**given, "InvokeConfiguration": invoke})
    subscriber.update(given)
    return _described(subscriber)


def _delete_subscriber(request: Record) -> Record:
    _subscriber(request).delete()
    return {}


def _list_subscribers(request: Record) -> Record:
    wanted = request.get("EventBusArn")
    return {
        "Subscribers": [
            {
                **_summary(_described(each), "Subscribers"),
                "TargetArn": each.configuration["InvokeConfiguration"]["TargetArn"],
            }
            for each in subscribers()
            if wanted in {None, each.bus.arn}
        ]
    }


def _put_events(request: Record) -> Record:
    def event(entry: Record, event_id: str, at: float) -> Event:
        system = {"aws:Source": entry["Source"], "aws:DetailType": entry["DetailType"]}
        return Event(event_id, at, envelope(event_id, at, entry), system)

    return _published(request, event, lambda _: ENVELOPE_TYPE)


def _put_raw_events(request: Record) -> Record:
    def event(entry: Record, event_id: str, at: float) -> Event:
        return Event(event_id, at, json.loads(entry["Data"]), {}, entry.get("Metadata") or {})

    return _published(request, event, lambda entry: str(entry["SystemMetadata"]["ContentType"]))


def _published(
    request: Record,
    event_of: Callable[[Record, str, float], Event],
    content_type: Callable[[Record], str],
) -> Record:
    """Keep each entry, or say why it is not kept."""
    bus = _bus(request)
    results = list[Record]()
    for entry in request["Entries"]:
        try:
            made = event_of(entry, new_uuid(), time.time())
        except ValueError as error:
            said = f"the local stack keeps events in JSON only: {error}"
            results.append({"ErrorCode": "InvalidInputException", "ErrorMessage": said})
            continue
        given = entry.get("SystemMetadata") or {}
        system = {
            **made.system,
            "aws:EventId": made.id,
            "aws:IngestionTime": timestamp(made.at),
            "aws:SequenceNumber": str(len(bus.events) + 1),
            "ContentType": content_type(entry),
            **{key: given[key] for key in ("EventGroupId", "DeduplicationId") if key in given},
        }
        event = Event(made.id, made.at, made.data, system, made.metadata)
        kept, is_new = bus.publish(event, _key(request, entry))
        code = "PUBLISHED" if is_new else "DEDUPLICATED"
        number = kept.system["aws:SequenceNumber"]
        results.append({"EventId": kept.id, "SuccessCode": code, "SequenceNumber": number})
    failed = sum("ErrorCode" in result for result in results)
    return {"FailedEntryCount": failed, "Entries": results}


def _key(request: Record, entry: Record) -> str | None:
    """By what an entry is recognised again, if it is to be."""
    if "DeduplicationConfiguration" in request:
        content = json.dumps(entry, sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()
    key: str | None = (entry.get("SystemMetadata") or {}).get("DeduplicationId")
    return key


def _require_valid(bus: Bus, request: Record) -> None:
    """Raise RefusedError for what is checked when a subscriber is made or changed."""
    for problem in _problems(bus, request):
        if problem:
            raise RefusedError("InvalidInputException", problem)


def _problems(bus: Bus, request: Record) -> list[str]:
    invoke = request["InvokeConfiguration"]
    return [
        _of_target(bus, invoke),
        *(map(why_not_an_expression, _texts(invoke))),
        _of_filters(request.get("FilterConfiguration") or {}),
        _of_transformer(request.get("Transformer") or {}),
        _of_position(bus, request),
    ]


def _of_target(bus: Bus, invoke: Record) -> str:
    target = invoke["TargetArn"]
    if target == bus.arn:
        return "InvokeConfiguration.TargetArn must not reference the subscriber's own event bus"
    expected = delivery.PARAMETERS.get(service_of(target))
    if expected is None and not takes_anything:
        return f"the local stack has no subscribers to {target}"
    given = invoke.keys() - {"TargetArn", "RoleArn", expected}
    if expected and given:
        return f"{min(given)} is not supported for target {target}. Expected {expected}"
    return ""


def _of_filters(configuration: Record) -> str:
    filters = configuration.get("Filters") or []
    scopes = [each["Scope"] for each in filters]
    if len(scopes) != len(set(scopes)):
        return "FilterConfiguration has more than one filter of a scope"
    found = (why_not_a_pattern(each["Pattern"]) for each in filters)
    return next((f"FilterConfiguration: {problem}" for problem in found if problem), "")


def _of_transformer(transformer: Record) -> str:
    if transformer.get("Type") != "JSONATA":
        return ""
    configuration = transformer.get("JsonataConfiguration")
    if not configuration:
        return "Transformer.JsonataConfiguration is required"
    return why_not_an_expression(configuration["Expression"])


def _of_position(bus: Bus, request: Record) -> str:
    point = request.get("PointInTimeConfiguration")
    if request.get("StartingPosition") != "POINT_IN_TIME":
        return ""
    if not point:
        return "PointInTimeConfiguration is required"
    if point["PointType"] == "HORIZON":
        return ""
    if "StartingPoint" not in point:
        return "PointInTimeConfiguration.StartingPoint is required"
    # A template has whole seconds, and so has what is read from a record.
    if not int(bus.window_start) <= seconds(point["StartingPoint"]) <= time.time():
        return "PointInTimeConfiguration.StartingPoint is outside of the retention window"
    return ""


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _bus(request: Record) -> Bus:
    arn = request["EventBusArn"]
    if takes_anything and arn not in buses:
        buses[arn] = Bus(arn, arn, {})
    bus = buses.get(arn)
    if bus is None:
        raise RefusedError("ResourceNotFoundException", f"{arn} does not exist")
    return bus


def _subscriber(request: Record) -> Subscriber:
    arn = request["SubscriberArn"]
    for subscriber in subscribers():
        if subscriber.arn == arn:
            return subscriber
    raise RefusedError("ResourceNotFoundException", f"{arn} does not exist")


def _arn(kind: str, name: str) -> str:
    letters = string.ascii_lowercase + string.digits
    id_ = "".join(secrets.choice(letters) for _ in range(25))
    return f"arn:aws:events:{get_region()}:{get_account_id()}:{kind}/{name}/{id_}"


def _without_token(configuration: Record) -> Record:
    return {key: value for key, value in configuration.items() if key != "ClientToken"}


def _summary(described: Record, kind: str) -> Record:
    shape = wire.response_shape(f"List{kind}")
    member = next(each.member for each in shape.members.values() if each.type_name == "list")
    return {key: value for key, value in described.items() if key in member.members}


_OPERATIONS: dict[str, Callable[[Record], Record]] = {
    "CreateEventBus": _create_bus,
    "DescribeEventBus": lambda request: _described_bus(_bus(request)),
    "UpdateEventBus": _update_bus,
    "DeleteEventBus": _delete_bus,
    "ListEventBuses": _list_buses,
    "CreateSubscriber": _create_subscriber,
    "DescribeSubscriber": lambda request: _described(_subscriber(request)),
    "UpdateSubscriber": _update_subscriber,
    "DeleteSubscriber": _delete_subscriber,
    "ListSubscribers": _list_subscribers,
    "PutEvents": _put_events,
    "PutRawEvents": _put_raw_events,
}
