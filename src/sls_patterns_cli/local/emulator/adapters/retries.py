"""How services try again what a target does not take at once; it changes nothing itself.

AWS: EventBridge and Scheduler try for 24 hours and up to 185 times, or as a target's RetryPolicy
says, subscribers of a custom event bus 5 times within 300 seconds, unless they say otherwise; they
do not document the waits between. SNS tries queues and functions 100,015 times over 23 days, other
endpoints 50 times over 6 hours, and HTTP endpoints as the subscription or topic says, by default 3
times more, 20 seconds apart, for at most an hour.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-retry.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from sls_patterns_cli.local.emulator.timescale import here

MOST_ATTEMPTS, OLDEST_SECONDS = 185, 86_400
"""Of EventBridge and Scheduler."""

USUAL_OF_SUBSCRIBER, USUAL_AGE_OF_SUBSCRIBER_SECONDS = 5, 300

LONGEST_HTTP_SECONDS = 3_600

waits_here = True
"""Whether the waits are waited, divided as all are; `prove` only counts them, as 23 days are long
even so, and nothing changes meanwhile."""


@dataclass(frozen=True)
class Tried:
    """What came of a delivery; `seconds` is for how long AWS tries, None if it does not say.

    `condition` names the limit that ended it, empty for what is not tried again.
    """

    delivered: bool
    attempts: int
    seconds: int | None
    condition: str = ""


REFUSED = Tried(delivered=False, attempts=1, seconds=0)
"""What is not tried again: there is no permission, or no target."""


@dataclass(frozen=True)
class Policy:
    """When something is tried again: the wait before each further attempt, and up to which age."""

    waits: Iterable[float]
    oldest_seconds: float = math.inf
    is_documented: bool = True
    way_seconds: float = 0
    """How long all waits are together, where that is known."""

    def until(self, is_delivered: Callable[[], bool]) -> Tried:
        """Try until something is delivered, or the policy is exhausted."""
        attempts, age, condition = 1, 0.0, "MaximumRetryAttempts"
        delivered = is_delivered()
        for wait in () if delivered else self.waits:
            if age + wait > self.oldest_seconds:
                age, condition = self.oldest_seconds, "MaximumEventAgeInSeconds"
                break
            if waits_here:
                time.sleep(here().on_way(wait, self.way_seconds))
            age, attempts = age + wait, attempts + 1
            if delivered := is_delivered():
                break
        seconds = round(age) if self.is_documented or not age else None
        return Tried(delivered, attempts, seconds, condition)


def of_event(retry_policy: Mapping[str, Any]) -> Policy:
    """Return how EventBridge or Scheduler tries a target with this RetryPolicy.

    The waits double, and are such that 185 take just the 24 hours.
    """
    most = int(retry_policy.get("MaximumRetryAttempts", MOST_ATTEMPTS))
    oldest = int(retry_policy.get("MaximumEventAgeInSeconds", OLDEST_SECONDS))
    return _backing_off(most, oldest)


def of_subscriber(retry_policy: Mapping[str, Any]) -> Policy:
    """Return how a subscriber of a custom event bus tries its target with this RetryPolicy."""
    most = int(retry_policy.get("MaxRetryAttempts", USUAL_OF_SUBSCRIBER))
    oldest = int(retry_policy.get("MaxEventAgeInSeconds", USUAL_AGE_OF_SUBSCRIBER_SECONDS))
    return _backing_off(most, oldest)


def _backing_off(most: int, oldest: int) -> Policy:
    doubling = [2.0**number for number in range(9)]
    longest = (OLDEST_SECONDS - sum(doubling)) / (MOST_ATTEMPTS - len(doubling))
    waits = (*doubling, *repeat(longest, MOST_ATTEMPTS - len(doubling)))
    is_whole = most >= MOST_ATTEMPTS
    taken = waits if is_whole else waits[:most]
    # As many as there may be end with the age, which is documented.
    return Policy(taken, oldest, is_documented=is_whole, way_seconds=min(sum(taken), oldest))


def _phases(
    immediate: int, first: tuple[int, float], backoff: int, last: tuple[int, float]
) -> Iterator[float]:
    (early, least), (late, longest) = first, last
    growth = (longest / least) ** (1 / max(backoff - 1, 1))
    backing_off = (least * growth**number for number in range(backoff))
    return chain(repeat(0.0, immediate), repeat(least, early), backing_off, repeat(longest, late))


def of_managed_endpoint() -> Policy:
    """Return how SNS tries a queue or function."""
    return Policy(_phases(3, (2, 1.0), 10, (100_000, 20.0)))


def of_other_endpoint() -> Policy:
    """Return how SNS tries Firehose while that throttles."""
    return Policy(_phases(0, (2, 10.0), 10, (38, 600.0)))


def of_http_endpoint(delivery_policy: Mapping[str, Any]) -> Policy:
    """Return how SNS tries an HTTP endpoint with this `healthyRetryPolicy`.

    Between the phases with fixed waits these grow linearly here, whatever the function is.
    """

    def given(name: str, usual: int) -> int:
        return int(delivery_policy.get(name) or usual)

    least = given("minDelayTarget", 20)
    longest = max(given("maxDelayTarget", 20), least)
    immediate, early, late = (given(f"num{kind}DelayRetries", 0) for kind in ("No", "Min", "Max"))
    backoff = max(given("numRetries", 3) - immediate - early - late, 0)
    step = (longest - least) / max(backoff - 1, 1)
    growing = (least + step * number for number in range(backoff))
    waits = chain(repeat(0, immediate), repeat(least, early), growing, repeat(longest, late))
    return Policy(list(waits), LONGEST_HTTP_SECONDS)
