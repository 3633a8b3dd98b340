"""What an alarm's value can come to: it is evaluated over many series that its metrics may have."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice, product

from sls_patterns_cli.alarms import evaluation
from sls_patterns_cli.alarms.series import Metric, Series, Values

HUGE = 1e30
"""More than any metric comes to, also in a larger unit."""
MOST_SERIES = 2000
"""An alarm whose metrics have more combinations of values is not judged: seconds would pass."""

ALL = {"AWS/Lambda": "Invocations", "AWS/ApiGateway": "Count"}
SOME = {
    "AWS/Lambda": {"Errors", "Throttles", "DeadLetterErrors", "DestinationDeliveryFailures"},
    "AWS/ApiGateway": {"4XXError", "5XXError", "4xx", "5xx"},
}
"""By namespace, what is 1 for each call, and for some of them, so that only a sum is more than 1.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""
HIGHEST = {
    ("AWS/Lambda", "ProvisionedConcurrencyUtilization"): 1,
    ("AWS/EC2", "CPUUtilization"): 100,
    ("AWS/RDS", "CPUUtilization"): 100,
    ("AWS/RDS", "ACUUtilization"): 100,
    ("AWS/ElastiCache", "CPUUtilization"): 100,
    ("AWS/ElastiCache", "EngineCPUUtilization"): 100,
    ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage"): 100,
}
"""The highest value of what is a share of 1, or a percentage.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
"""

Level = float | None
"""A value that a metric has in each period, or None."""


@dataclass(frozen=True)
class Span:
    """The lowest and the highest value of an alarm; None where it never has one."""

    lowest: float | None
    highest: float | None


def beyond_reach(alarm: evaluation.Alarm) -> Span | None:
    """Return what an alarm's value comes to if nothing sets it off; None if something may.

    Raises one of `ringing.UnknownAlarmError`.
    """
    values: list[float] = []
    combinations = _combinations(alarm)
    periods = alarm.periods + evaluation.FURTHER_BACK
    for metrics in islice(combinations, MOST_SERIES):
        found = evaluation.points(alarm, metrics, periods * alarm.period, periods)
        if evaluation.judged(alarm, found, evaluation.State.OK) is evaluation.State.ALARM:
            return None
        values += [each for each in found if each is not None]
    if next(combinations, None) is not None or _counts_calls_of_several(alarm):
        return None
    return Span(min(values, default=None), max(values, default=None))


def _counts_calls_of_several(alarm: evaluation.Alarm) -> bool:
    """Tell whether calls of one function or API stand beside another's: here, both get as many."""
    counted = [query.metric.dimensions for query in alarm.queries if _is_of_calls(query.metric)]
    return len({*counted}) > 1


def _is_of_calls(metric: Metric) -> bool:
    return metric.name == ALL.get(metric.namespace) or metric.name in SOME.get(metric.namespace, ())


def _combinations(alarm: evaluation.Alarm) -> Iterator[Mapping[Metric, Series]]:
    """Yield series for all of an alarm's metrics, those first that set off most alarms."""
    numbers = _numbers(alarm)
    metrics = list(dict.fromkeys(query.metric for query in alarm.queries))
    levels = [_levels(metric, numbers) for metric in metrics]
    rates = list(product(_shapes(alarm), _counts(alarm, numbers)))
    # Most combinations share a series, and a series keeps what was computed of it.
    series = cache(partial(_series, alarm.period))
    # Product would make all combinations of levels, of which there may be billions, for the first.
    for chosen in product(*levels):
        for shape, count in rates:
            yield {
                metric: series(level, count, shape)
                for metric, level in zip(metrics, chosen, strict=True)
            }


def _numbers(alarm: evaluation.Alarm) -> list[float]:
    """Return numbers around which an alarm may change, the highest first."""
    said = [alarm.threshold] + [
        float(number)
        for expression in alarm.expressions.values()
        for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", expression)
    ]
    around = {number + more for number in said for more in (-1, 0, 1)}
    return sorted(around | {0, 1, HUGE}, reverse=True)


def _levels(metric: Metric, numbers: Sequence[float]) -> list[Level]:
    if metric.name == ALL.get(metric.namespace):
        return [1, None]
    if metric.name in SOME.get(metric.namespace, ()):
        return [1, 0.5, 0, None]
    if not metric.namespace.startswith("AWS/"):
        return [*numbers, *(-each for each in numbers if each > 0), None]
    highest = HIGHEST.get((metric.namespace, metric.name), HUGE)
    return [*dict.fromkeys(min(max(each, 0), highest) for each in numbers), None]


def _counts(alarm: evaluation.Alarm, numbers: Sequence[float]) -> list[float]:
    """Return how many values metrics may get in a period, where it makes a difference."""
    if all(query.statistic not in {"Sum", "SampleCount"} for query in alarm.queries):
        return [1]
    return [each for each in numbers if each >= 1]


def _shapes(alarm: evaluation.Alarm) -> list[tuple[float, ...]]:
    """Return how a metric gets to its level, as shares of it in one period after the other."""
    periods = alarm.periods + evaluation.FURTHER_BACK
    rising = tuple(number / periods for number in range(1, periods + 1))
    late = (0.0,) * (periods - alarm.needed) + (1.0,) * alarm.needed
    return [(1.0,) * periods, late, rising, rising[::-1]]


def _series(period: int, level: Level, count: float, shape: Sequence[float]) -> Series:
    if level is None:
        return Series()
    return Series(
        [
            Values((number + 0.5) * period, level * share, count)
            for number, share in enumerate(shape)
        ]
    )
