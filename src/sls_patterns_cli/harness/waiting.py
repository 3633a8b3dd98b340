"""Waiting for conditions."""

import time
from collections.abc import Callable

CHANGE_SECONDS = 1800
"""A cluster takes some minutes to stop or to start, an event source mapping less than one."""


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Look again and again, less often the longer it takes; raises TimeoutError in the end."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        if waited > seconds:
            raise TimeoutError(f"condition not met within {seconds:.0f} seconds")
        time.sleep(max(0.02, waited / 10))
