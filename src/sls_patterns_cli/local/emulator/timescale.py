"""Time on the local stack: every wait that the service is configured with, made shorter.

Waits are divided, never dropped: a message that AWS would show again after 60 seconds is shown
again after a quarter of one, after the same number of attempts. The template keeps AWS's numbers,
and so does what the services say of themselves; the adapters divide while they wait.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

VARIABLE = "LOCAL_TIME_FACTOR"
"""Passes FACTOR to the proofs, which derive their deadlines from the service's waits."""

FACTOR = int(os.environ.get(VARIABLE, "240"))
"""60 s of visibility, the least that AWS advises for a function with a 10 s timeout, become 0.25 s,
so that 5 attempts take little more than a second.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

LEAST_VISIBILITY_SECONDS = 1.5
"""Of a message that a client or a polling function received, whose work takes as long as ever.

A message that an event source mapping received is held until its batch has been processed.
"""

LEAST_RATE_SECONDS = 1.0
"""What a schedule starts takes as long as ever, and must be done before the next start."""

CONNECTING = "PGCONNECT_TIMEOUT"
"""The variable of a function that says for how many seconds it tries to reach its database."""

_EXECUTION_FACTOR = 60
"""The limit of a durable execution includes its work: an hour is a minute here."""

_CONNECTING_FACTOR = 60
"""Connecting is work as well, and must end before a message is shown again: 35 s are tried of 360 s
of visibility."""

_DEFAULT_VISIBILITY_SECONDS = 30
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
"""https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based"""


def visibility(seconds: float) -> float:
    """For how many seconds a message is invisible here after a client received it."""
    return min(seconds, max(LEAST_VISIBILITY_SECONDS, seconds / FACTOR))


def rate(seconds: float) -> float:
    """The seconds between two starts of a schedule's target here; `seconds` are those on AWS."""
    return max(LEAST_RATE_SECONDS, seconds / FACTOR)


def connecting(seconds: float) -> float:
    """For how many seconds a function tries to reach its database here; `seconds` are AWS's."""
    return seconds / _CONNECTING_FACTOR


def execution_limit(seconds: float) -> float:
    """For how many seconds a durable execution may run here; `seconds` are those on AWS."""
    return seconds / _EXECUTION_FACTOR


def changes(template: dict[str, Any]) -> list[str]:
    """The waits of a CloudFormation template that are divided, one phrase for each.

    Such as `Queue visibility 60 s -> 0.25 s`.
    """
    resources = template["Resources"]
    consumed = [
        str(resource["Properties"].get("EventSourceArn"))
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    return [
        f"{name} {wait} {before} s -> {after:.3g} s"
        for name, resource in resources.items()
        for wait, before, after in _waits(
            resource["Type"],
            resource.get("Properties", {}),
            mapped=any(f"'{name}'" in source for source in consumed),
        )
    ]


def _waits(
    kind: str, properties: dict[str, Any], *, mapped: bool
) -> Iterator[tuple[str, int, float]]:
    """Name, length on AWS and length here, in seconds, of a resource's waits."""
    if kind == "AWS::SQS::Queue":
        hidden = int(properties.get("VisibilityTimeout", _DEFAULT_VISIBILITY_SECONDS))
        yield "visibility", hidden, hidden / FACTOR if mapped else visibility(hidden)
        if delay := int(properties.get("DelaySeconds", 0)):
            yield "delay", delay, delay / FACTOR
    if kind == "AWS::Lambda::Function":
        variables = properties.get("Environment", {}).get("Variables", {})
        if CONNECTING in variables:
            patience = int(variables[CONNECTING])
            yield "connecting", patience, connecting(patience)
        if durable := properties.get("DurableConfig"):
            limit = int(durable["ExecutionTimeout"])
            yield "execution", limit, execution_limit(limit)
    if kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
        expression = properties.get("ScheduleExpression", "")
        if match := _RATE.fullmatch(expression):
            every = int(match[1]) * _UNITS_SECONDS[match[2]]
            yield "every", every, rate(every)
