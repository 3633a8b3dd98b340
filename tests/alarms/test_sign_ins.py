"""Who is told when the only system of a function refuses its token: over the whole of each graph.

The function reports each sign-in that failed as `SignInFailed` (fact F4). What it then answers or
leaves in its queue is an outage, of which the alarms on calls and on queues tell. Messages that are
too few for that are letters after all their receives (the proof `wrong-token-kept`).
"""

from dataclasses import replace
from typing import Any

import pytest
from alarms import calls, queues
from alarms.compiled import GRAPHS, Graph, metric_of, told, told_by_names, with_other
from alarms.test_crashes import FEW_FAIL, HALF, ONE_OF_EIGHT, RISES, TWO_MINUTES
from alarms.test_queues import QUEUES, reported

FAILED = "SignInFailed"
ASKED = {
    name: graph
    for name, graph in GRAPHS.items()
    if any(each["id"] == "CarrierSignInAlarm" for each in graph["alarms"])
}
CONSUMING = "frugal-consumer/third-party-dynamodb"
(QUEUE,) = (each for name, each in QUEUES.items() if name.startswith(CONSUMING))
SCATTERED = (*FEW_FAIL, ONE_OF_EIGHT, TWO_MINUTES)
"""Too few for the page of the API."""
ONE = calls.Scenario(
    "one refused sign-in", calls.steady(100, lambda minute: 0.01 * (minute == 0)), None
)


def tiers_of_calls(graph: Graph, scenario: calls.Scenario) -> list[str]:
    """Return who is told of calls that a function fails to answer without its system."""
    asked, failed = scenario.counted()
    given = {"Count": asked, "5xx": failed, FAILED: failed}
    return [each.tier for each in told_by_names(graph, given, scenario.minutes)]


def complaint_of_calls(graph: Graph, scenario: calls.Scenario) -> str:
    found = tiers_of_calls(graph, scenario)
    right = [["page"] if scenario.pages else []]
    if scenario in SCATTERED or "within what may fail" in scenario.name:
        right = [["ticket"]]
    elif scenario.name.startswith(RISES):
        right.append(["ticket", "page"])
    return "" if found in right else f"{scenario.name}: {found}, not {right}"


ALL = [ONE, HALF, *SCATTERED, *calls.SCENARIOS]


@pytest.mark.parametrize("scenario", ALL, ids=lambda each: each.name)
def test_a_refused_token_behind_an_api_is_told_once(scenario: calls.Scenario) -> None:
    assert [
        wrong for graph in ASKED.values() if (wrong := complaint_of_calls(graph, scenario))
    ] == []


def tiers_of_messages(graph: Graph, scenario: queues.Scenario) -> list[str]:
    """Return who is told of messages that a function cannot process without its system.

    Each receive that fails is a sign-in that failed, and no error of the function.
    """
    crashes = replace(scenario, crash=True)
    values = queues.emitted(crashes, QUEUE.visibility, QUEUE.receives, ordered=QUEUE.ordered)
    metrics = (metric for alarm in graph["alarms"] for metric in alarm["metrics"].values())
    sign_ins = {metric_of(each): values["Errors"] for each in metrics if each["name"] == FAILED}
    given = {**reported(QUEUE, scenario), **sign_ins}
    return [each.tier for each in told(graph, given, scenario.minutes)]


def of_messages(name: str, rate: float, *when: float) -> queues.Scenario:
    return queues.Scenario(name, queues.steady(rate), queues.after(*when))


MESSAGES = {
    "refused at 9 a minute": (of_messages("refused", 9, 0), ["page"]),
    "refused at 20 a minute": (of_messages("refused", 20, 0), ["page"]),
    "all is well": (queues.Scenario("well", queues.steady(9)), []),
    "one message, received once": (
        queues.Scenario("one", queues.steady(9), lambda number, at: number == 300 and at < 2_030),
        [],
    ),
    "each tenth message fails twice": (
        queues.Scenario(
            "some",
            queues.steady(9),
            lambda number, at: number % 10 == 0 and at < 60 * number / 9 + 300 and number > 270,
        ),
        ["ticket"],
    ),
    **{
        f"{count} {name}": (
            queues.Scenario("few", alone, queues.after(0), goes_on=goes_on),
            right,
        )
        for name, goes_on, right in (
            ("alone, within the hour", 60, []),
            ("alone, until they are letters", 100, ["page"]),
        )
        for count, alone in (("one", [60 * 40.5]), ("two", [60 * 40.5, 60 * 42.5]))
    },
    "three alone": (
        queues.Scenario("three", [60 * 40.5, 60 * 41.5, 60 * 42.5], queues.after(0)),
        ["page"],
    ),
    "one each 20 minutes, refused": (
        queues.Scenario("slow", queues.steady(1 / 20, 90), queues.after(0), goes_on=60),
        ["page"],
    ),
    "ten minutes at 9 a minute": (of_messages("refused", 9, 0, 600), ["page"]),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_refused_token_of_a_consumer_is_told_once(name: str) -> None:
    scenario, right = MESSAGES[name]

    assert tiers_of_messages(GRAPHS[CONSUMING], scenario) == right


HIDES = "IF(100 * failed > IF(calls < {}, {}, {}) * calls, 0, m1)"
OTHERWISE: list[dict[str, Any]] = [
    {"terms": ["m1"]},
    {"terms": [HIDES.format(9, 99, 5)]},
    {"terms": [HIDES.format(9, 24, 50)]},
    {"terms": [HIDES.format(9, 24, 0.5)]},
    {"threshold": 200},
    {"needed": 1},
    {"periods": 1, "needed": 1},
    {"missing": "breaching"},
    {"tier": "page"},
]
"""What the ticket could be instead, each noticed by a scenario."""


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_a_ticket_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    graph = next(iter(ASKED.values()))
    other = with_other(graph, "CarrierSignInAlarm", lambda _: instead)

    assert any(complaint_of_calls(other, each) for each in ALL)


@pytest.mark.parametrize(
    "instead", [{"terms": ["m1"]}, {"needed": 1}, {"threshold": 200}, {"tier": "page"}], ids=str
)
def test_another_ticket_of_a_consumer_is_noticed(instead: dict[str, Any]) -> None:
    other = with_other(GRAPHS[CONSUMING], "PaymentsSignInAlarm", lambda _: instead)

    assert any(tiers_of_messages(other, each) != right for each, right in MESSAGES.values())
