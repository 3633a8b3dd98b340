"""Who is told of data that is refused: of a sender who may send, and of a stranger.

A function counts each signed delivery that it refuses. Of a REST API `Count` and `4XXError` have
all requests, those of strangers as well, and CloudWatch Logs counts the lines of its access log
that match a filter, in the minute of the line, once it has them, which takes some minutes:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from alarms.calls import BEFORE
from alarms.compiled import GRAPHS, Graph, metric_of, of_another, told, with_other

from sls_patterns_cli.alarms.series import Series, Values

SIGNED = "ReceiveFunctionSignedRefusalsAlarm"
DATA = "ApiRefusedDataAlarm"

MINUTES = 240


@dataclass(frozen=True)
class Minute:
    """Requests of a minute: taken, refused for their form, and of strangers who may not call."""

    taken: int = 0
    refused: int = 0
    strangers: int = 0


@dataclass(frozen=True)
class Scenario:
    """What comes after `BEFORE`, and the minutes after it in which the ticket may come."""

    name: str
    minutes: Callable[[int], Minute]
    ticket: range | None
    before: Minute = Minute()
    late: int = 0
    """By how many minutes what is refused is counted later."""


def every(minutes: int, one: Minute) -> Callable[[int], Minute]:
    return lambda at: Minute() if at % minutes else one


DATA_SCENARIOS = [
    Scenario("nobody sends", lambda _: Minute(), None),
    Scenario("all is well", lambda _: Minute(taken=100), None, Minute(taken=100)),
    Scenario("1 of 100 is bad", lambda _: Minute(99, 1), None, Minute(taken=100)),
    Scenario("4 of 100 are bad", lambda _: Minute(96, 4), None, Minute(taken=100)),
    # An hour of them is more than 5 percent after 50 minutes.
    Scenario("6 of 100 are bad", lambda _: Minute(94, 6), range(48, 60), Minute(taken=100)),
    Scenario("all at 9 a minute", lambda _: Minute(0, 9), range(5), Minute(taken=9)),
    Scenario("all at 100 a minute", lambda _: Minute(0, 100), range(5), Minute(taken=100)),
    Scenario("all at 10,000", lambda _: Minute(0, 10_000), range(5), Minute(taken=10_000)),
    Scenario("all at 3 an hour", every(20, Minute(0, 1)), range(40, 43)),
    Scenario("all at 2 an hour", every(30, Minute(0, 1)), None),
    Scenario("all, and a stranger", lambda _: Minute(0, 9, 6_000), range(5), Minute(taken=9)),
    Scenario("a stranger at 1 a second", lambda _: Minute(9, 0, 60), None, Minute(taken=9)),
    Scenario("a stranger at 100 a second", lambda _: Minute(9, 0, 6_000), None, Minute(taken=9)),
    Scenario(
        "all, and counted late", lambda _: Minute(0, 9), range(5, 10), Minute(taken=9), late=5
    ),
    Scenario("one is bad, and no other", lambda at: Minute(0, int(at == 0)), None),
]
"""With `auth: none` a stranger's bad data is like that of all senders: a ticket, and no page."""

SIGNED_SCENARIOS = [
    Scenario("nobody sends", lambda _: Minute(), None),
    Scenario("one is refused", lambda at: Minute(99, int(at == 0)), range(2)),
    Scenario("one of few", lambda at: Minute(0, int(at == 0)), range(2)),
    Scenario("all at 9 a minute", lambda _: Minute(0, 9), range(2)),
    Scenario("all at 1,000 a minute", lambda _: Minute(0, 1_000), range(2)),
    Scenario("one each half an hour", every(30, Minute(9, 1)), range(2)),
    Scenario("a stranger at 1 a second", lambda _: Minute(999, 0, 60), None),
    Scenario("older handlers count none", lambda _: Minute(9), None),
]


def series(counts: list[int]) -> Series:
    return Series([Values(60 * at + 30, 1, count) for at, count in enumerate(counts) if count])


def requests(scenario: Scenario) -> list[Minute]:
    return [scenario.before] * BEFORE + [scenario.minutes(at) for at in range(MINUTES)]


def of_data(scenario: Scenario) -> dict[str, Series]:
    minutes = requests(scenario)
    return {
        "Count": series([each.taken + each.refused + each.strangers for each in minutes]),
        "4XXError": series([each.refused + each.strangers for each in minutes]),
        "RefusedData": series([0] * scenario.late + [each.refused for each in minutes]),
    }


def of_signed(scenario: Scenario) -> dict[str, Series]:
    minutes = requests(scenario)
    return {
        "Invocations": series([each.taken + each.refused + each.strangers for each in minutes]),
        "RefusedDeliveries": series([each.strangers for each in minutes]),
        "RefusedSignedDeliveries": series([each.refused for each in minutes]),
    }


def complaint(name: str, graph: Graph, scenario: Scenario) -> str:
    """Return what is wrong with what alarms tell, of which there is one ticket: "" if nothing.

    The metrics are those of the graph with this name, whatever the alarms of the other one watch.
    """
    values = (of_data if name in STREAMERS else of_signed)(scenario)
    metrics = (each for alarm in GRAPHS[name]["alarms"] for each in alarm["metrics"].values())
    emitted = {metric_of(each): values[each["name"]] for each in metrics if each["name"] in values}
    found = told(graph, emitted, BEFORE + MINUTES)
    in_time = [each.minute - BEFORE in (scenario.ticket or ()) for each in found]
    tickets = [each.tier == "ticket" for each in found]
    if in_time == tickets == ([] if scenario.ticket is None else [True]):
        return ""
    return f"{scenario.name}: {found}"


STREAMERS = [name for name in GRAPHS if name.startswith("streamer/")]
WEBHOOKS = [name for name in GRAPHS if name.startswith("scalable-webhook/function")]


@pytest.mark.parametrize("scenario", DATA_SCENARIOS, ids=lambda each: each.name)
@pytest.mark.parametrize("name", STREAMERS)
def test_data_that_is_refused_is_a_ticket_by_its_share(name: str, scenario: Scenario) -> None:
    assert complaint(name, GRAPHS[name], scenario) == ""


@pytest.mark.parametrize("scenario", SIGNED_SCENARIOS, ids=lambda each: each.name)
@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_signed_delivery_that_is_refused_is_a_ticket(name: str, scenario: Scenario) -> None:
    assert complaint(name, GRAPHS[name], scenario) == ""


def share(least: int, total: str) -> dict[str, Any]:
    return {"terms": [f"IF(refused >= {least}, 100 * refused / ({total}), 0)"]}


TOTAL = "requests - errors + refused"
OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    (DATA, {"threshold": 3}),
    (DATA, {"threshold": 50}),
    (DATA, {"period": 300}),
    (DATA, {"periods": 15}),
    (DATA, {"missing": "breaching"}),
    (DATA, {"tier": "page"}),
    (DATA, share(1, TOTAL)),
    (DATA, share(4, TOTAL)),
    (DATA, share(3, "requests")),
    (DATA, {"terms": ["IF(errors >= 3, 100 * errors / requests, 0)"]}),
    (SIGNED, {"threshold": 1}),
    (SIGNED, {"period": 3600, "periods": 3, "needed": 3}),
    (SIGNED, {"periods": 1}),
    (SIGNED, {"needed": 2}),
    (SIGNED, {"missing": "breaching"}),
    (SIGNED, {"tier": "page"}),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("alarm_id", "instead"), OTHERWISE)
def test_an_alarm_with_another_number_is_noticed(alarm_id: str, instead: dict[str, Any]) -> None:
    assert is_noticed(alarm_id, lambda _: instead)


@pytest.mark.parametrize("alarm_id", [DATA, SIGNED])
def test_an_alarm_on_another_resource_is_noticed(alarm_id: str) -> None:
    assert is_noticed(alarm_id, of_another)


def is_noticed(alarm_id: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    name, scenarios = (
        (STREAMERS[0], DATA_SCENARIOS) if alarm_id == DATA else (WEBHOOKS[0], SIGNED_SCENARIOS)
    )
    other = with_other(GRAPHS[name], alarm_id, instead)
    return any(complaint(name, other, scenario) for scenario in scenarios)
