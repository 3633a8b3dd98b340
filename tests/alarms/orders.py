"""How orders of `state-machine` end, minute by minute, and what CloudWatch gets of it.

Each topology emits what AWS's pages say:

- Step Functions counts each execution by how it ended. Nobody can stop an express one. EventBridge
  counts those that the rule sends to the queue, whatever their status.
  https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
  https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
- A durable execution that fails, times out or is stopped is in the dead-letter queue of its
  function. It is no error of an invocation: `Errors` does not count it, only
  `DurableExecutionFailed` and the like.
  https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
- The caller of an express execution gets 500 where it failed or left an order half done, and 504
  where it timed out; the other two topologies answer 202 before anything can fail.
- Lambda counts each attempt of a step that raises; a durable execution goes on in another
  invocation, without an error.
  https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html

What the local stack makes of such orders is in the proofs of the pattern: `timeout-compensated`
(undone), `failure-in-queue` (half done, and no failed execution of express beside it),
`stopped-stays-stopped`, `transient-failure-retried`, `rejection-compensated`, and
`failure-compensated` of durable.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from alarms.calls import BEFORE
from alarms.compiled import Graph, metric_of

from sls_patterns_cli.alarms.series import Metric, Series, Values

STANDARD, EXPRESS, DURABLE = "standard", "express", "durable"
Counts = dict[str, list[int]]
"""How often each metric is counted in each minute, by its name."""


@dataclass(frozen=True)
class Minute:
    """Orders that ended in a minute, by how; a rejected one is well."""

    well: int = 0
    undone: int = 0
    half_done: int = 0
    stopped: int = 0
    timed_out: int = 0
    retried: int = 0
    """Those of which a step raised at first, and that are well."""

    @property
    def ended(self) -> int:
        return sum(getattr(self, each.name) for each in fields(self))

    def letters(self, topology: str) -> int:
        """Return how many are in the dead-letter queue then."""
        if topology == EXPRESS:
            return self.half_done
        failed = self.undone if topology == DURABLE else 0
        return failed + self.half_done + self.stopped + self.timed_out

    def errors(self, topology: str) -> int:
        """Return how many invocations of steps and compensations fail."""
        return 0 if topology == DURABLE else self.undone + 7 * self.half_done + self.retried

    def failed_calls(self, topology: str) -> int:
        failed = self.undone + self.half_done + self.timed_out
        return failed if topology == EXPRESS else 0


@dataclass(frozen=True)
class Tells:
    """The pages that come, each in one of these minutes after `BEFORE`, and the tickets."""

    pages: Mapping[str, range]
    tickets: frozenset[str] = frozenset()
    again: bool = False
    """Whether the same page may come again later: one letter, and another after a quiet time."""


@dataclass(frozen=True)
class Scenario:
    name: str
    minutes: list[Minute]
    tells: Mapping[str, Tells]
    """By topology; where there is none, it cannot happen."""


def each(minute: Callable[[int], Minute], minutes: int = 62) -> list[Minute]:
    return [minute(number) for number in range(minutes)]


def rare(an_hour: int, one: Minute) -> list[Minute]:
    """Return so many orders an hour, all of which end alike."""
    return each(lambda number: Minute() if number % (60 // an_hour) else one, 120)


def counts(scenario: Scenario, topology: str) -> tuple[Counts, list[int | None]]:
    """Return what is counted each minute, and how many letters there are; None: nothing is known.

    SQS reports nothing of a queue that nobody has used for hours:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
    """
    rate = max(minute.ended for minute in scenario.minutes)
    minutes = [*[Minute(well=rate)] * BEFORE, *scenario.minutes]
    letters, held = [], 0
    for minute in minutes:
        held += minute.letters(topology)
        letters.append(held or None)
    found: Counts = {
        "Count": [minute.ended for minute in minutes],
        "5xx": [minute.failed_calls(topology) for minute in minutes],
        "Errors": [minute.errors(topology) for minute in minutes],
    }
    if topology == DURABLE:
        return found, letters
    kept_as_failed = topology == STANDARD
    failed = [each.undone + kept_as_failed * each.half_done for each in minutes]
    timed_out = [each.timed_out for each in minutes]
    stopped = [each.stopped for each in minutes]
    succeeded = [each.ended for each in minutes]
    for bad in (failed, timed_out, stopped):
        succeeded = [all_of_them - few for all_of_them, few in zip(succeeded, bad, strict=True)]
    found |= {
        "ExecutionsFailed": failed,
        "ExecutionsTimedOut": timed_out,
        "ExecutionsAborted": stopped,
        "ExecutionsSucceeded": succeeded,
        "TriggeredRules": [each.letters(topology) for each in minutes],
    }
    return found, letters


def emitted(graph: Graph, scenario: Scenario, topology: str) -> dict[Metric, Series]:
    """Return the values of each metric of the graph; of steps, those of the one that charges."""
    counted, letters = counts(scenario, topology)
    found = {}
    for metric in _metrics(graph):
        dimensions = {each["id"] for each in metric["dimensions"].values()}
        name = metric["name"]
        if name == "Errors" and dimensions != {"ChargeFunction"}:
            continue
        if name in counted:
            found[metric_of(metric)] = Series(list(_values(counted, name)))
        elif name == "ApproximateNumberOfMessagesVisible":
            found[metric_of(metric)] = Series(
                [Values(60 * at + 30, depth) for at, depth in enumerate(letters) if depth]
            )
        elif name == "ApproximateNumberOfMessagesNotVisible":
            found[metric_of(metric)] = Series(
                [Values(60 * at + 30, 0) for at, depth in enumerate(letters) if depth]
            )
    return found


def _values(counted: Counts, name: str) -> Iterator[Values]:
    """API Gateway reports each call, failed or not, as 1 or 0, others only what they count."""
    for at, (count, calls) in enumerate(zip(counted[name], counted["Count"], strict=True)):
        if count:
            yield Values(60 * at + 30, 1, int(count))
        if name == "5xx" and calls - count:
            yield Values(60 * at + 30, 0, int(calls - count))


def _metrics(graph: Graph) -> Iterator[dict[str, Any]]:
    for alarm in graph["alarms"]:
        yield from alarm["metrics"].values()


LETTERS = "DeadLettersAlarm"
MANY, FEW, UNDONE = (
    f"OrderStateMachine{name}Alarm" for name in ("Failed", "QuietFailed", "Undone")
)
CALLS, FEW_CALLS = "ApiErrorsAlarm", "ApiQuietErrorsAlarm"
TIMED_OUT = MANY
"""Of an express machine: its other failures are told by the calls."""

AT_ONCE, LATER, SOON = range(6), range(3, 19), range(3)


def nobody(*topologies: str) -> dict[str, Tells]:
    return dict.fromkeys(topologies or (STANDARD, EXPRESS, DURABLE), Tells({}))


def an_outage(many: str, few: str, rate: int) -> dict[str, range]:
    return {many: AT_ONCE} if rate >= 9 else {few: LATER}


def _scenarios() -> Iterator[Scenario]:
    yield Scenario("nobody orders", each(lambda _: Minute()), nobody())
    yield Scenario("all is well", each(lambda _: Minute(9)), nobody())
    tickets = frozenset({UNDONE})
    for rate in (1, 9, 100, 10_000):
        yield Scenario(
            f"a bad release: all are undone at {rate} a minute",
            [Minute(undone=rate)] * 62,
            {
                STANDARD: Tells(an_outage(MANY, FEW, rate), tickets),
                EXPRESS: Tells(an_outage(CALLS, FEW_CALLS, rate), tickets),
                DURABLE: Tells({LETTERS: SOON}),
            },
        )
        yield Scenario(
            f"a bad release: all are half done at {rate} a minute",
            [Minute(half_done=rate)] * 62,
            {
                STANDARD: Tells({LETTERS: SOON}),
                # Callers of many get an error as well, which is another thing to look at.
                EXPRESS: Tells({LETTERS: SOON, **an_outage(CALLS, FEW_CALLS, rate)}),
                DURABLE: Tells({LETTERS: SOON}),
            },
        )
    yield Scenario(
        "all are undone at 3 an hour",
        rare(3, Minute(undone=1)),
        {
            STANDARD: Tells({FEW: range(40, 56)}, frozenset({UNDONE})),
            EXPRESS: Tells({FEW_CALLS: range(40, 56)}, frozenset({UNDONE})),
            DURABLE: Tells({LETTERS: SOON}, again=True),
        },
    )
    yield Scenario(
        "each fourth minute all are undone",
        each(lambda at: Minute(9) if at % 4 else Minute(undone=9)),
        {
            STANDARD: Tells({MANY: range(61)}, frozenset({UNDONE})),
            EXPRESS: Tells({CALLS: range(61)}, frozenset({UNDONE})),
            DURABLE: Tells({LETTERS: SOON}),
        },
    )
    yield Scenario(
        "each fourth minute all are half done",
        each(lambda at: Minute(9) if at % 4 else Minute(half_done=9)),
        {
            STANDARD: Tells({LETTERS: SOON}),
            EXPRESS: Tells({LETTERS: SOON, CALLS: range(61)}),
            DURABLE: Tells({LETTERS: SOON}),
        },
    )
    one_of_many = [*each(lambda _: Minute(9), 30)]
    for name, one, tells in (
        ("undone", Minute(8, undone=1), {LETTERS: SOON}),
        ("half done", Minute(8, half_done=1), {LETTERS: SOON}),
        ("timed out", Minute(8, timed_out=1), {LETTERS: SOON}),
    ):
        undone = Tells({}, frozenset({UNDONE}))
        kept = Tells(tells)
        yield Scenario(
            f"one of many is {name}",
            [one, *one_of_many],
            {
                STANDARD: undone if name == "undone" else kept,
                EXPRESS: {"undone": undone, "timed out": Tells({TIMED_OUT: SOON})}.get(name, kept),
                DURABLE: kept,
            },
        )
    yield Scenario(
        "an operator stops one",
        [Minute(8, stopped=1), *one_of_many],
        dict.fromkeys((STANDARD, DURABLE), Tells({LETTERS: SOON})),
    )
    yield Scenario(
        "the datastore throttles for two minutes, and all is well",
        [*[Minute(retried=9)] * 2, *one_of_many],
        nobody(),
    )
    yield Scenario(
        "the datastore throttles for ten minutes, and all is well",
        [*[Minute(retried=9)] * 10, *one_of_many],
        nobody(),
    )
    yield Scenario(
        "the datastore throttles until orders are undone",
        [*[Minute(retried=9)] * 2, *[Minute(undone=9)] * 10, *one_of_many],
        {
            STANDARD: Tells({MANY: range(2, 8)}, tickets),
            EXPRESS: Tells({CALLS: range(2, 8)}, tickets),
            DURABLE: Tells({LETTERS: range(2, 5)}),
        },
    )


SCENARIOS = list(_scenarios())
