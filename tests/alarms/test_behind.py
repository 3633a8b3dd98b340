"""Who is told of what fails behind an API, or slowly: in every graph that has the part.

- A provider of tokens that is away: an authorizer of a REST API goes on with the keys that it has
  for two hours (tests/proofs/test_provider_outage.py), then its invocations fail, and API Gateway
  answers 500 for it:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
- The same before an HTTP API, which reads and keeps the keys itself: "can cache the public key for
  two hours", and "if any of these steps fail, API Gateway denies the API request", with 401:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html
  AWS does not say that it keeps them so long, nor what it answers when it cannot read them, so each
  answer is tried. No integration is called, so nothing is slow.
- A table that throttles: DynamoDB counts events (`ReadThrottleEvents`, `WriteThrottleEvents`), and
  answers 400 once the SDK has tried again; the function then answers 503, which is no error of the
  function, as the unit tests of each project show:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TroubleshootingThrottling-cloudwatch.html
- What becomes slow, or fails ever more, over hours.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
from _pytest.mark import ParameterSet
from alarms.compiled import (
    GRAPHS,
    Graph,
    metric_of,
    of_another,
    pages,
    told,
    told_by_names,
    with_other,
)
from alarms.test_tiers import answered, compiled

from sls_patterns_cli.alarms.series import Series, Values
from sls_patterns_cli.catalog.model import Pattern, Topology

BEFORE, HOUR = 60, 60
"""In minutes; all is well before something happens."""
KEYS_LAST = 120
RATE = 100
"""Calls a minute."""
AT_ONCE = range(3, 6)
Share = Callable[[int], float]
"""Which share of the calls fails in a minute after `BEFORE`."""


def failing(share: Share, minutes: int) -> dict[str, Series]:
    """Return what an API counts whose calls fail by a share."""
    failed = [
        Values(60 * minute + 30, value, count)
        for minute in range(BEFORE + minutes)
        for wrong in (round(RATE * share(minute - BEFORE)) if minute >= BEFORE else 0,)
        for value, count in ((1, wrong), (0, RATE - wrong))
        if count
    ]
    calls = [Values(60 * minute + 30, 1, RATE) for minute in range(BEFORE + minutes)]
    return {"Count": Series(calls), "5xx": Series(failed), "5XXError": Series(failed)}


def with_authorizer() -> Iterator[ParameterSet]:
    """Return each topology of which a function checks the tokens of callers."""
    for each in answered():
        graph = compiled(*cast("tuple[Pattern, Topology, str]", each.values))
        if {"authorizer"} & {edge.get("by") for edge in graph["edges"]} and any(
            node["kind"] == "openid-provider" for node in graph["nodes"].values()
        ):
            yield each


@pytest.mark.parametrize(("pattern", "topology", "auth"), list(with_authorizer()))
@pytest.mark.parametrize("hours", [1, 4])
def test_a_provider_that_is_away_pages_once_its_keys_are_too_old(
    pattern: Pattern, topology: Topology, auth: str, hours: int
) -> None:
    graph = compiled(pattern, topology, auth)

    def without_keys(minute: int) -> float:
        return float(KEYS_LAST <= minute < hours * HOUR)

    emitted = failing(without_keys, 6 * HOUR)
    found = told_by_names(graph, {**emitted, "Errors": emitted["5xx"]}, BEFORE + 6 * HOUR)

    paged = [each.minute - BEFORE - KEYS_LAST for each in pages(found)]
    assert (paged == []) if hours == 1 else (len(paged) == 1 and paged[0] in AT_ONCE)
    # The authorizer is a function that fails, so there is its ticket beside the page.
    assert {each.alarm for each in found if each.tier == "ticket"} <= {"FunctionErrorsAlarm"}


def with_tokens() -> Iterator[ParameterSet]:
    """Return each topology whose HTTP API checks the tokens of callers itself."""
    authorizers = [each.values for each in with_authorizer()]
    for each in answered():
        graph = compiled(*cast("tuple[Pattern, Topology, str]", each.values))
        kinds = {node["kind"] for node in graph["nodes"].values()}
        if {"http-api", "openid-provider"} <= kinds and each.values not in authorizers:
            yield each


TOKENS = list(with_tokens())


def unread_keys(rate: int, status: int, begins: int, ends: int = HOUR) -> dict[str, Series]:
    """Return what an HTTP API counts that answers so while it has no keys."""
    calls, refused, failed = [], [], []
    for minute in range(BEFORE + 3 * HOUR):
        wrong = rate if begins <= minute - BEFORE < ends else 0
        at = 60 * minute + 30
        calls.append(Values(at, 1, rate))
        refused.append(Values(at, float(wrong > 0 and status == UNAUTHORIZED), rate))
        failed.append(Values(at, float(wrong > 0 and status != UNAUTHORIZED), rate))
    return {"Count": Series(calls), "4xx": Series(refused), "5xx": Series(failed)}


UNAUTHORIZED, BROKEN = 401, 500
REFUSED, FAILED = ("ticket", range(11, 16)), ("page", range(6))
PROVIDER_AWAY: list[tuple[str, dict[str, Series], tuple[str, range] | None]] = [
    ("it has keys for two hours", unread_keys(9, UNAUTHORIZED, KEYS_LAST), None),
    *[
        (f"{status} at {rate} a minute from minute {begins} on", unread, who)
        for rate in (9, RATE)
        for begins in (0, 30)
        for status, who in ((UNAUTHORIZED, REFUSED), (BROKEN, FAILED))
        for unread in (unread_keys(rate, status, begins),)
    ],
    ("401 for ten minutes", unread_keys(9, UNAUTHORIZED, 0, 10), None),
    ("401 at 3 a minute", unread_keys(3, UNAUTHORIZED, 0), None),
]
"""Who is told in which minutes. AWS says neither how long keys are used nor what comes then."""


def of_provider(graph: Graph, other: Graph | None = None) -> list[str]:
    """Return in which ways somebody else is told of a provider that is away for an hour.

    That the graph has the alarms of the other one changes nothing of what its API counts.
    """
    metrics = [each for alarm in graph["alarms"] for each in alarm["metrics"].values()]
    wrong = []
    for name, emitted, wanted in PROVIDER_AWAY:
        begins = 30 if "minute 30" in name else 0
        counted = {
            metric_of(each): emitted[each["name"]] for each in metrics if each["name"] in emitted
        }
        found = [
            (each.tier, each.minute - BEFORE - begins)
            for each in told(other or graph, counted, BEFORE + 3 * HOUR)
        ]
        once = [wanted[0]] if wanted else []
        if [tier for tier, _ in found] != once or any(
            minute not in wanted[1] for _, minute in found if wanted
        ):
            wrong.append(f"{name}: {found}")
    return wrong


@pytest.mark.parametrize(("pattern", "topology", "auth"), TOKENS)
def test_a_provider_that_is_away_for_an_hour_is_told_once_however_the_api_answers(
    pattern: Pattern, topology: Topology, auth: str
) -> None:
    assert of_provider(compiled(pattern, topology, auth)) == []


@pytest.mark.parametrize(
    ("alarm", "instead"),
    [
        *[
            ("Refusals", instead)
            for instead in (
                {"threshold": 100},
                {"period": 60},
                {"period": 900},
                {"periods": 2},
                {"periods": 12},
                {"below": True},
                {"tier": "page"},
                {"terms": ["refused"]},
                {"terms": ["IF(requests >= 60, 100 * refused / requests, 0)"]},
            )
        ],
        *[
            ("Errors", instead)
            for instead in (
                {"threshold": 100},
                {"period": 900},
                {"needed": 15},
                {"below": True},
                {"tier": "ticket"},
            )
        ],
    ],
    ids=str,
)
def test_another_alarm_on_tokens_is_noticed(alarm: str, instead: dict[str, Any]) -> None:
    graph = compiled(*cast("tuple[Pattern, Topology, str]", TOKENS[0].values))
    name = next(each["id"] for each in graph["alarms"] if each["id"].endswith(f"Api{alarm}Alarm"))
    assert of_provider(graph, with_other(graph, name, lambda _: instead))
    assert of_provider(graph, with_other(graph, name, of_another))


def before_a_table() -> list[str]:
    """Return the graphs of which a function answers an API, and reads or writes a table for it."""
    found = []
    for name, graph in GRAPHS.items():
        nodes = {each["name"]: each for each in graph["nodes"].values()}
        answering = {
            edge["to"] for edge in graph["edges"] if nodes[edge["from"]]["kind"].endswith("-api")
        }
        if any(
            edge["from"] in answering and nodes[edge["to"]]["resource"] == "dynamodb"
            for edge in graph["edges"]
        ):
            found.append(name)
    return found


TABLES = before_a_table()
THROTTLES = ("ReadThrottleEvents", "WriteThrottleEvents", "ThrottledRequests")


@pytest.mark.parametrize(("share", "is_told"), [(0.04, False), (0.06, True), (1, True)])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_throttles_is_one_page_if_callers_notice(
    name: str, share: float, *, is_told: bool
) -> None:
    """Each throttle event that a second attempt makes up for is nobody's business."""
    events = Series([Values(60 * minute + 30, 1, 500) for minute in range(BEFORE, 3 * HOUR)])
    emitted = {**dict.fromkeys(THROTTLES, events), **failing(lambda _: share, 2 * HOUR)}
    none_fails = Series([Values(60 * minute + 30, 0, RATE) for minute in range(3 * HOUR)])

    found = told_by_names(GRAPHS[name], {**emitted, "Errors": none_fails}, 3 * HOUR)

    assert [each.tier for each in found] == (["page"] if is_told else [])
    assert all(each.minute - BEFORE in AT_ONCE for each in found)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_alarm_is_on_throttle_events(name: str) -> None:
    """They come while a table grows, and say nothing of what callers get."""
    watched = {
        metric["name"] for alarm in GRAPHS[name]["alarms"] for metric in alarm["metrics"].values()
    }

    assert not watched & {*THROTTLES}


def rising(to: float, hours: int) -> Callable[[int], float]:
    return lambda minute: to * min(1.0, max(0, minute) / (hours * HOUR))


WITH_API = [name for name, graph in GRAPHS.items() if "ApiErrorsAlarm" in str(graph["alarms"])]


@pytest.mark.parametrize("name", WITH_API)
def test_failures_that_rise_over_hours_page_once_they_are_too_many(name: str) -> None:
    within = told_by_names(GRAPHS[name], failing(rising(0.05, 4), 5 * HOUR), BEFORE + 5 * HOUR)
    beyond = told_by_names(GRAPHS[name], failing(rising(0.1, 4), 5 * HOUR), BEFORE + 5 * HOUR)

    assert within == []
    # 6 of 100 from 2 hours 12 minutes on.
    assert [(each.tier, each.minute - BEFORE in range(134, 140)) for each in beyond] == [
        ("page", True)
    ]


SLOW = {
    name: next(each["id"] for each in graph["alarms"] if "latency" in each["metrics"])
    for name, graph in GRAPHS.items()
    if any("latency" in each["metrics"] for each in graph["alarms"])
}


def slow(milliseconds: Callable[[int], float], share: float = 1) -> Mapping[str, Series]:
    """Return how long calls take, of which a share is as slow as it says, by a minute."""
    values = [
        Values(60 * minute + 30, value, count)
        for minute in range(BEFORE + 5 * HOUR)
        for value, count in (
            (100 + milliseconds(minute - BEFORE), round(RATE * share)),
            (100, RATE - round(RATE * share)),
        )
        if count
    ]
    return dict.fromkeys(("Latency", "Duration"), Series(values))


def minutes(graph: Graph, emitted: Mapping[str, Series]) -> list[tuple[str, int]]:
    found = told_by_names(graph, emitted, BEFORE + 5 * HOUR)
    return [(each.tier, each.minute - BEFORE) for each in found]


def complaints(graph: Graph) -> list[str]:
    """Return what is wrong with who is told of calls that become slow."""
    # 2,500 milliseconds after 2 hours and 24 minutes.
    rises = minutes(graph, slow(rising(4_000, 4)))
    blip = minutes(graph, slow(lambda minute: 9_000 if 0 <= minute < 4 else 0))
    five = minutes(graph, slow(lambda minute: 9_000 if 0 <= minute < 5 else 0))
    few = minutes(graph, slow(lambda minute: 9_000 if minute >= 0 else 0, share=0.05))
    calls = {name: each.values for name, each in slow(lambda _: 0).items()}
    silence = minutes(
        graph,
        {
            name: Series([each for each in of if each.at < 60 * BEFORE])
            for name, of in calls.items()
        },
    )
    return [
        *([] if [(a, b in range(149, 152)) for a, b in rises] == [("ticket", True)] else ["rises"]),
        *([] if five == [("ticket", 5)] else ["five minutes"]),
        *[what for what, told in (("blip", blip), ("few", few), ("silence", silence)) if told],
    ]


@pytest.mark.parametrize("name", SLOW)
def test_calls_that_become_slow_are_one_ticket(name: str) -> None:
    assert complaints(GRAPHS[name]) == []


OTHERWISE: list[dict[str, Any]] = [
    {"threshold": 3_000},
    {"threshold": 2_000},
    {"period": 300},
    {"periods": 4},
    {"periods": 6},
    {"needed": 4},
    {"missing": "breaching"},
    {"below": True},
    {"tier": "page"},
]
WEB = "simple-web-service/http-api-dynamodb"


@pytest.mark.parametrize("instead", OTHERWISE, ids=str)
def test_an_alarm_with_another_number_is_noticed(instead: dict[str, Any]) -> None:
    assert complaints(with_other(GRAPHS[WEB], SLOW[WEB], lambda _: instead))


@pytest.mark.parametrize("statistic", ["Average", "Maximum", "p50", "p99"])
def test_an_alarm_on_another_share_of_the_calls_is_noticed(statistic: str) -> None:
    def other(alarm: dict[str, Any]) -> dict[str, Any]:
        return {"metrics": {"latency": {**alarm["metrics"]["latency"], "statistic": statistic}}}

    slow_tenth = minutes(GRAPHS[WEB], slow(lambda minute: 9_000 if minute >= 0 else 0, share=0.2))
    graph = with_other(GRAPHS[WEB], SLOW[WEB], other)
    noticed = minutes(graph, slow(lambda minute: 9_000 if minute >= 0 else 0, share=0.2))

    assert slow_tenth == [("ticket", 5)]
    assert complaints(graph) or noticed != slow_tenth
