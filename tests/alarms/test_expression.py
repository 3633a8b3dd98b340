"""Metric math, compared with the examples of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.
"""

import pytest

from sls_patterns_cli.alarms.expression import UnknownExpressionError, computed
from sls_patterns_cli.alarms.series import Points

M1: Points = [30, 20, 0, 0]
M2: Points = [20, None, 20, None]
ONE: Points = [1, 1, 0, 0, None]
TWO: Points = [30, None, 0, 0, 30]
THREE: Points = [0, 0, 20, None, 20]


@pytest.mark.parametrize(
    ("expression", "expected"),
    {
        "(metric1 < metric2)": [0, 0, 1, 0],
        "(metric1 >= 30)": [1, 0, 0, 0],
        "(metric1 > 15 AND metric2 > 15)": [1, 0, 0, 0],
        "metric1 > 15 && metric2 > 15": [1, 0, 0, 0],
        "metric1 > 15 OR metric2 > 15": [1, 1, 1, 0],
        "metric1 > 25 || metric2 > 15": [1, 0, 1, 0],
        "metric1 == 30": [1, 0, 0, 0],
        "metric1 != 30": [0, 1, 1, 1],
    }.items(),
)
def test_a_comparison_is_one_or_zero(expression: str, expected: Points) -> None:
    assert computed(expression, {"metric1": M1, "metric2": M2}, 60) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    {
        "IF(metric1, metric2, metric3)": [30, 0, 20, None, None],
        "IF(metric1, 5, metric3)": [5, 5, 20, None, None],
        "IF(metric1, metric2, 5)": [30, 0, 5, 5, None],
        "IF(metric1, metric2)": [30, 0, None, None, None],
        "IF(1, metric2, metric3)": TWO,
        "IF(0, metric2, metric3)": THREE,
        "IF(metric2 < 20, 10, 2)": [2, None, 10, 10, 2],
    }.items(),
)
def test_if_takes_what_its_condition_says(expression: str, expected: Points) -> None:
    metrics = {"metric1": ONE, "metric2": TWO, "metric3": THREE}

    assert computed(expression, metrics, 60) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    {
        # One of two that is missing is 0; what would be divided by zero is dropped.
        "m1 + m2": [50, 20, 20, 0],
        "m2 - m1": [-10, -20, 20, 0],
        "m1 / m2": [1.5, None, 0, None],
        "5 * m2": [100, None, 100, None],
        "-m1 ^ 2 + 1": [-899, -399, 1, 1],
        "(-m1) ^ 2": [900, 400, 0, 0],
        "PERIOD(m1) / 60 + m1 - m1": [1, 1, 1, 1],
        "SUM([m1, m2])": [50, 20, 20, 0],
        "MAX(METRICS())": [30, 20, 20, 0],
        "MIN([m1, m2])": [20, 0, 0, 0],
        'SUM(METRICS("1"))': [30, 20, 0, 0],
        "m1 - AVG(m1)": [17.5, 7.5, -12.5, -12.5],
        "m1 / METRIC_COUNT(METRICS())": [15, 10, 0, 0],
        "FILL(m2, 7)": [20, 7, 20, 7],
        "FILL(m2, m1)": [20, 20, 20, 0],
        "FILL(m2, REPEAT)": [20, 20, 20, 20],
        "FILL(m2, LINEAR)": [20, 20, 20, None],
        "SUM(FILL(METRICS(), 1))": [50, 21, 20, 1],
        "DIFF(m1)": [None, -10, -20, 0],
        "DIFF(m2)": [None, None, 0, None],
        "RATE(m1)": [None, -10 / 60, -20 / 60, 0],
        "RATE(60 * m2)": [None, None, 0, None],
        "RUNNING_SUM(m2)": [20, 20, 40, 40],
        "ABS(m2 - m1)": [10, 20, 20, 0],
        "FLOOR(m1 / 7)": [4, 2, 0, 0],
        "CEIL(m1 / 7)": [5, 3, 0, 0],
        "LOG10(m1 / 3)": [1, pytest.approx(0.8239087), None, None],
        "TIME_SERIES(SUM(m1))": [50, 50, 50, 50],
        "IF(m1 >= 10, 100 * m2 / m1, 0)": [pytest.approx(200 / 3), 0, 0, 0],
    }.items(),
)
def test_arithmetic_and_functions(expression: str, expected: Points) -> None:
    assert computed(expression, {"m1": M1, "m2": M2}, 60) == expected


def test_a_rate_is_by_the_second_since_the_last_value() -> None:
    assert computed("RATE(m)", {"m": [0, None, 240]}, 60) == [None, None, 2]
    assert computed("DIFF(m)", {"m": [0, None, 240]}, 60) == [None, None, 240]


def test_linear_fills_between_two_values_only() -> None:
    points: Points = [None, 1, None, None, 4, None]

    assert computed("FILL(m, LINEAR)", {"m": points}, 60) == [None, 1, 2, 3, 4, None]
    assert computed("FILL(m, REPEAT)", {"m": points}, 60) == [None, 1, 1, 1, 4, 4]


@pytest.mark.parametrize(
    ("expression", "named"),
    {
        "m1 +": "is no metric math",
        "m3": "m3 is not known",
        "SEARCH('errors', 'Sum')": "SEARCH",
        "ANOMALY_DETECTION_BAND(m1)": "ANOMALY_DETECTION_BAND",
        "DIFF(m1, m2)": "DIFF with 2 arguments",
        "SUM(m1)": "one time series",
        "METRICS()": "one time series",
        "1 / 0 + m1": "divided by zero",
        "IF(METRICS(), 1, 0)": "several time series",
        "__import__('os')": "__import__",
        "m1.real": "m1.real",
        "m1 < m2 < m1": "not known here",
    }.items(),
)
def test_what_cannot_be_computed_is_named(expression: str, named: str) -> None:
    with pytest.raises(UnknownExpressionError, match=named):
        computed(expression, {"m1": M1, "m2": M2}, 60)
