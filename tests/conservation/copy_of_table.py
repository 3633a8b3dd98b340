"""A copy in Aurora PostgreSQL of a DynamoDB table, compared with it row by row."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from conservation.aurora import LOOKS_AT_MOST_EVERY_SECONDS, Aurora
from conservation.datastore import Datastore, Item
from conservation.stack import Stack

TABLE, SEQUENCE = "order_copies", "NEW.sequence::text"

CLOSED = "shipped"
"""The status of an order that is not changed any more; a deleted one is not changed either."""

Row = tuple[str | datetime | None, ...]


class CopyOfTable(Aurora):
    """A row is there if it equals its item, the tombstone of a deleted one included."""

    def __init__(self, stack: Stack, slow_seconds: float) -> None:
        super().__init__(stack, slow_seconds, table=TABLE, change=SEQUENCE)
        self._stack = stack
        (self._source,) = stack.tables
        self._equal: dict[str, Row] = {}
        self._compared_at = 0.0

    def stored(self) -> set[Item]:
        source, rows = self._orders(), self._rows()
        # A row of no order is in the wrong place; one that differs is missing.
        equal = {order for order, row in rows.items() if source.get(order, row) == row}
        return {(self._node, order) for order in equal}

    def answered(self) -> Counter[Item]:
        """Return those orders that are not changed any more and have reached the copy."""
        if time.monotonic() - self._compared_at > LOOKS_AT_MOST_EVERY_SECONDS:
            source = self._orders()
            try:
                rows = self._rows()
            except ConnectionError:
                pass
            else:
                self._equal = {
                    order: row for order, row in rows.items() if source.get(order) == row
                }
            self._compared_at = time.monotonic()
        return Counter((self._node, order) for order, row in self._equal.items() if _is_last(row))

    def _orders(self) -> dict[str, Row]:
        items = self._stack.items(self._source)
        return {item["id"]["S"]: _row(item) for item in items if "last_updated" in item}

    def _rows(self) -> dict[str, Row]:
        found = self._ask(
            f"SELECT id, customer, status, amount, deleted, last_updated FROM {self._table}"  # noqa: S608
        )
        return {
            order: (
                customer or None,
                status or None,
                amount or None,
                deleted,
                datetime.fromisoformat(last_updated),
            )
            for order, customer, status, amount, deleted, last_updated in found
        }


def _row(item: dict[str, Any]) -> Row:
    return (
        item.get("customer", {}).get("S"),
        item.get("status", {}).get("S"),
        item.get("amount", {}).get("N"),
        "t" if "deleted" in item else "f",
        datetime.fromisoformat(item["last_updated"]["S"]),
    )


def _is_last(row: Row) -> bool:
    _, status, _, deleted, _ = row
    return status == CLOSED or deleted == "t"


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    yield CopyOfTable(stack, slow_seconds)
