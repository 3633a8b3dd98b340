"""What happens to the calls of an API, minute by minute, and what CloudWatch gets of it.

API Gateway counts each request, and each answer with a 5xx status as 1 of as many values as there
were requests. A minute without requests has no values:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sls_patterns_cli.alarms.series import Series, Values

BEFORE = 60
"""For so many minutes all is well before something happens."""

Calls = tuple[int, int]
"""How many there were in a minute, and how many of them have failed."""


@dataclass(frozen=True)
class Scenario:
    """Calls since minute 0, and the minutes after `BEFORE` in which exactly one page may come."""

    name: str
    calls: Sequence[Calls]
    pages: range | None
    """None: nobody is woken up."""

    @property
    def minutes(self) -> int:
        return len(self.calls)

    def counted(self) -> tuple[Series, Series]:
        """Return the values of the number of calls, and of those that have failed."""
        calls = [
            Values(60 * minute + 30, 1, count)
            for minute, (count, _) in enumerate(self.calls)
            if count
        ]
        failed = [
            Values(60 * minute + 30, value, count)
            for minute, (all_of_them, wrong) in enumerate(self.calls)
            for value, count in ((1, wrong), (0, all_of_them - wrong))
            if count
        ]
        return Series(calls), Series(failed)


def steady(rate: int, failing: Callable[[int], float], minutes: int = 90) -> list[Calls]:
    """Return so many calls each minute; after `BEFORE` a share fails, by the minute since then."""
    good = [(rate, 0)] * BEFORE
    return good + [(rate, round(rate * failing(minute))) for minute in range(minutes)]


def rare(an_hour: int, failing: Callable[[int], float], hours: int = 3) -> list[Calls]:
    """Return so many calls an hour, evenly; after `BEFORE` some fail, by their number."""
    gap = 60 // an_hour
    good = [(int(minute % gap == 0), 0) for minute in range(BEFORE)]
    return good + [
        (int(minute % gap == 0), int(minute % gap == 0 and failing(minute // gap)))
        for minute in range(60 * hours)
    ]


def first(minutes: int) -> Callable[[int], float]:
    """All calls fail in the first minutes, and none later."""
    return lambda minute: float(minute < minutes)


def always(_: int) -> float:
    return 1.0


FEW = (3, 4, 6, 12, 30)
"""So few calls an hour that none comes in most minutes."""
RATES = (1, 4, 8, 9, 100, 10_000)
"""Calls a minute."""
MANY, AT_ONCE = 9, range(6)
"""From so many calls a minute on a page comes within five minutes."""
LATER = 15
"""Of fewer calls three have to fail; a page comes at the latest so many minutes after the third."""


def _scenarios() -> list[Scenario]:
    found = []
    for rate in RATES:
        soon = AT_ONCE if rate >= MANY else range(3, 3 + LATER + 1)
        found += [
            Scenario(f"an outage at {rate} a minute", steady(rate, always), soon),
            Scenario(
                f"each fourth minute bad at {rate} a minute",
                steady(rate, lambda minute: float(minute % 4 == 0)),
                range(61),
            ),
            Scenario(f"a bad minute at {rate} a minute", steady(rate, first(1)), None),
            Scenario(f"two bad minutes at {rate} a minute", steady(rate, first(2)), None),
            Scenario(
                f"a slow decay at {rate} a minute",
                steady(rate, lambda minute: min(1.0, minute / 60)),
                range(61),
            ),
            Scenario(f"all is well at {rate} a minute", steady(rate, lambda _: 0.0), None),
        ]
    for an_hour in FEW:
        gap = 60 // an_hour
        third = 2 * gap
        found += [
            Scenario(
                f"an outage at {an_hour} an hour",
                rare(an_hour, always),
                range(third, third + LATER + 1),
            ),
            Scenario(
                f"one failed call at {an_hour} an hour", rare(an_hour, lambda each: each == 0), None
            ),
        ]
    found += [
        Scenario("an outage at 2 an hour", rare(2, always), None),
        Scenario("an outage at 1 an hour", rare(1, always), None),
        Scenario("nobody calls", [(0, 0)] * 120, None),
        Scenario(
            "4 percent fail at 100 a minute, within what may fail",
            steady(100, lambda _: 0.04),
            None,
        ),
        Scenario("6 percent fail at 100 a minute", steady(100, lambda _: 0.06), AT_ONCE),
    ]
    return found


SCENARIOS = _scenarios()
