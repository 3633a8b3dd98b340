"""The log of a function is read within bounds, however many letters and errors there are."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sls_patterns_cli.letters import logs
from sls_patterns_cli.letters.logs import Log

NOW = datetime.now(UTC)
SINCE = NOW - timedelta(minutes=30)


class CloudWatch:
    """A log in which each second has a thousand errors, for ever, or nothing in many pages."""

    def __init__(self, *, is_empty: bool = False) -> None:
        self.calls = 0
        self._is_empty = is_empty

    def get_function_configuration(self, **_asked: Any) -> dict[str, Any]:
        return {}

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.calls += 1
        events = [] if self._is_empty else [self._event(asked, number) for number in range(1_000)]
        return {"events": events, "nextToken": "more"}

    @staticmethod
    def _event(asked: dict[str, Any], number: int) -> dict[str, Any]:
        line = {"level": "ERROR", "message": f"order {number}", "message_id": str(uuid.uuid4())}
        at = asked["startTime"] + number
        return {"eventId": str(uuid.uuid4()), "timestamp": at, "message": json.dumps(line)}


@pytest.mark.parametrize(
    ("is_empty", "most"),
    [
        (False, 3 * logs.MOST_LOOKS),
        (True, 3 * logs.MOST_LOOKS * logs.MOST_PAGES),
    ],
)
def test_no_letter_costs_a_call_once_the_bounds_are_reached(*, is_empty: bool, most: int) -> None:
    service = CloudWatch(is_empty=is_empty)
    log = Log(lambda _: service, "store")

    for number in range(5_000):
        when = SINCE + timedelta(milliseconds=number)
        assert log.error_of([str(uuid.uuid4())], when) == ""

    assert 0 < service.calls <= most


def test_no_look_begins_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_SECONDS", 0.0)
    service = CloudWatch()

    assert Log(lambda _: service, "store").most_likely(SINCE, NOW) == ""
    assert service.calls == 0


def test_letters_in_no_order_have_one_look() -> None:
    service = CloudWatch(is_empty=True)
    log = Log(lambda _: service, "store")

    for minutes in (30, 45, 20, 60, 5):
        log.error_of(["an id"], NOW - timedelta(minutes=minutes))

    assert service.calls == 3 * logs.MOST_PAGES
