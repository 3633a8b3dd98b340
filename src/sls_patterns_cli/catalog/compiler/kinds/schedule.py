"""Schedules of EventBridge Scheduler."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Metric,
    Named,
)


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that Scheduler could not keep a run; its only dimension is the group (fact B1).

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    """
    group = Named("schedule-group", f"{node['id']}Group")
    name = "InvocationsFailedToBeSentToDeadLetterCount"
    yield Metric("AWS/Scheduler", name, "Sum", {"ScheduleGroup": group})
