"""Schedules of EventBridge Scheduler."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Metric,
    Named,
)

RETRIES = 3
"""How often Scheduler tries again to start a run."""

RUN_AGE = Duration(5, "minutes")
"""How late a run may start; its defaults of 185 retries and 24 hours would start runs that later
ones have made superfluous.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html"""


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that Scheduler could not keep a run; its only dimension is the group (fact B1).

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
    """
    group = Named("schedule-group", f"{node['id']}Group")
    name = "InvocationsFailedToBeSentToDeadLetterCount"
    yield Metric("AWS/Scheduler", name, "Sum", {"ScheduleGroup": group})
