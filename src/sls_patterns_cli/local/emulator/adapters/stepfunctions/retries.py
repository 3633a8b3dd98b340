"""A throttled task fails with an error of its own, and no wait before a retry exceeds its limit.

AWS: where a function is throttled, the task fails with Lambda.TooManyRequestsException. The wait
before a retry grows up to MaxDelaySeconds.
https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

Emulator: calls the error Lambda.Unknown, and ignores MaxDelaySeconds. Like the emulator, this waits
the longest time that JitterStrategy allows: a random one would make proofs depend on chance.

A retrier for throttling waits for other work to end, which takes as long as on AWS. So its waits
are divided less.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import stepfunctions

from sls_patterns_cli.local.emulator.adapters import replace
from sls_patterns_cli.local.emulator.timescale import here

THROTTLED = "Lambda.TooManyRequestsException"

THROTTLING_FACTOR = 60
"""Divides the waits of retriers for throttling; all others are divided as on any way."""

MOST_ATTEMPTS = 3
"""Where a retrier does not say."""

COUNTED_ATTEMPTS = 1_000
"""Whoever retries more often does so for ever."""

Retrier = dict[str, Any]


def apply() -> None:
    replace(stepfunctions, "_call_lambda", "25830369b126", _naming_throttling)
    replace(stepfunctions, "_find_matching_retrier", "cb494ae8503c", _with_limit)


def _naming_throttling(call: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def call_lambda(function: str, event: Any) -> Any:
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            if error.error == "Lambda.Unknown" and _is_throttling(error.cause):
                raise stepfunctions._ExecutionError(THROTTLED, error.cause) from error
            raise

    return call_lambda


def _is_throttling(cause: str) -> bool:
    try:
        answer = json.loads(cause)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("__type") == "TooManyRequestsException"


def _with_limit(find: Callable[..., Any]) -> Callable[..., Any]:
    def find_matching_retrier(
        retriers: list[Retrier], error: str, counts: Mapping[int, int]
    ) -> tuple[Retrier | None, int]:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return None, index
        wait = wait_seconds(retrier, counts.get(index, 0))
        return {**retrier, "IntervalSeconds": wait, "BackoffRate": 1}, index

    return find_matching_retrier


def wait_seconds(retrier: Retrier, retries: int) -> float:
    """Return the seconds before the next attempt, which the emulator divides."""
    factor = here().factor
    wait = _wait_on_aws(retrier, retries)
    if THROTTLED in retrier["ErrorEquals"]:
        return wait * factor / THROTTLING_FACTOR
    attempts = min(retrier.get("MaxAttempts", MOST_ATTEMPTS), COUNTED_ATTEMPTS)
    way = sum(_wait_on_aws(retrier, number) for number in range(attempts))
    return here().on_way(wait, way) * factor


def _wait_on_aws(retrier: Retrier, retries: int) -> float:
    wait: float = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2) ** retries
    longest: float = retrier.get("MaxDelaySeconds", wait)
    return min(wait, longest)
