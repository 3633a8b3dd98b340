"""What tests take is added up by pattern, and a pattern that takes too much fails the suite."""

import subprocess
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from local.support import wait_until
from spending import CLOCK, Clock, Spent, table

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_the_table_says_what_nineteen_patterns_would_take() -> None:
    spent: dict[str | None, Counter[str]] = {
        None: Counter(tests=9, seconds=80, processor=120),
        "quick": Counter(tests=5, seconds=60, processor=100),
        "slow": Counter(tests=7, seconds=300, processor=500),
    }

    lines = [" ".join(line.split()) for line in table(spent, ["slow", "quick"])]

    assert lines == [
        "pattern tests seconds processor",
        "quick 5 60 100",
        "slow 7 300 500 more than twice what it may take",
        "(no single one) 9 80 120",
        "19 patterns on 2 idle cores, by processor time: 48 minutes",  # (120 + 19 * 300) / 2 / 60
    ]


@pytest.mark.parametrize(
    ("pattern", "processor", "options", "exit_code"),
    [
        ("scalable-webhook", 301, {"--budget"}, 1),
        ("scalable-webhook", 300, {"--budget"}, 0),
        ("scalable-webhook", 301, set(), 0),
        (None, 301, {"--budget"}, 0),
    ],
)
def test_a_pattern_that_takes_twice_what_it_may_fails_the_suite(
    pattern: str | None, processor: float, options: set[str], exit_code: int
) -> None:
    spent = Spent()
    for taken in ({"processor": processor, "tests": 1}, {"processor": 0}):
        properties = [("spent", {"pattern": pattern, **taken})]
        report = SimpleNamespace(when="teardown", user_properties=properties)
        spent.pytest_runtest_logreport(cast("pytest.TestReport", report))
    session: Any = SimpleNamespace(
        config=SimpleNamespace(getoption=options.__contains__), exitstatus=0
    )

    spent.pytest_sessionfinish(session)

    assert session.exitstatus == exit_code


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
