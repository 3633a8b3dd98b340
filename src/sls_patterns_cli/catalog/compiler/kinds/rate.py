"""Alarms on calls: on the share that fails or is refused, and on how long callers wait."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
    Metric,
    Threshold,
)

FEWEST_CALLS = 9
"""In a minute with fewer calls a failure is no rate: of one call it would be 100 percent. How many
of fewer calls fail is told by the hour."""

BAD_MINUTES, BAD_MINUTES_OF = 3, 15
"""So many bad minutes of so many are an outage, also where each fourth minute is bad."""

FAILED_IN_AN_HOUR = 3
"""So many failures of few calls are no accident, if they are a quarter of the calls or more: in the
first 15 minutes of an outage that many calls of an hour have failed."""

FEWEST_CHECKED = 20
"""So many requests of five minutes are judged by how many of them were refused: anyone may send one
that is refused."""

ERROR_PERCENT = Threshold(
    "error-percent", 5, "Which share of the calls may fail, in percent; AWS recommends 5"
)

LATENCY = Threshold(
    "latency-milliseconds",
    2500,
    "How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500",
)

SLOWEST = "p90"
"""What is judged by its latency: one slow call of ten is normal."""

REFUSED_IN_AN_HOUR = 3
"""So many requests of an hour that are refused for their form are no accident of one sender."""

REFUSED_PERCENT = Threshold(
    "refused-percent",
    50,
    "Which share of the requests may be refused, in percent, before it looks like an error of ours",
)


@dataclass(frozen=True)
class Failing:
    """How many of how many fail, as expressions of `metrics`; `of` says what they are."""

    metrics: Mapping[str, Metric]
    failed: str = "failed"
    all_of_them: str = "calls"
    of: str = "calls"


def calls(*, failed: Metric, all_of_them: Metric) -> Failing:
    """Calls that fail, each of which is counted when it ends."""
    return Failing({"calls": all_of_them, "failed": failed})


def _share(part: str, total: str, least: int) -> str:
    """What a metric is of another in percent, and 0 while that is below `least`."""
    return f"IF({total} >= {least}, 100 * {part} / {total}, 0)"


def outage(
    of: str, alarm: str, whats: tuple[str, str], first: str, failing: Failing
) -> Iterator[Alarm]:
    """The two alarms on what fails: on a share of many by the minute, of few by the hour.

    Each number of calls is judged by one of them, so that one outage is one page. At fewer than
    three calls an hour neither goes off. `of` is the id of what is watched, `alarm` what theirs
    end with. `whats` says what is wrong, of many and of few.
    """
    what, of_few = whats
    yield replace(
        failure_rate(f"{of}{alarm}", what, first, failing),
        reason=f"a share in {BAD_MINUTES} of {BAD_MINUTES_OF} minutes, each with at least "
        f"{FEWEST_CALLS} {failing.of}: after three minutes of an outage, and also where only each "
        "fourth minute is bad",
        periods=BAD_MINUTES_OF,
        needed=BAD_MINUTES,
    )
    most, failed, all_of_them = 60 * FEWEST_CALLS, failing.failed, failing.all_of_them
    not_few = f"{failed} >= {FAILED_IN_AN_HOUR} AND 4 * {failed} >= {all_of_them}"
    yield Alarm(
        f"{of}Quiet{alarm}",
        PAGE,
        of_few,
        first,
        f"fewer than {most} {failing.of} in an hour are no rate by the minute: three of them have "
        "failed, and a quarter or more",
        failing.metrics,
        after="with the third failure",
        terms=(f"IF({all_of_them} < {most} AND {not_few}, 1, 0)",),
        period=3600,
    )


def failure_rate(alarm_id: str, what: str, first: str, failing: Failing) -> Alarm:
    """The alarm on the share of what fails; it is quiet a minute after the last failure.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
    """
    return Alarm(
        alarm_id,
        PAGE,
        what,
        first,
        f"a share in 3 of 3 minutes, each with at least {FEWEST_CALLS} {failing.of}, so that no "
        f"single {failing.of.removesuffix('s')} sets it off",
        failing.metrics,
        terms=(_share(failing.failed, failing.all_of_them, FEWEST_CALLS),),
        threshold=ERROR_PERCENT,
        periods=3,
    )


def slow(alarm_id: str, what: str, first: str, latency: Metric) -> Alarm:
    """The alarm on how long callers wait."""
    return Alarm(
        alarm_id,
        TICKET,
        what,
        first,
        "AWS recommends the 90th percentile in 5 of 5 minutes",
        {"latency": latency},
        threshold=LATENCY,
        periods=5,
    )


def refusal_rate(node: CompiledNode, first: str, *, refused: Metric, all_of_them: Metric) -> Alarm:
    """The alarm on the share of requests that a function or an API refuses."""
    return Alarm(
        f"{node['id']}RefusalsAlarm",
        TICKET,
        f"{node['id']} refuses most requests",
        first,
        f"a share of at least {FEWEST_CHECKED} requests in five minutes, three times in a row: "
        "anyone can send one that is refused",
        {"requests": all_of_them, "refused": refused},
        terms=(_share("refused", "requests", FEWEST_CHECKED),),
        threshold=REFUSED_PERCENT,
        period=300,
        periods=3,
    )


def refused_data(node: CompiledNode, *, refused: Metric, errors: Metric, requests: Metric) -> Alarm:
    """The alarm on the share of data that an API refuses for its form, though who sent it may call.

    Of all requests those do not count that were refused for another reason, such as a stranger's:
    the API's own metric counts both, and its access log tells them apart.
    """
    share = "100 * refused / (requests - errors + refused)"
    return Alarm(
        f"{node['id']}{refused.name}Alarm",
        TICKET,
        "The API refuses data for its form or size",
        "see the access log for who sends it since when",
        f"a share of what those sent in an hour who may call, {REFUSED_IN_AN_HOUR} requests or "
        "more: nobody sends it again in another form, so what is refused is lost",
        {"refused": refused, "errors": errors, "requests": requests},
        after="with the third refusal",
        terms=(f"IF(refused >= {REFUSED_IN_AN_HOUR}, {share}, 0)",),
        threshold=ERROR_PERCENT,
        period=3600,
    )
