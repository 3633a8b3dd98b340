"""In which state an alarm is, minute by minute.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from sls_patterns_cli.alarms.expression import UnknownExpressionError, computed
from sls_patterns_cli.alarms.series import Metric, Points, Series, percentile_of

MINUTE = 60
SHORT = 10
"""How often an alarm is looked at: each minute, or each 10 s if its period is shorter."""
FURTHER_BACK = 2
"""How many periods CloudWatch looks further back than it has to, in case some have no value.

AWS says no number, but for its two examples, which look at five periods for three:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """What stands for a period without a value."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True)
class Query:
    """What a metric comes to in each period; the id is what expressions name it by."""

    id: str
    metric: Metric
    statistic: str


@dataclass(frozen=True)
class Alarm:
    """A metric alarm: `needed` of the last `periods` periods of `period` seconds breach."""

    name: str
    queries: Sequence[Query]
    expressions: Mapping[str, str]
    """Metric math by id, in the order in which it can be computed; a later one may name an earlier
    one."""
    watched: str
    """The id of the query or expression that is compared with the threshold."""
    comparison: str
    threshold: float
    period: int
    periods: int
    needed: int
    missing: Missing = Missing.MISSING
    ignores_few_samples: bool = False
    """Whether its state stays while a percentile has too few values to mean something."""

    @property
    def interval(self) -> int:
        """How often it is looked at, in seconds."""
        return MINUTE if self.period >= MINUTE else SHORT


@dataclass(frozen=True)
class Change:
    """An alarm's new state, and when it came, in seconds."""

    at: int
    state: State


def changes(
    alarm: Alarm,
    metrics: Mapping[Metric, Series],
    until: int,
    *,
    further_back: int = FURTHER_BACK,
) -> list[Change]:
    """Return each change of an alarm that begins as OK, to `until` seconds, which are looked at.

    Args:
        alarm: what is watched.
        metrics: what each metric gets; one that is not there gets nothing. Values from before 0
            count.
        until: when to stop, in seconds.
        further_back: how many periods CloudWatch gets beyond those that it needs.

    Raises:
        UnknownExpressionError: for metric math that is not known here.
        UnknownStatisticError: for a statistic that is not known here.
    """
    states = list(_states(alarm, metrics, until, further_back))
    return [Change(at, now) for (_, before), (at, now) in pairwise(states) if now != before]


def _states(
    alarm: Alarm, metrics: Mapping[Metric, Series], until: int, further_back: int
) -> Iterator[tuple[int, State]]:
    state = State.OK
    yield 0, state
    for end in range(alarm.interval, until + 1, alarm.interval):
        if not _has_few_samples(alarm, metrics, end):
            state = judged(alarm, points(alarm, metrics, end, alarm.periods + further_back), state)
        yield end, state


def points(alarm: Alarm, metrics: Mapping[Metric, Series], end: int, periods: int) -> Points:
    """Return what an alarm compares with its threshold: the last periods before `end`.

    Raises:
        UnknownExpressionError: for metric math that is not known here.
        UnknownStatisticError: for a statistic that is not known here.
    """
    known = {
        query.id: metrics.get(query.metric, Series()).points(
            query.statistic, alarm.period, periods, end
        )
        for query in alarm.queries
    }
    for name, expression in alarm.expressions.items():
        known[name] = computed(expression, known, alarm.period)
    if alarm.watched not in known:
        raise UnknownExpressionError(f"{alarm.name} watches {alarm.watched}, which it has not")
    return known[alarm.watched]


def judged(alarm: Alarm, found: Points, state: State) -> State:
    """Return the state after a look at points, of which CloudWatch takes as few as it can.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    breaches = BREACHES[alarm.comparison]
    real = [
        (len(found) - at, breaches(point, alarm.threshold))
        for at, point in enumerate(found)
        if point is not None
    ][-alarm.periods :]
    breaching = sum(breached for _, breached in real)
    filled = alarm.periods - len(real)
    if filled and alarm.missing is Missing.BREACHING:
        breaching += filled
    if breaching >= alarm.needed:
        return State.ALARM
    if not filled or alarm.missing in (Missing.BREACHING, Missing.NOT_BREACHING):
        return State.OK
    if any(not breached for _, breached in real):
        return State.OK
    if alarm.missing is Missing.IGNORE:
        return state
    # All that is there breaches, though it is too little: it counts if no newer value came.
    oldest = max((age for age, _ in real), default=0)
    return State.ALARM if oldest >= alarm.needed else State.INSUFFICIENT_DATA


def _has_few_samples(alarm: Alarm, metrics: Mapping[Metric, Series], end: int) -> bool:
    """Tell whether a percentile has fewer values than CloudWatch asks for.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
    """
    if not alarm.ignores_few_samples:
        return False
    for query in alarm.queries:
        share = percentile_of(query.statistic)
        if share is None or not 0 < share < 1:
            continue
        series = metrics.get(query.metric, Series())
        least = 10 / (1 - share if share >= 0.5 else share)
        if series.samples(end - alarm.period * alarm.periods, end) < least:
            return True
    return False
