"""Who is told of what is not an outage: strangers who are refused, and a circuit that opens.

Lambda counts each invocation; a function reports 1 for each delivery that it refuses, and 0 for one
that it does not: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html. The
function behind a circuit reports with each call whether it is open.
"""

import pytest
from alarms.compiled import GRAPHS, Graph, told_by_names

from sls_patterns_cli.alarms.series import Series, Values

BEFORE, MINUTES = 60, 180


def graphs(pattern: str) -> dict[str, Graph]:
    return {
        name.removeprefix(f"{pattern}/"): graph
        for name, graph in GRAPHS.items()
        if name.startswith(f"{pattern}/")
    }


REFUSALS = [3, 4, 60, 6_000]
"""So many a minute; from 60 in 15 minutes on they are a ticket."""


def refusals_are_one_ticket_if_many(graph: Graph, *names: str, a_minute: int) -> None:
    """Emit so many refusals, by these names of metrics, and nothing else."""
    each = Series([Values(60 * minute + 30, 1, a_minute) for minute in range(BEFORE, MINUTES)])

    told = told_by_names(graph, dict.fromkeys(names, each), MINUTES)

    assert [each.tier for each in told] == (["ticket"] if a_minute >= 4 else [])
    assert all(each.minute - BEFORE in range(11, 16) for each in told)


WEBHOOKS = graphs("scalable-webhook")


@pytest.mark.parametrize("a_minute", REFUSALS)
@pytest.mark.parametrize("name", WEBHOOKS)
def test_unsigned_deliveries_of_a_stranger_page_nobody(name: str, a_minute: int) -> None:
    """Many are a ticket: the sender's secret may have changed."""
    metrics = ("Invocations", "RefusedDeliveries")
    refusals_are_one_ticket_if_many(WEBHOOKS[name], *metrics, a_minute=a_minute)


GATEKEEPERS = graphs("gatekeeper")


@pytest.mark.parametrize("a_minute", REFUSALS)
@pytest.mark.parametrize("name", GATEKEEPERS)
def test_callers_who_are_all_refused_are_one_ticket_whoever_checks_their_tokens(
    name: str, a_minute: int
) -> None:
    """An API counts a refusal by its authorizer as 4xx, and so does one that asks a provider:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    """
    metrics = ("Count", "4xx", "4XXError")
    refusals_are_one_ticket_if_many(GATEKEEPERS[name], *metrics, a_minute=a_minute)


CIRCUITS = graphs("circuit-breaker")


def open_for(seconds: int, calls: int) -> list[Values]:
    """Return what so many calls a minute report: the circuit opens 20 seconds into a minute."""
    begin = 60 * BEFORE + 20
    times = [(60 * number) / calls for number in range(MINUTES * calls)]
    return [Values(at, float(begin <= at < begin + seconds)) for at in times]


@pytest.mark.parametrize("calls", [9, 100])
@pytest.mark.parametrize(
    ("seconds", "minutes"), [(30, None), (90, None), (600, None), (660, 11), (7_000, 11)]
)
@pytest.mark.parametrize("name", CIRCUITS)
def test_a_circuit_that_is_open_for_ten_whole_minutes_is_one_ticket(
    name: str, seconds: int, minutes: int | None, calls: int
) -> None:
    opened = {"CircuitOpen": Series(open_for(seconds, calls))}

    told = told_by_names(CIRCUITS[name], opened, MINUTES)

    assert [(one.tier, one.minute - BEFORE) for one in told] == (
        [("ticket", minutes)] if minutes else []
    )


def test_a_circuit_stays_open_while_nobody_calls() -> None:
    open_then_silence = [each for each in open_for(7_000, 9) if each.at < 60 * (BEFORE + 20)]

    opened = {"CircuitOpen": Series(open_then_silence)}

    told = told_by_names(CIRCUITS["http-api-dynamodb"], opened, MINUTES)

    assert [(one.tier, one.minute - BEFORE) for one in told] == [("ticket", 11)]
