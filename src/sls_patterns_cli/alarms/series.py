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
        ends = [end - period * number for number in reversed(range(periods))]
        return [self._point(statistic, period, each, end) for each in ends]

    def samples(self, since: float, end: float) -> float:
        """Return how many values CloudWatch has for a time."""
        return sum(each.count for each in self._between(since, end, end))

    def _point(self, statistic: str, period: int, end: float, now: float) -> float | None:
        """Return the value of one period, as CloudWatch has it at `now`."""
        key = statistic, period, end, now if self._has_late else end
        if key not in self._points:
            found = self._between(end - period, end, now)
            self._points[key] = _value(statistic, found) if found else None
        return self._points[key]

    def _between(self, since: float, end: float, now: float) -> list[Values]:
        """Return what came from `since` to before `end`, and is known at `now`."""
        first, last = (bisect_left(self._times, at) for at in (since, end))
        found = self._sorted[first:last]
        return [each for each in found if each.known is None or each.known < now]

    @cached_property
    def _points(self) -> dict[tuple[str, int, float, float], float | None]:
        """What was computed: looks at an alarm, a minute apart, share most periods."""
        return {}

    @cached_property
    def _has_late(self) -> bool:
        return any(each.known is not None for each in self.values)

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
