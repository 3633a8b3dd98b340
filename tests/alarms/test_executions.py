"""Who is told when executions of a standard state machine fail, and how often.

Step Functions counts each execution by how it ended, and EventBridge each event that a rule has
matched: one that is kept may be counted a minute later than the execution that it is of.
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alarms.calls import BEFORE
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

from sls_patterns_cli.alarms.series import Series, Values

ENDS = "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"
ORDERS: Graph = GRAPHS["state-machine/standard-dynamodb"]
UNDOES, QUIET, ONE = (
    f"OrderStateMachine{name}Alarm" for name in ("Failed", "QuietFailed", "Undone")
)
"""What a stack has whose executions undo what they have done."""


@dataclass(frozen=True)
class Minute:
    """Executions that ended in a minute: well, undone, or kept for a redrive."""

    well: int = 0
    undone: int = 0
    kept: int = 0
    timed_out: int = 0
    aborted: int = 0

    @property
    def ended(self) -> int:
        return self.well + self.undone + self.in_queue

    @property
    def in_queue(self) -> int:
        """Return how many a redrive can start again, however they ended."""
        return self.kept + self.timed_out + self.aborted


@dataclass(frozen=True)
class Scenario:
    """Minutes after `BEFORE`, in which the one page may come, and whether there is a ticket."""

    name: str
    minutes: list[Minute]
    pages: range | None
    has_tickets: bool
    late: int = 0
    """By how many minutes what is kept is counted later."""


def emitted(scenario: Scenario) -> dict[str, Series]:
    """Return the values of each metric that has any."""
    rate = max(each.ended for each in scenario.minutes)
    minutes = [*[Minute(well=rate)] * BEFORE, *scenario.minutes]
    counts = {
        "ExecutionsSucceeded": [each.well for each in minutes],
        "ExecutionsFailed": [each.undone + each.kept for each in minutes],
        "ExecutionsTimedOut": [each.timed_out for each in minutes],
        "ExecutionsAborted": [each.aborted for each in minutes],
        "TriggeredRules": [0] * scenario.late + [each.in_queue for each in minutes],
    }
    return {
        name: Series([Values(60 * at + 30, 1, count) for at, count in enumerate(each) if count])
        for name, each in counts.items()
    }


def each(minute: Callable[[int], Minute], minutes: int = 90) -> list[Minute]:
    return [minute(number) for number in range(minutes)]


def rare(an_hour: int, one: Minute) -> list[Minute]:
    """Return so many executions an hour, all of which end alike."""
    return each(lambda number: Minute() if number % (60 // an_hour) else one, 180)


SCENARIOS = [
    Scenario("nobody orders", each(lambda _: Minute()), None, has_tickets=False),
    Scenario("all is well", each(lambda _: Minute(well=9)), None, has_tickets=False),
    Scenario("one is undone", [Minute(8, 1), *each(lambda _: Minute(9))], None, has_tickets=True),
    Scenario("two of four an hour", rare(2, Minute(undone=1)), None, has_tickets=True),
    Scenario("all at 3 an hour", rare(3, Minute(undone=1)), range(40, 56), has_tickets=True),
    Scenario("all at 4 a minute", each(lambda _: Minute(undone=4)), range(3, 19), has_tickets=True),
    Scenario("all at 9 a minute", each(lambda _: Minute(undone=9)), range(6), has_tickets=True),
    Scenario("all at 1000", each(lambda _: Minute(undone=1000)), range(6), has_tickets=True),
    Scenario(
        "each fourth minute",
        each(lambda at: Minute(9) if at % 4 else Minute(undone=9)),
        range(61),
        has_tickets=True,
    ),
    Scenario("4 of 100", each(lambda _: Minute(96, 4)), None, has_tickets=True),
    Scenario("6 of 100", each(lambda _: Minute(94, 6)), range(6), has_tickets=True),
    Scenario("one is kept", [Minute(kept=1)], None, has_tickets=False),
    Scenario("all are kept", each(lambda _: Minute(kept=9)), None, has_tickets=False),
    Scenario("all are kept, seldom", rare(4, Minute(kept=1)), None, has_tickets=False),
    Scenario("one is stopped", [Minute(8, aborted=1)], None, has_tickets=False),
    Scenario("one times out", [Minute(8, timed_out=1)], None, has_tickets=False),
    Scenario("one is undone and one stopped", [Minute(7, 1, aborted=1)], None, has_tickets=True),
    Scenario(
        "one is undone and one times out", [Minute(7, 1, timed_out=1)], None, has_tickets=True
    ),
    Scenario(
        "all are undone, and as many are stopped or time out",
        each(lambda _: Minute(undone=9, timed_out=5, aborted=4)),
        range(6),
        has_tickets=True,
    ),
    Scenario(
        "few are undone, and as many time out",
        rare(4, Minute(undone=1, timed_out=1)),
        range(40, 56),
        has_tickets=True,
    ),
    Scenario("counted late", each(lambda _: Minute(kept=20)), None, has_tickets=True, late=1),
    Scenario("few, late", rare(4, Minute(kept=1)), None, has_tickets=True, late=1),
]


def complaint(graph: Graph, scenario: Scenario) -> str:
    """Return what is wrong with what is told in a scenario: "" if nothing."""
    values = emitted(scenario)
    of_orders = (
        metric
        for alarm in ORDERS["alarms"]
        if alarm["id"] in {UNDOES, QUIET, ONE}
        for metric in alarm["metrics"].values()
    )
    metrics = {metric_of(each): values[each["name"]] for each in of_orders}
    found = told(graph, metrics, BEFORE + len(scenario.minutes))
    paged = [each.minute - BEFORE for each in pages(found)]
    in_time = (
        not paged if scenario.pages is None else len(paged) == 1 and paged[0] in scenario.pages
    )
    if in_time and (len(found) > len(paged)) == scenario.has_tickets:
        return ""
    return f"{scenario.name}: {found}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_what_is_undone_is_told_once_and_what_is_kept_by_its_letter(scenario: Scenario) -> None:
    assert complaint(ORDERS, scenario) == ""


def without_undoing() -> Iterator[str]:
    """Yield the graphs with a standard state machine whose every failure is kept for a redrive."""
    for name, graph in GRAPHS.items():
        kinds = {each["kind"]: each for each in graph["nodes"].values()}
        machine = kinds.get("state-machine")
        if machine and not machine.get("express") and not machine.get("final_error"):
            yield name


@pytest.mark.parametrize("name", [*without_undoing()])
def test_a_failed_job_is_one_page_by_its_letter(name: str) -> None:
    minutes = [Values(60 * at + 30, 1, 1) for at in range(BEFORE, BEFORE + 60)]
    assert told_by_names(GRAPHS[name], dict.fromkeys(ENDS, Series(minutes)), BEFORE + 90) == []


def test_there_are_such_graphs() -> None:
    assert {each.partition("/")[0] for each in without_undoing()} == {"fan-out-fan-in"}


ENDED = "(failed + succeeded)"
BAD = "failed + timed_out + aborted - kept"
OTHERWISE: list[tuple[str, dict[str, Any]]] = [
    (UNDOES, {"threshold": 3}),
    (UNDOES, {"threshold": 7}),
    (UNDOES, {"period": 300}),
    (UNDOES, {"periods": 3}),
    (UNDOES, {"missing": "breaching"}),
    (UNDOES, {"tier": "ticket"}),
    (UNDOES, {"terms": [f"IF({ENDED} >= 9, 100 * failed / {ENDED}, 0)"]}),
    (UNDOES, {"terms": [f"IF(succeeded >= 9, 100 * ({BAD}) / succeeded, 0)"]}),
    (QUIET, {"threshold": 1}),
    (QUIET, {"period": 300}),
    (QUIET, {"missing": "breaching"}),
    (QUIET, {"tier": "ticket"}),
    (QUIET, {"terms": [f"IF({ENDED} < 540 AND failed >= 3 AND 4 * failed >= {ENDED}, 1, 0)"]}),
    (QUIET, {"terms": [f"IF({ENDED} < 540 AND ({BAD}) >= 1, 1, 0)"]}),
    (QUIET, {"terms": [f"IF({ENDED} < 540 AND (failed - kept) >= 3, 1, 0)"]}),
    (UNDOES, {"terms": [f"IF({ENDED} >= 9, 100 * (failed - kept) / {ENDED}, 0)"]}),
    (ONE, {"terms": ["failed - kept"]}),
    (ONE, {"terms": ["failed + timed_out - kept"]}),
    (ONE, {"terms": ["failed + aborted - kept"]}),
    (ONE, {"threshold": 1}),
    (ONE, {"terms": ["failed"]}),
    (ONE, {"missing": "breaching"}),
    (ONE, {"tier": "page"}),
]
"""What an alarm could be instead, each noticed by a scenario."""


@pytest.mark.parametrize(("alarm_id", "instead"), OTHERWISE)
def test_an_alarm_with_another_number_is_noticed(alarm_id: str, instead: dict[str, Any]) -> None:
    assert is_noticed(alarm_id, lambda _: instead)


@pytest.mark.parametrize("alarm_id", [UNDOES, QUIET, ONE])
def test_an_alarm_on_another_machine_is_noticed(alarm_id: str) -> None:
    assert is_noticed(alarm_id, of_another)


def is_noticed(alarm_id: str, instead: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    other = with_other(ORDERS, alarm_id, instead)
    return any(complaint(other, scenario) for scenario in SCENARIOS)
