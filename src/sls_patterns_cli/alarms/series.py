"""Values of a metric, and what a statistic makes of them in periods.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

Points = list[float | None]
"""One value a period, the oldest first; None where the metric has none."""


class UnknownStatisticError(ValueError):
    """A statistic that this package cannot compute."""


@dataclass(frozen=True)
class Values:
    """Some equal values that a metric got at one time.

    `at` is in seconds from when the clock starts; `known` is when CloudWatch has them, if that is
    later.
    """

    at: float
    value: float
    count: float = 1
    known: float | None = None


@dataclass(frozen=True)
class Metric:
    """A metric by what names it."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def named(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "Metric":
        return cls(namespace, name, frozenset(dimensions.items()))


@dataclass(frozen=True)
class Series:
    """What one metric got, in any order."""

    values: Sequence[Values] = field(default=())

    def points(self, statistic: str, period: int, periods: int, end: float) -> Points:
        """Return one value for each of the last `periods` periods of `period` seconds before `end`.

        Periods end at `end` whatever the clock says, since an alarm with a period of five minutes
        looks at each minute's last five.

        Raises:
            UnknownStatisticError: the statistic is none that CloudWatch documents, or one that
                nothing here needs, such as a trimmed mean.
        """
        start = end - period * periods
        buckets: list[list[Values]] = [[] for _ in range(periods)]
        first = bisect_left(self._times, start)
        for each in self._sorted[first : bisect_left(self._times, end)]:
            if each.known is None or each.known < end:
                buckets[int((each.at - start) // period)].append(each)
        return [_value(statistic, bucket) if bucket else None for bucket in buckets]

    def samples(self, since: float, end: float) -> float:
        """Return how many values CloudWatch has for a time."""
        return sum(
            each.count
            for each in self._sorted
            if since <= each.at < end and (each.known is None or each.known < end)
        )

    @cached_property
    def _sorted(self) -> list[Values]:
        return sorted(self.values, key=lambda each: each.at)

    @cached_property
    def _times(self) -> list[float]:
        return [each.at for each in self._sorted]


def percentile_of(statistic: str) -> float | None:
    """Return the share of 1 that a percentile names, such as 0.99 for p99; None for others."""
    found = re.fullmatch(r"p(\d{1,2}(\.\d+)?|100)", statistic)
    return float(found[1]) / 100 if found else None


def _value(statistic: str, values: Sequence[Values]) -> float:
    count = sum(each.count for each in values)
    match statistic:
        case "Sum":
            return sum(each.value * each.count for each in values)
        case "Average":
            return sum(each.value * each.count for each in values) / count
        case "Minimum":
            return min(each.value for each in values)
        case "Maximum":
            return max(each.value for each in values)
        case "SampleCount":
            return count
    share = percentile_of(statistic)
    if share is None:
        raise UnknownStatisticError(f"{statistic} is no statistic that is known here")
    # The nearest rank: CloudWatch does not say how it interpolates.
    rank = max(1, math.ceil(share * count))
    passed = 0.0
    for each in sorted(values, key=lambda each: each.value):
        passed += each.count
        if passed >= rank:
            return each.value
    raise AssertionError("the last value has the highest rank")
