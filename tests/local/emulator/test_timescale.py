"""The one factor that divides time, and ways to dead-letter queues that are long on AWS."""

import pytest
from local.support import REGION, wait_until

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator import timescale
from sls_patterns_cli.local.emulator.adapters.lambda_ import event_source_visibility
from sls_patterns_cli.local.emulator.server import Emulator

LONGEST = 43_200
"""For how long SQS hides a message at most."""


@pytest.mark.parametrize(
    ("receives", "visibility"), [(5, 60), (5, 150), (5, 360), (25, 150), (576, 150), (2, 43_200)]
)
@pytest.mark.parametrize("factor", [60, 240, 5_000])
def test_a_long_way_to_a_dead_letter_queue_takes_as_long_as_one_of_five_minutes(
    receives: int, visibility: int, factor: int
) -> None:
    scale = timescale.Scale(factor)

    whole = receives * scale.mapped_visibility(visibility, receives * visibility)

    at_least = receives * min(timescale.LEAST_MAPPED_VISIBILITY_SECONDS, visibility / factor)
    assert whole == pytest.approx(max(300 / factor, at_least))


def test_a_shorter_way_is_divided_as_any_wait() -> None:
    scale = timescale.Scale()
    assert scale.on_way(60, 180) == scale.divided(60) == 0.25


def test_what_a_client_asks_for_follows_no_way() -> None:
    """A run that holds letters asks for the factor times as long as it needs."""
    assert timescale.Scale().visibility(LONGEST) == LONGEST / 240


@pytest.mark.parametrize(
    ("attempt_seconds", "wait"),
    [
        pytest.param(0.03, 0.25, id="idle"),
        pytest.param(0.1, 0.4, id="busy"),
        pytest.param(6, 150 / 240, id="until-a-deadline"),
    ],
)
def test_a_busy_machine_stretches_the_way_as_it_stretches_the_work(
    attempt_seconds: float, wait: float
) -> None:
    here = event_source_visibility._visibility_here(150, 5, attempt_seconds)
    assert here == pytest.approx(wait)


def test_without_a_dead_letter_queue_there_is_no_way() -> None:
    assert event_source_visibility._visibility_here(600, 0, 6) == 600 / 240


def test_one_factor_reaches_the_emulator_and_its_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(timescale.VARIABLE, str(LONGEST))
    with Emulator(REGION, {}) as other:
        assert other.client_environment({})[timescale.VARIABLE] == str(LONGEST)
        sqs = other.client("sqs")
        queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="again", DelaySeconds=900)

        def received() -> list[object]:
            found = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=LONGEST)
            return list(found.get("Messages", []))

        # With the usual factor it would take three minutes until the second time.
        assert wait_until(received)
        assert wait_until(received)


@pytest.mark.parametrize("factor", ["", "0", "-1", "1.5", "fast", "\N{SUPERSCRIPT TWO}"])
def test_a_factor_that_is_none_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, factor: str
) -> None:
    monkeypatch.setenv(timescale.VARIABLE, factor)
    with pytest.raises(UserError, match="whole number from 1 on") as refused:
        Emulator(REGION, {})
    assert "\n" not in refused.value.message
