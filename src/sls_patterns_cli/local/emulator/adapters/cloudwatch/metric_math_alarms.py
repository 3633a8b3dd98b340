"""An alarm on an expression of metrics can be created.

AWS: CloudFormation takes `Metrics` instead of a metric: one of them returns data, and at most ten
have a MetricStat.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html

Emulator: fails, as metric math is not supported. Here the alarm is recorded, and never evaluated.
"""

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace

MOST_METRICS = 10


def apply() -> None:
    replace(provisioners, "_cw_metric_alarm_record", "4565fcede1eb", _of_expressions)


def _of_expressions(record: Callable[..., Any]) -> Callable[..., Any]:
    def record_of(name: str, properties: dict[str, Any]) -> Any:
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        if {"MetricName", "Namespace", "Dimensions", "Period", "Statistic"} & properties.keys():
            raise ValueError("Metrics cannot be specified together with MetricName and its like")
        if sum("MetricStat" in each for each in metrics) > MOST_METRICS:
            raise ValueError(f"Metrics list cannot have more than {MOST_METRICS} MetricStats")
        if sum(_returns_data(each) for each in metrics) != 1:
            raise ValueError("Exactly one element of the metrics list should return data")
        alone = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record(name, {**alone, "MetricName": "expression", "Namespace": "expression"})
        return {**alarm, "MetricName": None, "Namespace": None, "Metrics": metrics}

    return record_of


def _returns_data(query: dict[str, Any]) -> bool:
    return str(query.get("ReturnData", True)).lower() != "false"
