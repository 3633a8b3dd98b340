"""Alarms as CloudFormation and `DescribeAlarms` have them."""

from typing import Any

import pytest

from sls_patterns_cli.alarms.evaluation import Change, Missing, Query, State, changes
from sls_patterns_cli.alarms.series import Metric, Series, Values
from sls_patterns_cli.alarms.template import UnreadableAlarmError, alarm_of

ALONE: dict[str, Any] = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": "letters"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def of_math(*expressions: dict[str, Any]) -> dict[str, Any]:
    kept = ("EvaluationPeriods", "Threshold", "ComparisonOperator")
    metrics = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {"Namespace": "AWS/ApiGateway", "MetricName": name},
                "Period": 60,
                "Stat": "Sum",
            },
            "ReturnData": False,
        }
        for name in ("Count", "Failed")
    ]
    return {key: ALONE[key] for key in kept} | {"Metrics": [*expressions, *metrics]}


def test_a_metric_by_itself() -> None:
    alarm = alarm_of("LettersAlarm", ALONE)

    metric = Metric.named("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "letters"})
    assert alarm.queries == [Query("m", metric, "Maximum")]
    assert (alarm.period, alarm.periods, alarm.needed, alarm.threshold) == (60, 1, 1, 0)
    assert alarm.missing is Missing.MISSING


def test_some_of_more_periods_and_missing_data() -> None:
    said = {"EvaluationPeriods": 5, "DatapointsToAlarm": "3", "TreatMissingData": "notBreaching"}

    alarm = alarm_of("LettersAlarm", ALONE | said)

    assert (alarm.periods, alarm.needed, alarm.missing) == (5, 3, Missing.NOT_BREACHING)


def test_an_extended_statistic_is_one() -> None:
    percentile = {"Statistic": None, "ExtendedStatistic": "p99"}

    assert alarm_of("LettersAlarm", ALONE | percentile).queries[0].statistic == "p99"


def test_an_alarm_on_dynamodb_keeps_its_state_unless_it_says_otherwise() -> None:
    of_table = ALONE | {"Namespace": "AWS/DynamoDB"}

    assert alarm_of("TableAlarm", of_table).missing is Missing.IGNORE
    said = of_table | {"TreatMissingData": "breaching"}
    assert alarm_of("TableAlarm", said).missing is Missing.BREACHING


def test_an_expression_may_name_others_wherever_they_stand() -> None:
    share = {"Id": "share", "Expression": "IF(count >= least, 100 * failed / count, 0)"}
    least = {"Id": "least", "Expression": "count * 0 + 10", "ReturnData": False}
    alarm = alarm_of("ApiErrorsAlarm", of_math(share, least))

    def after(count: float) -> list[Change]:
        metrics = {
            Metric("AWS/ApiGateway", "Count"): Series([Values(1, 1, count)]),
            Metric("AWS/ApiGateway", "Failed"): Series([Values(1, 1, 1)]),
        }
        return changes(alarm, metrics, 60)

    assert list(alarm.expressions) == ["least", "share"]
    assert after(9) == []
    assert after(10) == [Change(60, State.ALARM)]


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        (ALONE | {"Threshold": {"Ref": "Most"}}, "Threshold of TheAlarm is no number"),
        (ALONE | {"Period": None}, "Period of TheAlarm is no number"),
        (ALONE | {"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        (ALONE | {"TreatMissingData": "zero"}, "zero"),
        (ALONE | {"Dimensions": [{"Name": "QueueName", "Value": {"Ref": "Q"}}]}, "whose name"),
        (of_math(), "returns 0 time series"),
        (
            of_math({"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}),
            "returns 2 time series",
        ),
        (
            of_math(
                {"Id": "a", "Expression": "b + 1"},
                {"Id": "b", "Expression": "a + 1", "ReturnData": False},
            ),
            "name each other",
        ),
        (
            {key: ALONE[key] for key in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
            | {"Metrics": [{"Id": "q", "Expression": "SELECT AVG(Errors) FROM Lambda"}]},
            "0 periods",
        ),
    ],
)
def test_what_cannot_be_read_is_named(properties: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableAlarmError, match=named):
        alarm_of("TheAlarm", properties)
