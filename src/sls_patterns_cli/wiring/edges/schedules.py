"""Schedules: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html."""

from collections.abc import Iterator

from sls_patterns_cli.cloudformation.stack import Stack
from sls_patterns_cli.wiring.edges.invocations import invocation
from sls_patterns_cli.wiring.model import SCHEDULE, Edge, end_at, place_of


def edges(stack: Stack) -> Iterator[Edge]:
    for schedule in stack.of_type(SCHEDULE):
        arn = schedule.get("Target", "Arn")
        end = end_at(stack, schedule.get("Target", "DeadLetterConfig", "Arn"))
        yield Edge(schedule.name, place_of(stack, arn).name, "scheduler", schedule.name, end)
        yield from invocation(stack, schedule.name, arn, schedule)
