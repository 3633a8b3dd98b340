"""Buses and subscribers of stacks; it changes nothing itself.

AWS: Ref of both is the ARN. What makes a subscriber another one, such as its target, replaces it:
the old one is deleted first.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-eventbus.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eventsv2-subscriber.html
"""

from typing import Any

from sls_patterns_cli.local.emulator.adapters.eventsv2 import operations, wire

REPLACED_BY = ("Name", "EventBusArn", "Type", "StartingPosition", "PointInTimeConfiguration")
"""Of a subscriber, beside its target."""

BLOCKS = (
    "BatchConfiguration",
    "FilterConfiguration",
    "OnFailureConfiguration",
    "RetryPolicy",
    "Transformer",
)
"""What a template may leave out again, which an update of the API would keep."""

Record = dict[str, Any]


def _done(name: str, properties: Record) -> Record:
    """Do what a stack asks for; raises ValueError."""
    members = wire.request_shape(name).members
    known = {key: value for key, value in properties.items() if key != "Tags"}
    if name.startswith("Update"):
        known = {key: value for key, value in known.items() if key in members}
    if name == "UpdateSubscriber":
        invoke = known["InvokeConfiguration"]
        known["InvokeConfiguration"] = {k: v for k, v in invoke.items() if k != "TargetArn"}
    try:
        return operations.do(name, known)
    except wire.RefusedError as error:
        raise ValueError(f"{error.code}: {error}") from error


def _create_bus(_logical_id: str, properties: Record, _stack: str) -> Any:
    return _bus(_done("CreateEventBus", properties))


def _update_bus(arn: str, old: Record, new: Record, stack: str) -> Any:
    if old.get("Name") != new.get("Name"):
        return _create_bus("", new, stack)
    return _bus(_done("UpdateEventBus", {**new, "EventBusArn": arn}))


def _delete_bus(arn: str, _properties: Record) -> None:
    if arn in operations.buses:
        _done("DeleteEventBus", {"EventBusArn": arn})


def _bus(described: Record) -> Any:
    arn = described["EventBusArn"]
    return arn, {"EventBusArn": arn, "State": described["State"]}


def _create_subscriber(_logical_id: str, properties: Record, _stack: str) -> Any:
    return _subscriber(_done("CreateSubscriber", properties))


def _update_subscriber(arn: str, old: Record, new: Record, stack: str) -> Any:
    if _identity(old) != _identity(new):
        _delete_subscriber(arn, old)
        return _create_subscriber("", new, stack)
    emptied: Record = {name: {} for name in BLOCKS if name in old}
    return _subscriber(_done("UpdateSubscriber", {**emptied, **new, "SubscriberArn": arn}))


def _delete_subscriber(arn: str, _properties: Record) -> None:
    for subscriber in operations.subscribers():
        if subscriber.arn == arn:
            subscriber.delete()


def _identity(properties: Record) -> list[Any]:
    target = properties["InvokeConfiguration"]["TargetArn"]
    return [target, *(properties.get(name) for name in REPLACED_BY)]


def _subscriber(described: Record) -> Any:
    arn, bus = described["SubscriberArn"], described["EventBusArn"]
    return arn, {"SubscriberArn": arn, "BusName": operations.buses[bus].name}


HANDLERS: dict[str, Record] = {
    "AWS::EventsV2::EventBus": {
        "create": _create_bus,
        "update": _update_bus,
        "delete": _delete_bus,
    },
    "AWS::EventsV2::Subscriber": {
        "create": _create_subscriber,
        "update": _update_subscriber,
        "delete": _delete_subscriber,
    },
}
"""By type."""
