"""When an alarm goes off, compared with the examples that AWS documents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sls_patterns_cli.alarms.evaluation import Alarm, Change, Missing, Query, State, changes, judged
from sls_patterns_cli.alarms.series import Metric, Series, UnknownStatisticError, Values

METRIC = Metric("Shop", "Refused")
ABOVE_ZERO = Alarm(
    "RefusedAlarm",
    [Query("m", METRIC, "Sum")],
    {},
    "m",
    "GreaterThanThreshold",
    0,
    period=60,
    periods=3,
    needed=3,
)
RETAINED = "Retain current state"
TREATMENTS = Missing.MISSING, Missing.IGNORE, Missing.BREACHING, Missing.NOT_BREACHING

THREE_OF_THREE = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "0 - - - -": ("OK", "OK", "OK", "OK"),
    "- - - - -": ("INSUFFICIENT_DATA", RETAINED, "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - X - -": ("ALARM", RETAINED, "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0 - X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 0 X 0 X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 - X - -": ("OK", "OK", "ALARM", "OK"),
    "- - - - 0": ("OK", "OK", "ALARM", "OK"),
    "- - - X -": ("ALARM", RETAINED, "ALARM", "OK"),
}
"""The tables of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html:
five points, the newest on the right, and the state by how missing ones are treated."""

PREMATURE = {
    "- - - - X": State.INSUFFICIENT_DATA,
    "- - - X -": State.INSUFFICIENT_DATA,
    "- - - X 0": State.OK,
    "- - X - 0": State.OK,
    "- - X - -": State.ALARM,
}
"""The examples of its part on premature transitions, for three of three and `missing`."""


def rows() -> list[tuple[int, str, Missing, str]]:
    return [
        (needed, points, treatment, expected)
        for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
        for points, row in table.items()
        for treatment, expected in zip(TREATMENTS, row, strict=True)
    ]


def points_of(drawn: str) -> list[float | None]:
    return [{"0": 0.0, "X": 1.0, "-": None}[each] for each in drawn.split()]


@pytest.mark.parametrize(("needed", "points", "missing", "expected"), rows())
def test_the_state_is_that_of_the_tables_on_missing_data(
    needed: int, points: str, missing: Missing, expected: str
) -> None:
    alarm = replace(ABOVE_ZERO, needed=needed, missing=missing)

    for before in State:
        state = before if expected == RETAINED else State(expected)
        assert judged(alarm, points_of(points), before) is state


@pytest.mark.parametrize(("points", "expected"), PREMATURE.items())
def test_an_alarm_waits_for_the_values_that_may_still_come(points: str, expected: State) -> None:
    assert judged(ABOVE_ZERO, points_of(points), State.OK) is expected


def a_minute(values: Sequence[float | None], *, known_after: float = 0) -> Mapping[Metric, Series]:
    """Return a metric with one value in the middle of each minute; None: it has none."""
    return {
        METRIC: Series(
            [
                Values(60 * minute + 30, value, known=60 * minute + 30 + known_after)
                for minute, value in enumerate(values)
                if value is not None
            ]
        )
    }


def test_the_figure_of_three_periods_of_three() -> None:
    """The figure of
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html: above the
    threshold of 3 from the third to the fifth period, and in the ninth alone."""
    alarm = replace(ABOVE_ZERO, threshold=3)

    found = changes(alarm, a_minute([2, 2, 4, 5, 4, 2, 2, 2, 4, 2, 2]), 660)

    assert found == [Change(300, State.ALARM), Change(360, State.OK)]


def test_a_period_of_five_minutes_ends_with_each_minute() -> None:
    """At the end of minute 5 it looks at minutes 1 to 5, and then at 2 to 6 (same page)."""
    alarm = replace(ABOVE_ZERO, period=300, periods=1, needed=1, threshold=9)

    found = changes(alarm, a_minute([0, 0, 0, 0, 5, 5, 0, 0, 0, 0, 0]), 660)

    assert found == [Change(360, State.ALARM), Change(600, State.OK)]


def test_a_short_period_is_looked_at_every_ten_seconds() -> None:
    alarm = replace(ABOVE_ZERO, period=10, periods=1, needed=1, missing=Missing.NOT_BREACHING)

    found = changes(alarm, {METRIC: Series([Values(12, 1)])}, 60, further_back=0)

    assert found == [Change(20, State.ALARM), Change(30, State.OK)]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    {
        "GreaterThanThreshold": [False, False, True],
        "GreaterThanOrEqualToThreshold": [False, True, True],
        "LessThanThreshold": [True, False, False],
        "LessThanOrEqualToThreshold": [True, True, False],
    }.items(),
)
def test_a_value_at_the_threshold_breaches_where_the_operator_says(
    comparison: str, expected: list[bool]
) -> None:
    alarm = replace(ABOVE_ZERO, comparison=comparison, threshold=5, periods=1, needed=1)

    assert [judged(alarm, [value], State.OK) is State.ALARM for value in (4, 5, 6)] == expected


@pytest.mark.parametrize(
    ("statistic", "expected"),
    {
        "Sum": 55,
        "Average": 5.5,
        "Minimum": 1,
        "Maximum": 10,
        "SampleCount": 10,
        "p50": 5,
        "p90": 9,
        "p99.9": 10,
        "p100": 10,
    }.items(),
)
def test_a_statistic_makes_one_value_of_a_period(statistic: str, expected: float) -> None:
    series = Series([Values(1, value) for value in range(1, 11)])

    assert series.points(statistic, 60, 1, 60) == [expected]


def test_equal_values_count_as_often_as_they_came() -> None:
    series = Series([Values(1, 10, 99), Values(2, 1000)])

    assert series.points("Sum", 60, 1, 60) == [1990]
    assert series.points("p99", 60, 1, 60) == [10]
    assert series.points("p99.5", 60, 1, 60) == [1000]


def test_a_statistic_that_is_not_known_is_refused() -> None:
    with pytest.raises(UnknownStatisticError, match="tm90"):
        Series([Values(1, 1)]).points("tm90", 60, 1, 60)


def test_what_comes_late_counts_when_it_has_come() -> None:
    alarm = replace(ABOVE_ZERO, periods=1, needed=1, missing=Missing.NOT_BREACHING)

    assert changes(alarm, a_minute([1]), 300) == [Change(60, State.ALARM), Change(240, State.OK)]
    late = changes(alarm, a_minute([1], known_after=60), 300)
    assert late == [Change(120, State.ALARM), Change(240, State.OK)]
    assert changes(alarm, a_minute([1], known_after=600), 900) == []


@pytest.mark.parametrize(("samples", "expected"), [(999, []), (1000, [Change(60, State.ALARM)])])
def test_a_percentile_of_few_samples_may_be_ignored(samples: int, expected: list[Change]) -> None:
    """Fewer than 10/(1-percentile), which is 1000 for p99:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
    """
    alarm = replace(
        ABOVE_ZERO,
        queries=[Query("m", METRIC, "p99")],
        periods=1,
        needed=1,
        ignores_few_samples=True,
    )

    assert changes(alarm, {METRIC: Series([Values(1, 1, samples)])}, 60) == expected
