"""Waiting for conditions, and ids that show whose they are."""

import os
import time
from collections.abc import Callable
from uuid import uuid4

from e2e.stack import SECONDS_TO_END

# The local stack divides every wait by this.
TIME_FACTOR = int(os.environ.get("LOCAL_TIME_FACTOR", "1"))
# Three times as long as a failure takes to its end, and some time to start and to log.
PATIENCE_SECONDS = 60 + 3 * SECONDS_TO_END / TIME_FACTOR


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again, less often the longer it takes."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < seconds, f"condition not met within {seconds} seconds"
        time.sleep(max(0.05, waited / 10))


def new_id() -> str:
    """Return an id that shows whose it is: a smoke test leaves records in a stack in use."""
    return f"proof_{uuid4().hex}"


def new_ids(count: int) -> list[str]:
    return [new_id() for _ in range(count)]
