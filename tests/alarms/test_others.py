"""Who is told of what is not an outage: strangers who are refused, and a circuit that opens.

Lambda counts each invocation; a function reports 1 for each delivery that it refuses, and 0 for one
that it does not: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html. The
function behind a circuit reports with each call whether it is open.
"""

from typing import Any

import pytest
from alarms.compiled import GRAPHS, Graph, told_by_names, with_other

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


def told_of_circuit(
    graph: Graph, opened: list[Values], *, failing: bool, tokens: bool = False
) -> list[tuple[str, int]]:
    """Return who is told when. An open circuit answers 503, unless the handler answers instead.

    With `tokens`, the carrier refuses the token of each call, which opens the circuit.
    """
    calls = Series([Values(each.at, 1) for each in opened])
    failed = Series([Values(each.at, each.value if failing else 0) for each in opened])
    emitted = {"CircuitOpen": Series(opened), "Count": calls, "5xx": failed}
    if tokens:
        # A probe each minute.
        probes = range(BEFORE, int(max(each.at for each in opened if each.value) / 60))
        emitted["SignInFailed"] = Series([Values(60 * minute + 30, 1) for minute in probes])
    return [(one.tier, one.minute - BEFORE) for one in told_by_names(graph, emitted, MINUTES)]


OPEN_FOR = [(30, None), (90, None), (600, None), (660, 11), (7_000, 11)]
"""In seconds, and the minute in which an alarm tells of it."""


@pytest.mark.parametrize("calls", [9, 100])
@pytest.mark.parametrize(("seconds", "minute"), OPEN_FOR)
@pytest.mark.parametrize("name", CIRCUITS)
def test_a_circuit_that_is_open_for_ten_whole_minutes_is_one_ticket_if_callers_are_answered(
    name: str, seconds: int, minute: int | None, calls: int
) -> None:
    found = told_of_circuit(CIRCUITS[name], open_for(seconds, calls), failing=False)

    assert found == ([("ticket", minute)] if minute else [])


@pytest.mark.parametrize("calls", [9, 100])
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("name", CIRCUITS)
def test_an_open_circuit_whose_callers_get_an_error_is_one_page(
    name: str, calls: int, *, tokens: bool
) -> None:
    opened = open_for(7_000, calls)

    found = told_of_circuit(CIRCUITS[name], opened, failing=True, tokens=tokens)

    assert [tier for tier, _ in found] == ["page"]
    assert found[0][1] <= 5


def test_a_circuit_stays_open_while_nobody_calls() -> None:
    graph = CIRCUITS["http-api-dynamodb"]
    open_then_silence = [each for each in open_for(7_000, 9) if each.at < 60 * (BEFORE + 20)]

    assert told_of_circuit(graph, open_then_silence, failing=False) == [("ticket", 11)]


@pytest.mark.parametrize(
    "instead",
    [
        {"terms": ["m1"]},
        {"periods": 9},
        {"periods": 11},
        {"missing": "notBreaching"},
        {"missing": "breaching"},
        {"threshold": 1},
        {"tier": "page"},
    ],
    ids=str,
)
def test_an_alarm_on_the_circuit_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    graph = CIRCUITS["http-api-dynamodb"]
    other = with_other(graph, "CarrierCircuitOpenAlarm", lambda _: instead)
    silence = [each for each in open_for(7_000, 9) if each.at // 60 - BEFORE not in range(20, 50)]
    closed = [each for each in open_for(0, 9) if each.at < 60 * (BEFORE + 20)]
    given = [silence, closed, *(open_for(seconds, 9) for seconds, _ in OPEN_FOR)]

    assert any(
        told_of_circuit(other, opened, failing=failing)
        != told_of_circuit(graph, opened, failing=failing)
        for opened, failing in [(open_for(7_000, 9), True), *((each, False) for each in given)]
    )
