"""What tests take is added up by pattern, and a pattern that takes too much is named."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from _pytest.config import get_config
from local.support import wait_until
from selection import is_whole
from spending import CLOCK, Clock, Spent, table

from sls_patterns_cli import catalog

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def spent_on(patterns: Iterable[str], processor: int) -> dict[str | None, Counter[str]]:
    return {slug: Counter(tests=5, seconds=60, processor=processor) for slug in patterns}


def test_the_table_says_what_all_patterns_take() -> None:
    spent = spent_on(["slow", "quick"], 100) | {
        None: Counter(tests=9, seconds=80, processor=120),
    }

    lines = [" ".join(line.split()) for line in table(spent)]

    assert lines == [
        "pattern tests seconds processor",
        "quick 5 60 100",
        "slow 5 60 100",
        "(no single one) 9 80 120",
        "on 2 idle cores, by processor time: 3 minutes",  # (2 * 100 + 120) / 2 / 60
    ]


WHOLE = ("-m", "not exhaustive")
SHARED_CHANGE = (*WHOLE, "--changed", "-k", "golden or contract", "tests/static", "tests/contract")
"""What `make check` runs; after the change of a shared template it has tests of all patterns."""


@pytest.mark.parametrize(
    ("patterns", "pattern", "processor", "exhaustive", "arguments", "named"),
    [
        (catalog.slugs(), "scalable-webhook", 301, 0, WHOLE, 1),
        (catalog.slugs(), "scalable-webhook", 300, 0, WHOLE, 0),
        (catalog.slugs(), None, 301, 0, WHOLE, 0),
        (catalog.slugs()[1:], "scalable-webhook", 301, 0, WHOLE, 0),  # interrupted
        (catalog.slugs(), "scalable-webhook", 301, 1, (), 0),  # with the tests of every variant
        (catalog.slugs(), "scalable-webhook", 301, 0, SHARED_CHANGE, 0),
        (catalog.slugs(), "scalable-webhook", 301, 0, ("-k", "golden"), 0),
        (catalog.slugs(), "scalable-webhook", 301, 0, ("tests/static",), 0),
    ],
)
def test_a_pattern_that_takes_three_times_what_others_take_is_named(  # noqa: PLR0913, PLR0917
    patterns: Iterable[str],
    pattern: str | None,
    processor: int,
    exhaustive: int,
    arguments: Sequence[str],
    named: int,
) -> None:
    config = get_config(arguments)
    config.parse([*arguments])
    spent = Spent(whole=is_whole(config))
    taken = spent_on(patterns, 100)
    taken[pattern] = Counter(tests=5, seconds=60, processor=processor, exhaustive=exhaustive)
    for slug, of_pattern in taken.items():
        report = SimpleNamespace(
            when="teardown", user_properties=[("spent", {"pattern": slug, **of_pattern})]
        )
        spent.pytest_runtest_logreport(cast("pytest.TestReport", report))
    lines: list[str] = []
    reporter: Any = SimpleNamespace(section=lines.append, write_line=lines.append)

    spent.pytest_terminal_summary(reporter)

    said = [line for line in lines if "more than 3 times the median" in line]
    assert len(said) == named


def test_the_time_of_children_counts_and_what_is_shared_is_told_apart() -> None:
    clock = Clock()
    before = clock.now()
    with clock.of_no_pattern():
        subprocess.run([sys.executable, "-c", BUSY], check=True)
        with clock.of_no_pattern():
            pass

    assert clock.now()["processor"] - before["processor"] > 0.15
    assert 0.15 < clock.shared()["processor"] <= clock.now()["processor"] - before["processor"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it of processes that live")
def test_the_time_of_a_server_counts_while_it_lives() -> None:
    clock = Clock()
    serving = f"{BUSY}print(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", serving], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        clock.watch(server.pid)
        assert server.stdout
        server.stdout.readline()

        assert clock.now()["processor"] - Clock().now()["processor"] > 0.15


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us adopt them")
def test_the_time_of_orphans_counts() -> None:
    before = CLOCK.now()
    leaving = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BUSY!r}])"
    subprocess.run([sys.executable, "-c", leaving], check=True, start_new_session=True)

    wait_until(lambda: CLOCK.now()["processor"] - before["processor"] > 0.15)
