"""Schedules fire when they are told to, and no endpoint is called; and what delivers to where."""

from collections.abc import Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import eventbridge, pipes, scheduler, sns

from sls_patterns_cli.local.emulator.adapters import rely_on, retries
from sls_patterns_cli.local.emulator.adapters.eventsv2 import operations
from sls_patterns_cli.local.emulator.adapters.sns import endpoint_delivery


def apply() -> None:
    rely_on(scheduler._tick_schedules, "0ece514e9120")
    rely_on(eventbridge._tick_scheduled_rules, "11eebed44e38")
    scheduler._tick_schedules = eventbridge._tick_scheduled_rules = _never
    retries.waits_here = endpoint_delivery.calls_endpoints = False


def _never() -> None:
    """Both are called every second or so."""


def fire(arn: str) -> bool:
    """Start the targets of a schedule or rule; return whether there is one."""
    for schedule in scheduler._schedules._data.values():
        if schedule.get("Arn") == arn:
            _start([schedule["Target"]], "aws.scheduler", schedule)
            return True
    for key, rule in eventbridge._rules._data.items():
        if rule.get("Arn") == arn:
            _start(eventbridge._targets._data.get(key, []), "aws.events", rule)
            return True
    return False


def targets(arn: str) -> Iterator[str]:
    """Yield the ARNs to which a schedule, rule, subscription, pipe or subscriber delivers."""
    yield from (target for by, target in _deliveries() if by == arn)


def _deliveries() -> Iterator[tuple[str, str]]:
    """Yield the ARNs of what delivers, and of where."""
    for schedule in scheduler._schedules._data.values():
        yield schedule.get("Arn"), schedule["Target"]["Arn"]
    for key, rule in eventbridge._rules._data.items():
        for target in eventbridge._targets._data.get(key, []):
            yield rule.get("Arn"), target["Arn"]
    for topic in sns._topics._data.values():
        for subscription in topic["subscriptions"]:
            yield subscription["arn"], subscription["endpoint"]
            yield topic["arn"], subscription["endpoint"]
    for pipe in pipes._pipes._data.values():
        yield pipe["Arn"], pipe["Target"]
    for subscriber in operations.subscribers():
        yield subscriber.arn, subscriber.configuration["InvokeConfiguration"]["TargetArn"]


def _start(targets: list[dict[str, Any]], source: str, by: dict[str, Any]) -> None:
    event = {
        "EventId": new_uuid(),
        "Source": source,
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "EventBusName": by.get("EventBusName", "default"),
        "Time": 0,
        "Resources": [by["Arn"]],
        "Account": get_account_id(),
        "Region": get_region(),
    }
    for target in targets:
        eventbridge._invoke_target(target, event, by)
