"""An alarm is compared with the values that its metrics can have: SP307 on both sides."""

import tracemalloc
from typing import Any

import yaml
from checking import findings
from command import Cli

from sls_patterns_cli.alarms.template import alarm_of
from sls_patterns_cli.wiring.attainable import beyond_reach

LAMBDA = "AWS/Lambda"


def alarm(
    namespace: str, name: str, statistic: str, comparison: str, threshold: float, **more: Any
) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Statistic": statistic,
        **compared(comparison, threshold),
        "Period": 60,
        **more,
    }


def compared(comparison: str, threshold: float) -> dict[str, Any]:
    comparisons = {
        ">": "GreaterThanThreshold",
        ">=": "GreaterThanOrEqualToThreshold",
        "<": "LessThanThreshold",
        "<=": "LessThanOrEqualToThreshold",
    }
    return {
        "EvaluationPeriods": 3,
        "ComparisonOperator": comparisons[comparison],
        "Threshold": threshold,
        "TreatMissingData": "notBreaching",
    }


def math(expression: str, comparison: str, threshold: float, **more: Any) -> dict[str, Any]:
    """Return an alarm on an expression, which may name what `metrics` below has."""
    metrics = {
        "calls": (LAMBDA, "Invocations", "Sum"),
        "failed": (LAMBDA, "Errors", "Sum"),
        "deep": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
        "own": ("Orders", "Placed", "Sum"),
    }
    stats = [
        {
            "Id": id_,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name},
                "Period": 60,
                "Stat": statistic,
            },
        }
        for id_, (namespace, name, statistic) in metrics.items()
        if id_ in expression
    ]
    value = {"Id": "value", "Expression": expression}
    return {"Metrics": [value, *stats], **compared(comparison, threshold), **more}


def of_another(query: dict[str, Any]) -> dict[str, Any]:
    """Return the query of a metric, as another function has it."""
    stat = query["MetricStat"]
    dimensions = [{"Name": "FunctionName", "Value": "another"}]
    return query | {"MetricStat": stat | {"Metric": stat["Metric"] | {"Dimensions": dimensions}}}


NEVER: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "AverageOfErrors": (
        alarm(LAMBDA, "Errors", "Average", ">", 1.1),
        "Average of AWS/Lambda Errors",
        "at most 1",
        "above 1.1",
    ),
    "MostErrorsOfACall": (
        alarm(LAMBDA, "Errors", "Maximum", ">=", 2),
        "Maximum of AWS/Lambda Errors",
        "at most 1",
        "above or equal to 2",
    ),
    "ShareOfAnswers": (
        alarm("AWS/ApiGateway", "5XXError", "Average", ">", 5),
        "Average of AWS/ApiGateway 5XXError",
        "at most 1",
        "above 5",
    ),
    "ShareAsPercentage": (
        math("failed / calls", ">", 5),
        "its value",
        "at most 1",
        "above 5",
    ),
    "MoreThanAll": (
        math("100 * failed / calls", ">", 100),
        "its value",
        "at most 100",
        "above 100",
    ),
    "SharedConcurrency": (
        alarm(LAMBDA, "ProvisionedConcurrencyUtilization", "Maximum", ">", 80),
        "Maximum of AWS/Lambda ProvisionedConcurrencyUtilization",
        "at most 1",
        "above 80",
    ),
    "Processor": (
        alarm("AWS/RDS", "CPUUtilization", "Average", ">=", 110),
        "Average of AWS/RDS CPUUtilization",
        "at most 100",
        "above or equal to 110",
    ),
    "FewerThanNone": (
        alarm("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "<", 0),
        "Maximum of AWS/SQS ApproximateNumberOfMessagesVisible",
        "at least 0",
        "below 0",
    ),
    "OneOrNone": (
        math("IF(deep > 0, 1, 0)", ">", 1),
        "its value",
        "at most 1",
        "above 1",
    ),
}


SOMETIMES: dict[str, dict[str, Any]] = {
    "AverageOfErrors": alarm(LAMBDA, "Errors", "Average", ">", 0.9),
    "SumOfErrors": alarm(LAMBDA, "Errors", "Sum", ">", 1000),
    "AllFail": math("100 * failed / calls", ">=", 100),
    "FewFail": math("IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)", ">", 0),
    "Processor": alarm("AWS/RDS", "CPUUtilization", "Average", ">=", 90),
    "SumOfPercentages": alarm("AWS/RDS", "CPUUtilization", "Sum", ">", 110),
    "None": alarm("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "<=", 0),
    "OwnMetricBelowZero": alarm("Orders", "Balance", "Minimum", "<", -5),
    "NoValue": alarm(LAMBDA, "Errors", "Average", ">", 5, TreatMissingData="breaching"),
    "Growth": math(
        "IF(deep > 0 AND FILL(DIFF(deep), 1) > 0, 1, 0)",
        ">",
        0,
        EvaluationPeriods=20,
        DatapointsToAlarm=1,
    ),
    "GrowthEachMinute": math("DIFF(deep)", ">", 100),
    "Decline": math("DIFF(own)", "<", -7),
    "Between": math("IF(deep > 17 AND deep < 19, 1, 0)", ">", 0),
    "CallsOfAnother": {
        **math("failed / calls", ">", 5),
        "Metrics": [
            each if each["Id"] != "calls" else of_another(each)
            for each in math("failed / calls", ">", 5)["Metrics"]
        ],
    },
    "Terabytes": math("deep / 1024 / 1024 / 1024", ">", 5000),
    "UnknownMath": math("ANOMALY_DETECTION_BAND(deep)", ">", 5),
    "UnknownStatistic": alarm(LAMBDA, "Errors", "IQM", ">", 5),
}


def found(cli: Cli, alarms: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return what SP307 says, by alarm."""
    resources = {
        name: {"Type": "AWS::CloudWatch::Alarm", "Properties": each}
        for name, each in alarms.items()
    }
    (cli.folder / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    return {
        each["resource"]: each["message"]
        for each in findings(cli, "template.yaml")
        if each["rule"] == "SP307"
    }


def test_an_alarm_that_nothing_sets_off_is_found_with_the_reason(cli: Cli) -> None:
    assert found(cli, {name: each for name, (each, *_) in NEVER.items()}) == {
        name: f"It can never go off: {value} is {bound}, and would have to be {other}."
        for name, (_, value, bound, other) in NEVER.items()
    }


def test_an_alarm_that_something_sets_off_is_not(cli: Cli) -> None:
    assert found(cli, SOMETIMES) == {}


def test_combinations_are_made_one_by_one() -> None:
    """Of an alarm with ten metrics there are billions, of which a few thousand are looked at."""
    names = [f"m{number}" for number in range(5)]
    stats = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "Orders", "MetricName": name},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for name in names
    ]
    many = {
        **compared(">", 7),
        "Metrics": [{"Id": "all", "Expression": " + ".join(names)}, *stats],
    }

    tracemalloc.start()
    assert beyond_reach(alarm_of("Many", many)) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1024 * 1024
