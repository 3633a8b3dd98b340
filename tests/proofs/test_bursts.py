"""More at the same time than this machine has environments for, and all of it ends right."""

from collections import Counter
from pathlib import Path

import pytest
from bursts import orders, webhooks

RUNTIMES = ["python", "typescript"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_orders_that_come_at_once_are_all_fulfilled(runtime: str, tmp_path: Path) -> None:
    burst = orders(tmp_path / "project", 60, runtime)

    assert burst.answers == {202: 60}
    assert burst.ends == Counter(SUCCEEDED=60), burst


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_webhooks_that_come_at_once_are_all_stored(runtime: str, tmp_path: Path) -> None:
    burst = webhooks(tmp_path / "project", 200, runtime)

    assert burst.answers == {202: 200}
    assert burst.ends == Counter(stored=200), burst
