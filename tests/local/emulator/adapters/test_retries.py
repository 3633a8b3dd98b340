"""How often and for how long a target that throttles is tried, as AWS documents it."""

from typing import Any

import pytest

from sls_patterns_cli.local.emulator.adapters import retries

HOUR, DAY = 3_600, 86_400


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "waits_here", False)


@pytest.mark.parametrize(
    ("policy", "attempts", "seconds", "condition"),
    [
        pytest.param({}, 186, DAY, "MaximumRetryAttempts", id="usual"),
        pytest.param(
            {"MaximumEventAgeInSeconds": HOUR},
            16,
            HOUR,
            "MaximumEventAgeInSeconds",
            id="until-an-age",
        ),
        pytest.param({"MaximumRetryAttempts": 0}, 1, 0, "MaximumRetryAttempts", id="never-again"),
        # AWS does not say how long it waits in between.
        pytest.param({"MaximumRetryAttempts": 4}, 5, None, "MaximumRetryAttempts", id="few-times"),
    ],
)
def test_an_event_is_tried_as_its_target_says(
    policy: dict[str, Any], attempts: int, seconds: int | None, condition: str
) -> None:
    tried = retries.of_event(policy).until(lambda: False)

    assert tried == retries.Tried(
        delivered=False, attempts=attempts, seconds=seconds, condition=condition
    )


def test_a_notification_for_a_queue_or_function_is_tried_for_23_days() -> None:
    tried = retries.of_managed_endpoint().until(lambda: False)

    assert tried.attempts == 100_015 + 1
    assert tried.seconds is not None
    assert 23 <= tried.seconds / DAY < 24


def test_a_notification_for_firehose_is_tried_for_more_than_6_hours() -> None:
    tried = retries.of_other_endpoint().until(lambda: False)

    assert tried.attempts == 50 + 1
    assert tried.seconds is not None
    assert 6 <= tried.seconds / HOUR < 7


@pytest.mark.parametrize(
    ("policy", "attempts", "seconds"),
    [
        pytest.param({}, 4, 60, id="usual"),
        pytest.param(
            {
                "numRetries": 6,
                "numNoDelayRetries": 1,
                "numMinDelayRetries": 2,
                "numMaxDelayRetries": 1,
                "minDelayTarget": 5,
                "maxDelayTarget": 60,
            },
            7,
            0 + 2 * 5 + (5 + 60) + 60,
            id="in-phases",
        ),
        pytest.param(
            {"numRetries": 100, "minDelayTarget": 60, "maxDelayTarget": 60},
            61,
            HOUR,
            id="at-most-an-hour",
        ),
    ],
)
def test_an_http_endpoint_is_tried_as_its_policy_says(
    policy: dict[str, Any], attempts: int, seconds: int
) -> None:
    tried = retries.of_http_endpoint(policy).until(lambda: False)

    assert (tried.attempts, tried.seconds) == (attempts, seconds)


def test_what_is_taken_at_last_is_not_tried_again() -> None:
    answers = iter([False, False, True])

    tried = retries.of_managed_endpoint().until(lambda: next(answers))

    assert (tried.delivered, tried.attempts) == (True, 3)
