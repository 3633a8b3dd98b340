"""Time on the local stack: every wait that the service is configured with, made shorter.

Waits are divided, never dropped: a message that AWS would show again after 60 seconds is shown
again after 1, after the same number of attempts. The emulator honours the scaled numbers.
"""

import re
from typing import Any

FACTOR = 60
"""60 s of visibility, the least that AWS advises for a function with a 10 s timeout, become 1 s,
the shortest timeout that a queue can have, so that 5 attempts take 5 s.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

LEAST_VISIBILITY_SECONDS = 1

_DEFAULT_VISIBILITY_SECONDS = 30
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
"""https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based"""


def scale(template: dict[str, Any]) -> list[str]:
    """Divide the waits of a CloudFormation template, in place, by FACTOR.

    Returns what was changed, one phrase for each, such as `Queue visibility 60 s -> 1 s`.
    """
    changes = []
    for name, resource in template["Resources"].items():
        properties = resource.setdefault("Properties", {})
        if resource["Type"] == "AWS::SQS::Queue":
            before = int(properties.get("VisibilityTimeout", _DEFAULT_VISIBILITY_SECONDS))
            after = max(LEAST_VISIBILITY_SECONDS, round(before / FACTOR))
            if after < before:
                properties["VisibilityTimeout"] = after
                changes.append(f"{name} visibility {before} s -> {after} s")
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            before = int(properties.get("MaximumBatchingWindowInSeconds", 0))
            if before:
                after = round(before / FACTOR)
                properties["MaximumBatchingWindowInSeconds"] = after
                changes.append(f"{name} batching window {before} s -> {after} s")
        if resource["Type"] == "AWS::Scheduler::Schedule":
            rate = _RATE.fullmatch(properties["ScheduleExpression"])
            if rate:
                before = int(rate[1]) * _UNITS_SECONDS[rate[2]]
                after = max(1, round(before / FACTOR))
                properties["ScheduleExpression"] = f"rate({after} seconds)"
                changes.append(f"{name} every {before} s -> {after} s")
    return changes
