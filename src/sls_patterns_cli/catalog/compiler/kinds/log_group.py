"""Log groups of CloudWatch Logs, to which functions subscribe."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.quantities import Duration
from sls_patterns_cli.catalog.compiler.records import (
    TICKET,
    Alarm,
    CompiledNode,
    Metric,
    Output,
    Reference,
    output,
)

RETENTION_DAYS = 30
"""For how many days CloudWatch keeps logs."""

RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The days that CloudWatch may keep logs:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

RETRIES = Duration(24, "hours")
"""How long CloudWatch Logs tries to deliver after an error that a retry may mend (fact B9).
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"""


def metric(node: CompiledNode, function: CompiledNode, name: str) -> Metric:
    """A metric of the subscription of a function.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
    """
    code = f"{function['name']}-function-subscription"
    subscription = Reference(f"{function['id']}{node['id']}", "ref", code)
    dimensions: dict[str, Reference | str] = {
        "LogGroupName": Reference(node["id"], "log_group_name"),
        "DestinationType": "Lambda",
        "FilterName": subscription,
    }
    return Metric("AWS/Logs", name, "Sum", dimensions)


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarm on a subscription that is throttled."""
    for function in node.targets:
        yield Alarm(
            f"{node['id']}DeliveryThrottlingAlarm",
            TICKET,
            f"CloudWatch Logs is throttled when it invokes the {function['name']} function",
            "raise the concurrency of the account",
            f"it retries for {RETRIES.text}; AWS recommends 5 of 5 minutes for throttles",
            {"throttled": metric(node, function, "DeliveryThrottling")},
            periods=5,
        )


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that log events were not delivered (fact B9)."""
    return (metric(node, function, "DeliveryErrors") for function in node.targets)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a log group."""
    yield output(node["id"], "Name", f"The log of {node['does']}", "log_group_name")
