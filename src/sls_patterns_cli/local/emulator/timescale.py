"""Time on the local stack: every wait that the service is configured with, made shorter.

Waits are divided, never dropped: a message that AWS would show again after 60 seconds is shown
again after a quarter of one, after the same number of attempts. The template keeps AWS's numbers,
and so does what the services say of themselves; the adapters divide while they wait.

All numbers are here. One factor divides time for the emulator and for its clients. What takes
longer than LONGEST_WAY_SECONDS on its way to a dead-letter queue, be it a day, takes as long here
as what takes just that, so that a longer way on AWS makes no proof slower.
"""

import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sls_patterns_cli.errors import UserError

VARIABLE = "LOCAL_TIME_FACTOR"
"""The factor, for the emulator and for the proofs, which derive deadlines from waits."""

USUAL_FACTOR = 240
"""60 s of visibility, the least that AWS advises for a function with a 10 s timeout, become 0.25 s,
so that 5 attempts take little more than a second.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

LONGEST_WAY_SECONDS = 300
"""Five such attempts: 1.25 s. That is enough to end an outage between the first and the last."""

LEAST_MAPPED_VISIBILITY_SECONDS = 0.05
"""Of a message that an event source mapping received, unless it is shorter by the factor alone: a
day of 720 receives is no storm of them, and takes 36 s."""

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


@dataclass(frozen=True)
class Scale:
    """How long here is what takes some seconds on AWS."""

    factor: int = USUAL_FACTOR

    def divided(self, seconds: float) -> float:
        """Return how long a wait is that includes no work."""
        return seconds / self.factor

    def on_way(self, seconds: float, way_seconds: float) -> float:
        """Return the same of a wait on a way to a dead-letter queue that takes `way_seconds`."""
        return self.divided(seconds) / max(1.0, way_seconds / LONGEST_WAY_SECONDS)

    def mapped_visibility(self, seconds: float, way_seconds: float) -> float:
        """Return for how long a message is invisible after an event source mapping received it."""
        least = min(LEAST_MAPPED_VISIBILITY_SECONDS, self.divided(seconds))
        return max(least, self.on_way(seconds, way_seconds))

    def visibility(self, seconds: float) -> float:
        """Return for how long a message is invisible after a client received it."""
        return min(seconds, max(LEAST_VISIBILITY_SECONDS, self.divided(seconds)))

    def rate(self, seconds: float) -> float:
        """Return the seconds between two starts of a schedule's target."""
        return max(LEAST_RATE_SECONDS, self.divided(seconds))

    def connecting(self, seconds: float) -> float:
        """Return for how long a function tries to reach its database."""
        return seconds / _CONNECTING_FACTOR

    def execution_limit(self, seconds: float) -> float:
        """Return for how long a durable execution may run."""
        return seconds / _EXECUTION_FACTOR


def given(environment: Mapping[str, str]) -> Scale:
    """Return the scale that a process's environment asks for; raises UserError."""
    factor = environment.get(VARIABLE, str(USUAL_FACTOR))
    if not (factor.isascii() and factor.isdigit() and int(factor)):
        raise UserError(f"{VARIABLE} must be a whole number from 1 on, not {factor!r}")
    return Scale(int(factor))


@functools.cache
def here() -> Scale:
    """Return the scale of this process, which is the emulator's or a client's."""
    return given(os.environ)


def changes(template: dict[str, Any], scale: Scale) -> list[str]:
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
            scale,
            mapped=any(f"'{name}'" in source for source in consumed),
        )
    ]


def _waits(
    kind: str, properties: dict[str, Any], scale: Scale, *, mapped: bool
) -> Iterator[tuple[str, int, float]]:
    """Name, length on AWS and length here, in seconds, of a resource's waits."""
    if kind == "AWS::SQS::Queue":
        if hidden := _number(properties.get("VisibilityTimeout", _DEFAULT_VISIBILITY_SECONDS)):
            way = hidden * _number(properties.get("RedrivePolicy", {}).get("maxReceiveCount"))
            here = scale.mapped_visibility(hidden, way) if mapped else scale.visibility(hidden)
            yield "visibility", hidden, here
        if delay := _number(properties.get("DelaySeconds")):
            yield "delay", delay, scale.divided(delay)
    if kind == "AWS::Lambda::Function":
        variables = properties.get("Environment", {}).get("Variables", {})
        if CONNECTING in variables:
            patience = int(variables[CONNECTING])
            yield "connecting", patience, scale.connecting(patience)
        if durable := properties.get("DurableConfig"):
            limit = int(durable["ExecutionTimeout"])
            yield "execution", limit, scale.execution_limit(limit)
    if kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
        expression = properties.get("ScheduleExpression", "")
        if match := _RATE.fullmatch(expression):
            every = int(match[1]) * _UNITS_SECONDS[match[2]]
            yield "every", every, scale.rate(every)


def _number(value: Any) -> int:
    """A number of a template; 0 for what only the deployment knows, such as a parameter."""
    return int(value) if str(value).isdecimal() else 0
