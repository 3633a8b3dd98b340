"""Requests of AWS with many entries, of which some may be refused although the request succeeds."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

MOST_ATTEMPTS = 5
"""So often an entry is tried while the service takes none."""

FIRST_PAUSE = 0.1
"""Seconds before the second attempt, doubled for each further one: 1.5 s are more than the second
for which a quota counts."""

T = TypeVar("T")


class Refusal(NamedTuple):
    """Why an entry was refused, and whether another attempt may succeed."""

    reason: str
    is_temporary: bool = True


def put(
    entries: Sequence[T], request: Callable[[Sequence[T]], dict[int, Refusal]]
) -> dict[int, str]:
    """Hand entries over, and once more those that were refused for the moment.

    `request` returns the refusals by the place in what it got. Returns the reasons of what was not
    taken, by place; raises an error of botocore's where a request is refused as a whole.
    """
    places = [*range(len(entries))]
    refused: dict[int, str] = {}
    attempts, pause = 0, FIRST_PAUSE
    while places:
        found = request([entries[place] for place in places])
        left = {places[number]: refusal for number, refusal in found.items()}
        refused |= {place: each.reason for place, each in left.items() if not each.is_temporary}
        again = [place for place, each in left.items() if each.is_temporary]
        if len(left) < len(places):
            attempts, pause = 0, FIRST_PAUSE
        attempts += 1
        if attempts == MOST_ATTEMPTS:
            return refused | {place: left[place].reason for place in again}
        if again:
            time.sleep(pause)
            pause *= 2
        places = again
    return refused


def refusals(answer: Mapping[str, Any]) -> dict[int, Refusal]:
    """Return the refusals of a batch of SQS, whose entries have their places as ids."""
    return {
        int(each["Id"]): Refusal(str(each.get("Message") or each["Code"]), not each["SenderFault"])
        for each in answer.get("Failed", [])
    }
