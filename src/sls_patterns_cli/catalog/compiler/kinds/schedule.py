"""Schedules of EventBridge Scheduler."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import queue
from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Grant,
    Metric,
    Output,
    Reference,
    dead_letter_queue,
    output,
)

RETRIES = 3
"""How often Scheduler tries again to start a run."""

RUN_AGE = Duration(5, "minutes")
"""How late a run may start; its defaults of 185 retries and 24 hours would start runs that later
ones have made superfluous.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html"""


def metric(node: CompiledNode, name: str) -> Metric:
    """A metric of a schedule; its only dimension is the group (fact B1).

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    """
    group = Reference(f"{node['id']}Group", "ref")
    return Metric("AWS/Scheduler", name, "Sum", {"ScheduleGroup": group})


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that Scheduler could not keep a run."""
    yield metric(node, "InvocationsFailedToBeSentToDeadLetterCount")


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a schedule, and where the runs are that it could not start."""
    yield output(node["id"], "Name", f"The schedule that {node['does']}", "ref")
    yield queue.dead_letter_url(
        dead_letter_queue(node["name"]), "The queue of the runs that it could not start"
    )


def starts(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permissions to start a run, and to keep one that could not start."""
    role = f"{source['id']}Role"
    yield Grant(role, ("lambda:InvokeFunction",), Reference(target["id"], "function_arn"))
    yield queue.grant(role, dead_letter_queue(source["name"]), "sqs:SendMessage")
