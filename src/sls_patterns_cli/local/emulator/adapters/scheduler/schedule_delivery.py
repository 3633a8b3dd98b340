"""A schedule starts its target in the name of its role; what it cannot start is kept.

AWS: EventBridge Scheduler invokes a function asynchronously, with the schedule's role. Without
permission or target it does not try again: the input goes to the target's dead-letter queue, in
the name of the same role. A target that throttles is tried again as `adapters.retries` says. It
assumes the role for the schedule's group.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html

Emulator: looks every 10 seconds, invokes any function, once, and forgets what it cannot start.
Its rates are AWS's; here they are divided, as all waits are.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, scheduler

from sls_patterns_cli.local.emulator import journal, timescale
from sls_patterns_cli.local.emulator.adapters import rely_on, replace, retries
from sls_patterns_cli.local.emulator.adapters.iam.permissions import (
    SENDING,
    refusing,
    role_may,
    throttling,
)
from sls_patterns_cli.local.emulator.adapters.iam.role_assumption import may_assume
from sls_patterns_cli.local.emulator.adapters.lambda_ import background
from sls_patterns_cli.local.emulator.adapters.sqs.queues import send

LOOKS_EVERY_SECONDS = 0.2


def apply() -> None:
    rely_on(scheduler._tick_schedules, "0ece514e9120")
    scheduler._SCHEDULE_TICK_INTERVAL = LOOKS_EVERY_SECONDS
    replace(eventbridge, "_parse_rate_seconds", "0184f31e965e", _divided)
    replace(eventbridge, "_invoke_target", "550e304af080", _in_its_role)


def _divided(parse: Callable[[str], int | None]) -> Callable[[str], float | None]:
    def parse_rate(expression: str) -> float | None:
        seconds = parse(expression)
        return None if seconds is None else timescale.here().rate(seconds)

    return parse_rate


def _in_its_role(invoke: Callable[..., None]) -> Callable[..., None]:
    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], schedule: dict[str, Any], *rest: Any
    ) -> None:
        if event.get("Source") != "aws.scheduler":
            invoke(target, event, schedule, *rest)
            return
        arn, role = target["Arn"], target["RoleArn"]
        if not may_assume("scheduler.amazonaws.com", role, _group(schedule)):
            journal.note(journal.GivenUp("scheduler", schedule["Arn"], arn, ""))
            return
        given = target.get("Input")
        view = eventbridge._pattern_event_view(event)
        payload = decoded(given) if given else view.event_with_detail()
        is_function = ":function:" in arn
        if not _may_deliver(role, arn) or (is_function and not background.exists(arn)):
            _give_up(target, payload, schedule)
        elif not (tried := _tried(target)).delivered:
            _give_up(target, payload, schedule, tried)
        elif is_function:
            background.invoke(arn, payload)
        else:
            invoke(target, event, schedule, *rest)

    return invoke_target


def decoded(given: str) -> Any:
    """The input of a schedule, which may be any text: JSON, or else as it is."""
    try:
        return json.loads(given)
    except ValueError:
        return given


def _may_deliver(role: str, arn: str) -> bool:
    """Whether a role may; of a universal target, an action of the SDK, nobody asks here."""
    action = None if ":aws-sdk:" in arn else SENDING.get(arn.split(":")[2])
    return role_may(role, action, arn) if action else arn not in refusing


def _tried(target: dict[str, Any]) -> retries.Tried:
    policy = retries.of_event(target.get("RetryPolicy") or {})
    return policy.until(lambda: target["Arn"] not in throttling)


def _give_up(
    target: dict[str, Any],
    payload: Any,
    schedule: dict[str, Any],
    tried: retries.Tried = retries.REFUSED,
) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    is_kept = (
        queue
        and role_may(target["RoleArn"], SENDING["sqs"], queue)
        and send(queue, payload, TARGET_ARN=target["Arn"])
    )
    journal.note(
        journal.GivenUp(
            "scheduler",
            schedule["Arn"],
            target["Arn"],
            queue if is_kept else "",
            attempts=tried.attempts,
            seconds=tried.seconds,
        )
    )


def _group(schedule: dict[str, Any]) -> str:
    """The ARN of the group that a schedule is in."""
    group = schedule["GroupName"]
    return f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/{group}"
