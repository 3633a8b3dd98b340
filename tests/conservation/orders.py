"""Orders of a durable function: each is fulfilled, or what it did is undone in reverse order."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from conservation import dynamodb
from conservation.datastore import Datastore, Item
from conservation.stack import Stack

EFFECTS, UNDONE = "Effects", "Undone"
"""The table, with the steps of an order that is fulfilled; and of one that is undone."""

STEPS = ("reserve", "charge", "ship")
ENDS = {"fulfilled": EFFECTS, "rejected": UNDONE}


class Orders(Datastore):
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.table: Datastore
        self._ended: dict[str, str] = {}
        self._moments: dict[str, set[str]] = defaultdict(set)
        """When each step of each order had its effect: a second effect has a time of its own."""
        self._lock = threading.Lock()

    def note(self, item: Mapping[str, Any]) -> None:
        """Take note of an item as it is after a write."""
        with self._lock:
            if "done_at" in item:
                self._moments[item["id"]["S"]].add(item["done_at"]["S"])
            elif item["id"]["S"].endswith("#order") and "outcome" in item:
                order = item["id"]["S"].removesuffix("#order")
                self._ended[order] = json.loads(item["outcome"]["S"])["status"]

    def stored(self) -> set[Item]:
        orders: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for item in self._stack.items(EFFECTS):
            order, _, part = item["id"]["S"].partition("#")
            orders[order][part] = item
        return {(place, order) for order, parts in orders.items() if (place := _end_of(parts))}

    def written(self) -> Counter[Item]:
        """Return how often the step of each order that was repeated most often had its effect."""
        with self._lock:
            return Counter(
                {
                    end: max(len(self._moments.get(f"{end[1]}#{step}", ())) for step in STEPS)
                    for end in self._ends()
                }
            )

    def answered(self) -> Counter[Item]:
        with self._lock:
            return Counter(self._ends())

    def fail_for_a_while(self) -> None:
        self.table.fail_for_a_while()

    def _ends(self) -> list[Item]:
        return [(ENDS.get(status, status), order) for order, status in self._ended.items()]


def _end_of(parts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the end of an order by its items; None if its steps are not as its outcome says."""
    if "outcome" not in parts.get("order", {}):
        return None
    place = ENDS.get(json.loads(parts["order"]["outcome"]["S"])["status"])
    done = [step for step in STEPS if "done_at" in parts.get(step, {})]
    undone = sorted(
        (each["undone_at"]["S"], step) for step, each in parts.items() if "undone_at" in each
    )
    as_due = {
        EFFECTS: done == [*STEPS] and not undone,
        UNDONE: bool(done) and [step for _, step in undone] == done[::-1],
    }
    return place if place and as_due[place] else None


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    orders = Orders(stack)
    with dynamodb.disturbable(stack, slow_seconds, dynamodb.BROKEN, orders.note) as orders.table:
        yield orders
