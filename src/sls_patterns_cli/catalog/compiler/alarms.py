"""The alarms of a stack, in two tiers, each with the reason for its numbers.

A page needs somebody now: messages in a dead-letter queue, events that are lost, old messages and
records, a share of failed calls, failed executions. A ticket can wait for working hours: errors
that are retried, throttles, capacity, latency, a circuit that stays open. Nothing that one request
of a stranger causes sets off an alarm, unless a service accepts what it cannot process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sls_patterns_cli.catalog.compiler.kinds import (
    api,
    aurora,
    cache,
    delivery,
    external,
    function,
    log_group,
    queue,
    rate,
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
    Facts,
    Graph,
    Metric,
    Reference,
    Threshold,
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
    letters = Alarm(
        "DeadLettersAlarm",
        PAGE,
        "Failed messages have come into {names}",
        f"run make dead-letters, then see {section} in the README",
        "a message comes there after all its retries, and is deleted after "
        f"{queue.DEAD_LETTER_RETENTION.text}; new messages set it off, even if older ones remain",
        metrics={},
        periods=queue.LATE_MINUTES,
        needed=1,
        clears=False,
    )
    yield from _summed(letters, [Growth(each) for each in dead_letter_queues])
    lost = Alarm(
        "LostEventsAlarm",
        PAGE,
        "A failed event could not be kept, and is lost, at {names}",
        "check the permissions to send to the dead-letter queue",
        "nothing else shows it",
        metrics={},
    )
    yield from _summed(lost, [Term(each) for node in nodes for each in _lost(node)])
    for node in nodes:
        if node["resource"] in BESIDE:
            yield from BESIDE[node["resource"]](node)
        if node["resource"] in ALARMS:
            yield from ALARMS[node["resource"]](node)
    yield from _function_errors([node for node in nodes if node["kind"] == "function"])


def thresholds(alarms: Iterable[Alarm]) -> list[Threshold]:
    """The parameters of the alarms, each once."""
    found = {each.threshold for each in alarms if isinstance(each.threshold, Threshold)}
    return sorted(found, key=lambda threshold: threshold.name)


def _lost(node: CompiledNode) -> Iterator[Metric]:
    if node["resource"] in LOST:
        yield from LOST[node["resource"]](node)


@dataclass(frozen=True)
class Term:
    """A metric in a sum; it counts as 0 while none of the messages of `queue` is processed."""

    metric: Metric
    queue: CompiledNode | None = None

    @property
    def of(self) -> list[str]:
        """The logical id of what publishes it."""
        return [_resource(self.metric)]

    def numbered(self, number: int) -> tuple[str, dict[str, Metric]]:
        """Its value as an expression, and the metrics in it, by names that end with the number."""
        name = f"m{number}"
        if self.queue is None:
            return name, {name: self.metric}
        none_is_processed, of_queue = queue.stuck(self.queue["id"], str(number))
        return f"IF({none_is_processed}, 0, {name})", {name: self.metric, **of_queue}


@dataclass(frozen=True)
class Growth:
    """Whether messages have come into a queue, in a sum."""

    queue: str

    @property
    def of(self) -> list[str]:
        """The logical id of the queue."""
        return [self.queue]

    def numbered(self, number: int) -> tuple[str, dict[str, Metric]]:
        """Its value as an expression, and the metrics in it, by names that end with the number."""
        return queue.grown(self.queue, str(number))


@dataclass(frozen=True)
class Behind:
    """What fails behind an API, in a sum; it counts while the alarms on the API do not page."""

    api: CompiledNode
    failing: Sequence[Metric]
    minutes: int
    within = rate.ERROR_PERCENT

    @property
    def of(self) -> list[str]:
        """The logical ids of what fails."""
        return [_resource(each) for each in self.failing]

    def numbered(self, number: int) -> tuple[str, dict[str, Metric]]:
        """Its value as an expression, and the metrics in it."""
        errors = {
            f"m{number}{f'_{place}' if len(self.failing) > 1 else ''}": each
            for place, each in enumerate(self.failing, start=1)
        }
        # A quarter of few calls pages, and more than the parameter says of many.
        few = self.minutes * rate.FEWEST_CALLS
        may_fail = f"IF(calls < {few}, 24, {self.within.reference})"
        value = f"IF(100 * failed > {may_fail} * calls, 0, {' + '.join(errors)})"
        return value, {**api.counted(self.api), **errors}


Addend = Term | Growth | Behind


def _executions(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on executions that only answer, and on what their answers lack."""
    if state_machine.only_answers(node):
        failing = [*state_machine.failed(node).values()]
        yield from _summed(state_machine.without_answer(node), _beside_an_outage(node, failing))
        for source in node.sources:
            if source["kind"] in api.NAMES:
                yield from state_machine.missing_parts(node, api.counted(source)["failed"])


def _sign_ins(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on tokens by which functions sign in to their only system."""
    for alarm, failed, caller in secret.without_the_system(node):
        yield from _summed(alarm, _beside_an_outage(caller, [failed]))


def _circuits(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms on circuits that stay open while callers are served all the same."""
    for alarm, is_open, caller in external.open_circuits(node):
        yield from _summed(alarm, _beside_an_outage(caller, [is_open]))


def _beside_an_outage(node: CompiledNode, failing: Sequence[Metric]) -> list[Addend]:
    """What fails in a node, counted while neither its API nor its queue tells of an outage."""
    waiting = next((each for each in node.sources if each["kind"] in api.NAMES), None)
    if waiting:
        return [Behind(waiting, failing, 1)]
    return [Term(each, queue.of_consumer(node)) for each in failing]


BESIDE: Mapping[str, Callable[[CompiledNode], Iterator[Alarm]]] = {
    "external": _circuits,
    "secret": _sign_ins,
    "state-machine": _executions,
}
"""The alarms on what another alarm tells of if it is an outage, by the resource of a node."""


def _function_errors(functions: Sequence[CompiledNode]) -> Iterator[Alarm]:
    """The alarm on functions that fail; while a queue's consumer fails wholly, its queue pages.

    A message that fails alone does so at each receive, so a period is longer than it is hidden.
    """
    told = {each["name"]: _told_by(each) for each in functions}
    alone = [
        Term(function.metric(each, "Errors"), queue.of_consumer(each))
        for each in functions
        if not function.is_called_by_others(each) and not told[each["name"]]
    ]
    hidden = max((each.queue["visibility_timeout"] for each in alone if each.queue), default=0)
    period = 60 * (hidden // 60 + 1)
    terms: list[Addend] = [
        *(
            Behind(node, [function.metric(each, "Errors") for each in behind], period // 60)
            for node in (functions[0].graph.nodes if functions else ())
            if node["kind"] in api.NAMES
            and (behind := [each for each in functions if node["name"] in told[each["name"]]])
        ),
        *alone,
    ]
    errors = Alarm(
        "FunctionErrorsAlarm",
        TICKET,
        "Invocations of {names} fail",
        "see their logs",
        "callers are told by a status, and events are retried; "
        + (
            "three receives of a message in a row; if no message of a queue is processed, "
            "its own alarm goes off"
            if hidden
            else "AWS recommends 3 of 3 minutes"
        ),
        metrics={},
        period=period,
        periods=3,
    )
    yield from _summed(errors, terms)


def _told_by(node: CompiledNode) -> set[str]:
    """What tells of each failure of a function, by name; none if its errors alone do.

    An API answers with a 5xx status, an execution fails, is undone or leaves a letter, and so does
    an event or a record after its retries; records that wait for them get old, which pages. A batch
    of items may fail within what a map tolerates.
    """
    found: set[str] = set()
    for edge, source in zip(node.incoming, node.sources, strict=True):
        waits = source["kind"] == "function" and edge["call"] == "sync"
        of_caller = _told_by(source) if waits else set()
        if source["kind"] in api.NAMES or _tells(source, edge):
            found.add(source["name"])
        elif (node["failed_events"] or node["reads_stream"]) and edge["call"] == "async":
            found.add(node["name"])
        elif of_caller:
            found |= of_caller
        else:
            return set()
    return found


def _tells(source: CompiledNode, edge: Facts) -> bool:
    """Whether it is a state machine of which a failed step is a failed execution, or a letter."""
    return source["kind"] == "state-machine" and edge.get("by") != "batches"


def _summed(alarm: Alarm, terms: Sequence[Addend]) -> Iterator[Alarm]:
    """One alarm on the sum of terms, or several where they are too many for one.

    It adds them by `+`, which takes a missing value for 0; AWS advises against SUM in alarms:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    for number, some in enumerate(_parts(terms), start=1):
        numbered = [each.numbered(place) for place, each in enumerate(some, start=1)]
        metrics = {name: metric for _, of_term in numbered for name, metric in of_term.items()}
        yield replace(
            alarm,
            id=alarm.id if number == 1 else f"{alarm.id.removesuffix('Alarm')}{number}Alarm",
            what=alarm.what.format(names=listed(name for each in some for name in each.of)),
            metrics=metrics,
            terms=tuple(value for value, _ in numbered) if len(metrics) > 1 else (),
            within=next((each.within for each in some if isinstance(each, Behind)), None),
        )


def _parts(terms: Sequence[Addend]) -> Iterator[list[Addend]]:
    """Yield as many of them at a time as one alarm can watch."""
    part: list[Addend] = []
    left = MOST_METRICS
    for term in terms:
        needed = len(term.numbered(1)[1])
        if needed > left:
            yield part
            part, left = [], MOST_METRICS
        part.append(term)
        left -= needed
    if part:
        yield part


def _resource(metric: Metric) -> str:
    """The logical id of what publishes the metric: its first dimension names it."""
    return next(each.id for each in metric.dimensions.values() if isinstance(each, Reference))
