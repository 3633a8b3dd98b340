"""What services report of the failure of a trial: which metric gets which value, and when.

Each table is from the page of AWS that its text names; none looks at an alarm.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, count, takewhile
from typing import Any, Literal

from sls_patterns_cli.alarms.series import Series, Values
from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.prove.trials import Trial
from sls_patterns_cli.prove.verdict import Outcome
from sls_patterns_cli.wiring.alarms import DIMENSIONS, FILLED, SENT, is_dimension
from sls_patterns_cli.wiring.model import FUNCTION, MACHINE, QUEUE, TOPIC

MINUTE, DAY = 60, 86_400
SAMPLE = 30
"""The second of a minute at which a queue is looked at."""

When = Literal["sent", "tried", "ended"]
"""A value comes once as the event is sent or given up, or at each attempt."""

AGE = None
"""In the place of a value: the milliseconds since the event was sent."""

Table = Mapping[str, tuple[When, float | None]]
"""By metric, when it gets a value, and which."""

FAILED: Table = {"Invocations": ("tried", 1), "Errors": ("tried", 1), "Throttles": ("tried", 0)}
"""An invocation is an error or is none, so the metrics of its outcome have 1 or 0.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#invocation-metrics
"""
ITEMS_FAILED: Table = {**FAILED, "Errors": ("tried", 0)}
"""A function that names the items that have failed has succeeded.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""
THROTTLED: Table = {"Throttles": ("tried", 1)}
"""Neither an invocation nor an error, says the page on invocation metrics."""

ASYNCHRONOUS: Table = {
    "AsyncEventsReceived": ("sent", 1),
    "AsyncEventAge": ("tried", AGE),
    "AsyncEventsDropped": ("ended", 1),
}
"""https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#async-invocation-metrics"""

OF_A_STREAM: Table = {"IteratorAge": ("tried", AGE)}
"""https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#performance-metrics"""

EXECUTION: Table = {"ExecutionsStarted": ("tried", 1), "ExecutionsFailed": ("tried", 1)}
"""https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""

OF_A_RULE: Table = {
    "TriggeredRules": ("sent", 1),
    "Invocations": ("ended", 1),
    "FailedInvocations": ("ended", 1),
}
"""Invocations that are tried again count when they have failed for good.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html#eb-metrics
"""
OF_A_TOPIC: Table = {
    "NumberOfMessagesPublished": ("sent", 1),
    "NumberOfNotificationsFailed": ("ended", 1),
}
"""https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"""
TO_AN_ADDRESS: Table = {**OF_A_TOPIC, "NumberOfNotificationsFailed": ("tried", 1)}
"""Of HTTP endpoints each attempt counts, says the same page."""

OF_A_PIPE: Table = {"Invocations": ("tried", 1), "ExecutionFailed": ("tried", 1)}
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html"""

OF_FIREHOSE: Table = {"ExecuteProcessing.Success": ("tried", 0)}
"""https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html"""

KEPT: Mapping[str, str] = {
    "AWS/Events": "InvocationsSentToDlq",
    "AWS/SNS": "NumberOfNotificationsRedrivenToDlq",
}
NOT_KEPT: Mapping[str, str] = {
    "AWS/Events": "InvocationsFailedToBeSentToDlq",
    "AWS/SNS": "NumberOfNotificationsFailedToRedriveToDlq",
    "AWS/Lambda": "DestinationDeliveryFailures",
}
"""What counts what an end has got, or what it was configured for and did not get."""
NOT_IN_THE_QUEUE = "DeadLetterErrors"
"""The same of a function's own dead-letter queue."""

BESIDE = {
    *("Invocations", "Throttles", "TriggeredRules", "ExecutionsStarted"),
    *("AsyncEventsReceived", "NumberOfMessagesPublished"),
}
"""Come without a failure as well: an alarm that watches nothing else watches no failure."""

NAMED_BY: Mapping[str, str] = {
    **{namespace: name for namespace, (name, _) in DIMENSIONS.items()},
    "AWS/EventBridge/Pipes": "PipeName",
    "AWS/Firehose": "DeliveryStreamName",
}
ASYNC_WAITS = (60, 120)
"""https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
LONGEST_THROTTLED = 300
"""A throttled event is tried after a second, then after twice as long, up to this (same page)."""

READS_EVERY = 1
"""AWS does not say how long it waits between the attempts of a shard, which it reads so often:
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"""


VISIBILITY, TIMEOUT = 30, 3
"""Seconds, where a queue or a function says nothing else."""

COUNTED_RECEIVES = 3
"""A message of a standard queue that was received so often no longer counts as the oldest.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""


@dataclass(frozen=True)
class Reported:
    """What one resource reports, in a namespace: the values of its metrics, by name.

    `also` are the dimensions beside the one that names it, by what their text ends in: a metric
    with another dimension is another metric. Where they are `optional`, there is one without them
    as well, and one over all such resources. What comes `beside` comes without a failure, too.
    """

    namespace: str
    resource: Resource
    series: Mapping[str, Series]
    also: Mapping[str, str]
    optional: bool = False
    beside: frozenset[str] = frozenset(BESIDE)

    def concerns(self, stack: Stack, dimensions: Mapping[str, Any]) -> bool:
        """Tell whether the dimensions of a metric name the resource."""
        if not dimensions:
            return self.optional
        return is_dimension(stack, self.resource, dimensions.get(NAMED_BY[self.namespace]))

    def has(self, stack: Stack, dimensions: Mapping[str, Any]) -> bool:
        """Tell whether a metric with just these dimensions gets what is reported."""
        others = {
            name: value for name, value in dimensions.items() if name != NAMED_BY[self.namespace]
        }
        if not others and self.optional:
            return True
        return others.keys() == self.also.keys() and all(
            stack.text(value).endswith(self.also[name]) for name, value in others.items()
        )


@dataclass(frozen=True)
class Course:
    """When an event is tried and given up on AWS, in seconds after it was sent.

    An attempt `takes` so long; `ended` is None if nothing ends them.
    """

    tried: Sequence[Values]
    ended: float | None
    takes: float = 0

    def series(self, table: Table, since: int) -> dict[str, Series]:
        """Return what a table says of an event that is sent at `since`."""
        return {name: Series(list(self._values(*row, since))) for name, row in table.items()}

    def _values(self, when: When, value: float | None, since: int) -> Iterator[Values]:
        at = 0 if when == "sent" else self.ended
        moments = self.tried if when == "tried" else [] if at is None else [Values(at, 1)]
        for each in moments:
            # The time is that of the invocation; CloudWatch has it when that has ended.
            known = since + each.at + self.takes if when == "tried" and self.takes else None
            seen = 1000 * each.at if value is AGE else value
            yield Values(since + each.at, seen, each.count, known)


def course(trial: Trial, outcome: Outcome) -> Course:
    """Return when the event of a trial was tried, from what its outcome and configuration say."""
    takes = _takes(trial)
    ended = (outcome.after_seconds or 0) if outcome.verdict in {"ended", "lost"} else None
    match trial.polled():
        case "sqs":
            queue = trial.deployment.stack.resources[trial.edge.source]
            gap: float = _number(trial, queue.get("VisibilityTimeout"), VISIBILITY)
            number = outcome.attempts if ended is not None else DAY // max(gap, 1)
            return Course([Values(at * gap, 1) for at in range(int(number))], ended, takes)
        case "stream":
            return _of_a_shard(trial, max(READS_EVERY, takes), takes)
        case "lambda-async" if trial.fault == "throttle":
            doubled = (min(2**each, LONGEST_THROTTLED) for each in count())
            times = [*takewhile(lambda at: at <= (ended or 0), accumulate(chain([0.0], doubled)))]
            return Course([Values(at, 1) for at in times], ended)
        case "lambda-async":
            waits = (each + takes for each in ASYNC_WAITS)
            times = [*accumulate(chain([0.0], waits))][: outcome.attempts]
            return Course([Values(at, 1) for at in times], times[-1] + takes, takes)
    # How the attempts of a delivery are spread is documented for some of its endpoints only.
    gap = (ended or 0) / max(outcome.attempts - 1, 1)
    return Course([Values(at * gap, 1) for at in range(outcome.attempts)], ended, takes)


def _takes(trial: Trial) -> float:
    consumer = trial.consumer()
    if trial.fault != "timeout" or consumer is None:
        return 0
    return _number(trial, consumer.get("Timeout"), TIMEOUT)


def _of_a_shard(trial: Trial, gap: float, takes: float) -> Course:
    """The attempts of a batch, as its mapping or pipe limits them, by the minute."""

    def limit(name: str) -> int:
        return max(_number(trial, each, -1) for each in trial.limits(name))

    retries, age = limit("MaximumRetryAttempts"), limit("MaximumRecordAgeInSeconds")
    by_number = retries * gap if retries >= 0 else float("inf")
    last = min(by_number, age if age > 0 else float("inf"))
    a_minute = max(1, int(MINUTE // gap))
    step = max(MINUTE, gap)
    left = min(last, DAY) // gap + 1
    tried = []
    for minute in count():
        if left <= 0:
            break
        tried.append(Values(minute * step, 1, min(left, a_minute)))
        left -= a_minute
    return Course(tried, None if last == float("inf") else last, takes)


def _number(trial: Trial, value: Any, default: int) -> int:
    try:
        return int(trial.deployment.literal(value))
    except (TypeError, ValueError):
        return default


def reported(
    trial: Trial, outcome: Outcome, end: str | None, since: int, until: int
) -> Iterator[Reported]:
    """Yield what each resource reports of a failed event that is sent at `since`.

    Queues report each minute from 0 to `until`, of all others come only the values of the event.

    Args:
        trial: what was tried.
        outcome: what became of the event on its edge.
        end: where it is kept, be it by what the edge only tells of.
        since: when it is sent, in seconds.
        until: when nobody looks any more.
    """
    runs, edge = course(trial, outcome), trial.edge
    stack = trial.deployment.stack
    consumer, declared = trial.consumer(), stack.resources[edge.declared_by]
    if consumer and consumer.type == FUNCTION and trial.fault != "denied":
        table: Table = {**_of_a_function(trial), **_unkept(trial, outcome, consumer)}
        invoked_by = {"Resource": "}" if edge.qualifier == "$LATEST" else f":{edge.qualifier}"}
        beside = frozenset(BESIDE - THROTTLED.keys() if trial.fault == "throttle" else BESIDE)
        series = runs.series(table, since)
        yield Reported("AWS/Lambda", consumer, series, invoked_by, optional=True, beside=beside)
    elif consumer and consumer.type == MACHINE and trial.fault != "denied":
        yield Reported("AWS/States", consumer, runs.series(EXECUTION, since), {})
    if delivers := _of_a_delivery(trial):
        namespace, resource, table = delivers
        if edge.end.kind != "none" and namespace in KEPT:
            kept = KEPT if outcome.ended_at else NOT_KEPT
            table = {**table, kept[namespace]: ("ended", 1)}
        bus = declared.get("EventBusName") if namespace == "AWS/Events" else None
        also = {} if bus in (None, "default") else {"EventBusName": ""}
        yield Reported(namespace, resource, runs.series(table, since), also)
    yield from _of_source(trial, runs, since, until)
    if end in stack.resources and runs.ended is not None:
        yield from _of_end(trial, stack.resources[end], since, since + runs.ended, until)


def _of_a_function(trial: Trial) -> Table:
    mechanism, polled = trial.edge.mechanism, trial.polled()
    declared = trial.deployment.stack.resources[trial.edge.declared_by]
    names_items = "ReportBatchItemFailures" in (declared.get("FunctionResponseTypes") or [])
    table = ITEMS_FAILED if trial.fault == "poison" and names_items else FAILED
    if trial.fault == "throttle":
        table = THROTTLED
    elif trial.fault == "timeout":
        table = {**table, "Duration": ("tried", 1000 * _takes(trial))}
    if mechanism == "lambda-async":
        return {**table, **ASYNCHRONOUS}
    return {**table, **OF_A_STREAM} if mechanism == polled == "stream" else table


def _unkept(trial: Trial, outcome: Outcome, function: Resource) -> Table:
    """What counts that an end was configured for what a function failed at, and has not got it."""
    mechanism, end = trial.edge.mechanism, trial.edge.end
    if (
        outcome.verdict != "lost"
        or end.kind == "none"
        or mechanism not in {"lambda-async", "stream"}
    ):
        return {}
    is_own = mechanism == "lambda-async" and function.get("DeadLetterConfig")
    return {NOT_IN_THE_QUEUE if is_own else NOT_KEPT["AWS/Lambda"]: ("ended", 1)}


def _of_a_delivery(trial: Trial) -> tuple[str, Resource, Table] | None:
    edge, stack = trial.edge, trial.deployment.stack
    declared = stack.resources[edge.declared_by]
    match edge.mechanism:
        case "eventbridge":
            return "AWS/Events", declared, OF_A_RULE
        case "sns":
            topic = trial.deployment.resource(edge.source, TOPIC)
            is_address = str(declared.get("Protocol")).startswith("http")
            table = TO_AN_ADDRESS if is_address else OF_A_TOPIC
            return ("AWS/SNS", topic, table) if topic else None
        case "pipe":
            return "AWS/EventBridge/Pipes", declared, OF_A_PIPE
        case "firehose":
            return "AWS/Firehose", declared, OF_FIREHOSE
    return None


def _of_source(trial: Trial, runs: Course, since: int, until: int) -> Iterator[Reported]:
    """What the queue reports from which a message comes; of its metrics, the age tells of failures.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    source = trial.deployment.stack.resources.get(trial.edge.source)
    if source is None or source.type != QUEUE or trial.polled() != "sqs":
        return
    gone = until if runs.ended is None else since + runs.ended
    counts_until = gone
    if not source.is_true("FifoQueue") and len(runs.tried) >= COUNTED_RECEIVES:
        counts_until = min(gone, since + runs.tried[COUNTED_RECEIVES - 1].at)
    age = FILLED[1]
    series = {
        age: _each_minute(until, lambda at: at - since if since <= at < counts_until else 0),
        "ApproximateNumberOfMessagesNotVisible": _each_minute(until, lambda at: since <= at < gone),
        FILLED[0]: _each_minute(until, lambda _: 0),
        "NumberOfMessagesDeleted": _each_minute(until, lambda _: 0),
    }
    yield Reported("AWS/SQS", source, series, {}, beside=frozenset(series) - {age})


def _of_end(
    trial: Trial, end: Resource, since: int, ended: float, until: int
) -> Iterator[Reported]:
    """What the end reports: a queue, a topic, or a state machine that keeps its executions."""
    if end.type == TOPIC:
        published = {"NumberOfMessagesPublished": Series([Values(ended, 1)])}
        yield Reported("AWS/SNS", end, published, {}, beside=frozenset())
    elif end.type == MACHINE and trial.edge.mechanism == "eventbridge":
        runs = Course([Values(0, 1)], 0)  # of which the edge could not tell
        yield Reported("AWS/States", end, runs.series(EXECUTION, since), {})
    elif end.type == QUEUE:
        moved = trial.polled() == "sqs"  # by SQS itself, which does not count that
        series = {
            FILLED[0]: _each_minute(until, lambda at: at >= ended),
            FILLED[1]: _each_minute(until, lambda at: max(0, at - ended)),
            "ApproximateNumberOfMessagesNotVisible": _each_minute(until, lambda _: 0),
            SENT: Series([] if moved else [Values(ended, 1)]),
        }
        yield Reported("AWS/SQS", end, series, {})


def _each_minute(until: int, value: Callable[[int], float]) -> Series:
    return Series([Values(at, float(value(at))) for at in range(SAMPLE, until, MINUTE)])
