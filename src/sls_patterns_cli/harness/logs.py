"""What proofs read from log groups."""

import json
from collections import defaultdict
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from sls_patterns_cli.harness.aws import client


def lines(group: str, since: int) -> list[str]:
    """The lines of a log group since a time in milliseconds of the epoch, in their order."""
    pages = (
        client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, startTime=since)
    )
    return [event["message"].strip() for page in pages for event in page["events"]]


def entries(group: str, since: int) -> list[dict[str, Any]]:
    """What functions have logged themselves, each entry parsed."""
    parsed = (json.loads(line) for line in lines(group, since) if line.startswith("{"))
    return [entry for entry in parsed if "message" in entry]


def most_at_a_time(group: str, since: int) -> int:
    """How many invocations there were at the same time, when it was most.

    One lasts from the first to the last entry that it has logged.
    """
    times: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries(group, since):
        times[entry["function_request_id"]].append(entry["timestamp"])
    steps = sorted(step for each in times.values() for step in ((min(each), 1), (max(each), -1)))
    most = max(accumulate(change for _, change in steps), default=0)
    return max(most, min(len(times), 1))  # one may have logged a single entry


def metric_values(
    group: str, since: int, namespace: str, name: str, dimensions: Mapping[str, str]
) -> list[float]:
    """The values of a metric that were logged with just these dimensions.

    In CloudWatch's embedded metric format:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    found: list[float] = []
    for line in lines(group, since):
        entry = json.loads(line) if line.startswith("{") else {}
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            if (
                directive["Namespace"] == namespace
                and name in {metric["Name"] for metric in directive["Metrics"]}
                and sorted(dimensions) in map(sorted, directive["Dimensions"])
                and dimensions.items() <= entry.items()
            ):
                value = entry[name]
                found += value if isinstance(value, list) else [value]
    return found
