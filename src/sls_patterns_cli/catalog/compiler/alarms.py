"""The alarms of a stack, in two tiers, each with the reason for its numbers.

A page needs somebody now: messages in a dead-letter queue, events that are lost, old messages and
records, a share of failed calls, failed executions, a circuit that stays open. A ticket can wait
for working hours: errors that are retried, throttles, capacity, latency. Nothing that one request
of a stranger causes sets off an alarm, unless a service accepts what it cannot process.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    aurora,
    cache,
    delivery,
    external,
    function,
    log_group,
    queue,
    redshift,
    rules,
    schedule,
    secret,
    state_machine,
    stream,
    topic,
)
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Graph,
    Metric,
    Reference,
    Threshold,
    Tier,
)
from sls_patterns_cli.terminal.sentences import listed

MOST_METRICS = 10
"""Of one alarm: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html"""

ALARMS: dict[str, Callable[[CompiledNode], Iterator[Alarm]]] = {
    "http-api": api.alarms,
    "rest-api": api.alarms,
    "function": function.alarms,
    "queue": queue.alarms,
    "state-machine": state_machine.alarms,
    "log-group": log_group.alarms,
    "delivery": delivery.alarms,
    "redshift-serverless": redshift.alarms,
    "aurora-postgresql": aurora.alarms,
    "cache": cache.alarms,
    "external": external.alarms,
    "secret": secret.alarms,
}
"""By resource."""

LOST: dict[str, Callable[[CompiledNode], Iterator[Metric]]] = {
    "function": function.lost,
    "event-bus": rules.lost,
    "bucket": rules.lost,
    "topic": topic.lost,
    "schedule": schedule.lost,
    "log-group": log_group.lost,
    "state-machine": state_machine.lost,
    "delivery": delivery.lost,
    "stream": stream.lost,
    "dynamodb": stream.lost,
}
"""By resource: the end of a failure can itself fail, and only these metrics show it (fact B1)."""


def alarms(graph: Graph, dead_letter_queues: Sequence[str], section: str) -> Iterator[Alarm]:
    """The alarms of a stack; `section` of its README is on what is in dead-letter queues."""
    nodes = graph.nodes
    yield from _summed(
        "DeadLettersAlarm",
        PAGE,
        [queue.depth(each) for each in dead_letter_queues],
        "Failed messages are in {names}",
        f"run make dead-letters, then see {section} in the README",
        "a message is there after all its retries, and is deleted after "
        f"{queue.DEAD_LETTER_RETENTION.text}",
    )
    yield from _summed(
        "LostEventsAlarm",
        PAGE,
        [each for node in nodes for each in _lost(node)],
        "A failed event could not be kept, and is lost, at {names}",
        "check the permissions to send to the dead-letter queue",
        "nothing else shows it",
    )
    for node in nodes:
        if node["resource"] in ALARMS:
            yield from ALARMS[node["resource"]](node)
    functions = [node for node in nodes if node["kind"] == "function"]
    yield from _summed(
        "FunctionErrorsAlarm",
        TICKET,
        [
            function.metric(each, "Errors")
            for each in functions
            if not function.is_called_by_others(each)
        ],
        "Invocations of {names} fail",
        "see their logs",
        "callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes",
        minutes=3,
    )


def thresholds(alarms: Iterable[Alarm]) -> list[Threshold]:
    """The parameters of the alarms, each once."""
    found = {each.threshold for each in alarms if isinstance(each.threshold, Threshold)}
    return sorted(found, key=lambda threshold: threshold.name)


def _lost(node: CompiledNode) -> Iterator[Metric]:
    if node["resource"] in LOST:
        yield from LOST[node["resource"]](node)


def _summed(
    alarm_id: str, tier: Tier, metrics: Sequence[Metric], *told: str, minutes: int = 1
) -> Iterator[Alarm]:
    """One alarm on the sum of metrics, or several where they are too many for one.

    It adds them by `+`, which takes a missing value for 0; AWS advises against SUM in alarms:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    what, first, reason = told
    parts = (metrics[at : at + MOST_METRICS] for at in range(0, len(metrics), MOST_METRICS))
    for number, some in enumerate(parts, start=1):
        named = {f"m{place}": metric for place, metric in enumerate(some, start=1)}
        yield Alarm(
            alarm_id if number == 1 else f"{alarm_id.removesuffix('Alarm')}{number}Alarm",
            tier,
            what.format(names=listed(map(_resource, some))),
            first,
            reason,
            named,
            expression=" + ".join(named) if len(named) > 1 else None,
            periods=minutes,
        )


def _resource(metric: Metric) -> str:
    """The logical id of what publishes the metric: its first dimension names it."""
    return next(each.id for each in metric.dimensions.values() if isinstance(each, Reference))
