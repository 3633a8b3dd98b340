"""Reads alarms from the properties that CloudFormation and the API of CloudWatch have for them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sls_patterns_cli.alarms.evaluation import BREACHES, Alarm, Missing, Query
from sls_patterns_cli.alarms.series import Metric

ALONE = "m"
"""The id of a metric that is watched by itself."""


class UnreadableAlarmError(ValueError):
    """An alarm of which this package cannot tell when it goes off."""


def alarm_of(name: str, properties: Mapping[str, Any]) -> Alarm:
    """Return an alarm.

    Args:
        name: what to call it.
        properties: those of `AWS::CloudWatch::Alarm`, or an element of `MetricAlarms` that
            `DescribeAlarms` returns. All values are resolved: no intrinsic functions.

    Raises:
        UnreadableAlarmError: a value is not resolved, or the alarm is of a kind that is not known
            here: one on anomalies, on logs, or on a query of Metrics Insights.
    """
    comparison = properties.get("ComparisonOperator")
    if comparison not in BREACHES:
        raise UnreadableAlarmError(f"{name} compares by {comparison}, which is not known here")
    if properties.get("Metrics"):
        queries, expressions, watched, period = _of_math(name, properties["Metrics"])
    else:
        queries, expressions, watched = [_query(name, ALONE, properties, properties)], {}, ALONE
        period = _whole(name, properties, "Period")
    periods = _whole(name, properties, "EvaluationPeriods")
    return Alarm(
        name,
        queries,
        expressions,
        watched,
        comparison,
        _number(name, properties, "Threshold"),
        period,
        periods,
        _whole(name, {"DatapointsToAlarm": periods, **properties}, "DatapointsToAlarm"),
        _missing(name, properties, queries),
        properties.get("EvaluateLowSampleCountPercentile") == "ignore",
    )


def _of_math(
    name: str, queries: Sequence[Mapping[str, Any]]
) -> tuple[list[Query], dict[str, str], str, int]:
    found, expressions, periods = [], dict[str, str](), set[int]()
    returned = [each for each in queries if each.get("ReturnData", True) not in (False, "false")]
    if len(returned) != 1:
        raise UnreadableAlarmError(f"{name} returns {len(returned)} time series instead of one")
    for each in queries:
        stat = each.get("MetricStat")
        if stat:
            periods.add(_whole(name, stat, "Period"))
            found.append(_query(name, each["Id"], stat["Metric"], {"Statistic": stat["Stat"]}))
        else:
            expressions[each["Id"]] = str(each.get("Expression"))
    if len(periods) != 1:
        raise UnreadableAlarmError(f"{name} has metrics of {len(periods)} periods instead of one")
    return found, _in_order(name, expressions), returned[0]["Id"], periods.pop()


def _in_order(name: str, expressions: Mapping[str, str]) -> dict[str, str]:
    """Put each expression behind those that it names."""
    ordered: dict[str, str] = {}
    left = dict(expressions)
    while left:
        ready = [
            each
            for each, text in left.items()
            if not any(other in text for other in left if other != each)
        ]
        if not ready:
            raise UnreadableAlarmError(f"{name} has expressions that name each other")
        ordered |= {each: left.pop(each) for each in ready}
    return ordered


def _query(name: str, id_: str, metric: Mapping[str, Any], statistic: Mapping[str, Any]) -> Query:
    dimensions = {str(each["Name"]): each["Value"] for each in metric.get("Dimensions") or []}
    parts = metric.get("Namespace"), metric.get("MetricName"), *dimensions.values()
    if not all(isinstance(part, str) for part in parts):
        raise UnreadableAlarmError(f"{name} watches a metric whose name is not known here")
    return Query(
        id_,
        Metric.named(metric["Namespace"], metric["MetricName"], dimensions),
        str(statistic.get("Statistic") or statistic.get("ExtendedStatistic")),
    )


def _missing(name: str, properties: Mapping[str, Any], queries: Sequence[Query]) -> Missing:
    # A metric of DynamoDB comes only when something happens, so CloudWatch keeps the state:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    of_dynamodb = any(query.metric.namespace == "AWS/DynamoDB" for query in queries)
    default = Missing.IGNORE if of_dynamodb else Missing.MISSING
    said = properties.get("TreatMissingData") or default
    try:
        return Missing(said)
    except ValueError:
        raise UnreadableAlarmError(f"{name} treats missing data as {said}, which is none") from None


def _whole(name: str, properties: Mapping[str, Any], key: str) -> int:
    return int(_number(name, properties, key))


def _number(name: str, properties: Mapping[str, Any], key: str) -> float:
    try:
        return float(properties[key])
    except (KeyError, TypeError, ValueError):
        raise UnreadableAlarmError(f"{key} of {name} is no number") from None
