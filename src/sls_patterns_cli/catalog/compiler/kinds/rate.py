"""Alarms on a share: one failure among few requests is no alarm."""

from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    Alarm,
    CompiledNode,
    Metric,
    Threshold,
    Tier,
)

FEWEST_REQUESTS = 10
"""In a minute with fewer requests a failure is no rate: of one request it would be 100 percent."""

FEWEST_CHECKED = 20
"""So many requests of five minutes are judged by how many of them were refused: anyone may send one
that is refused."""

ERROR_PERCENT = Threshold(
    "error-percent", 5, "Which share of the calls may fail, in percent; AWS recommends 5"
)

REFUSED_PERCENT = Threshold(
    "refused-percent",
    50,
    "Which share of the requests may be refused, in percent, before it looks like an error of ours",
)


def _share(part: str, total: str, least: int) -> str:
    """What a metric is of another in percent, and 0 while that is below `least`."""
    return f"IF({total} >= {least}, 100 * {part} / {total}, 0)"


def failure_rate(
    alarm_id: str, what: str, first: str, *, failed: Metric, all_of_them: Metric
) -> Alarm:
    """The alarm on the share of calls that fail.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
    """
    return Alarm(
        alarm_id,
        PAGE,
        what,
        first,
        f"a share in 3 of 3 minutes, each with at least {FEWEST_REQUESTS} calls, so that no single "
        "call sets it off",
        {"calls": all_of_them, "failed": failed},
        expression=_share("failed", "calls", FEWEST_REQUESTS),
        threshold=ERROR_PERCENT,
        periods=3,
    )


def refusal_rate(
    node: CompiledNode, tier: Tier, first: str, *, refused: Metric, all_of_them: Metric
) -> Alarm:
    """The alarm on the share of requests that a function or an API refuses."""
    return Alarm(
        f"{node['id']}RefusalsAlarm",
        tier,
        f"{node['id']} refuses most requests",
        first,
        f"a share of at least {FEWEST_CHECKED} requests in five minutes, three times in a row: "
        "anyone can send one that is refused",
        {"requests": all_of_them, "refused": refused},
        expression=_share("refused", "requests", FEWEST_CHECKED),
        threshold=REFUSED_PERCENT,
        period=300,
        periods=3,
    )
