"""What tests take: the processor time of whatever they start, by pattern.

What many patterns need and one of them makes first (an environment with CDK in it, the types of its
packages) is of none: nineteen patterns do not make it nineteen times. So is a test that is marked
`of_all_patterns`, as one of a single pattern shows what holds for all.
"""

import ctypes
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest
from selection import pattern_of

from sls_patterns_cli import catalog

CORES = 2

TOO_MUCH = 3
"""Times the median: compared with the others of the same run, as machines differ in their speed."""

PROPERTY = "spent"


class Clock:
    """The seconds of this process, and the processor's: for it, its children and its servers."""

    def __init__(self) -> None:
        self._servers: set[int] = set()
        self._shared = Counter[str]()

    def watch(self, pid: int) -> None:
        """Add to it the time of a child, as long as that lives, and of what that has started."""
        self._servers.add(pid)

    def now(self) -> Counter[str]:
        _wait_for_orphans()
        processor = sum(os.times()[:4]) + _of_living(self._servers)
        return Counter({"seconds": time.monotonic(), "processor": processor})

    def shared(self) -> Counter[str]:
        """What was spent in blocks of `of_no_pattern` so far."""
        return self._shared.copy()

    @contextmanager
    def of_no_pattern(self) -> Iterator[None]:
        """In the block is done what is done once, whichever pattern comes first."""
        before, shared = self.now(), self.shared()
        try:
            yield
        finally:
            # What blocks inside this one have added is part of it.
            self._shared = shared + _difference(self.now(), before)


CLOCK = Clock()


def _difference(after: Counter[str], before: Counter[str]) -> Counter[str]:
    return Counter({name: after[name] - before[name] for name in after})


TICKS = os.sysconf("SC_CLK_TCK")


def _of_living(servers: set[int]) -> float:
    """Return the processor time of processes, their descendants and those that these waited for.

    Only Linux tells it of processes that live; elsewhere they count when they have ended.
    """
    ticks, looked_for = 0, list(servers)
    while looked_for:
        pid = looked_for.pop()
        with suppress(OSError):  # it has ended, or this is no Linux
            ticks += sum(map(int, _stat(pid)[11:15]))
            looked_for.extend(_children(pid))
    return ticks / TICKS


PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind, as far as Linux lets us.

    The functions of a local stack are left when it is killed; nobody else would tell their time.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_for_orphans() -> None:
    """Wait for those that have ended, which adds their time to that of our children.

    They are told from our own children by their session, which somebody else began.
    """
    with suppress(OSError):  # this is no Linux
        for pid in _children(os.getpid()):
            _wait_for_orphan(pid)


def _children(pid: int) -> list[int]:
    """Return the children of a process; raises OSError where nobody tells them."""
    children: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - a path for each takes longer
        with suppress(OSError):  # the thread has ended meanwhile
            children += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return children


def _wait_for_orphan(pid: int) -> None:
    with suppress(OSError):  # it has been waited for meanwhile
        state, _, _, session = _stat(pid)[:4]
        if state == "Z" and int(session) not in {os.getsid(0), pid}:
            os.waitpid(pid, os.WNOHANG)


def _stat(pid: int) -> list[str]:
    """Return the fields of `/proc/<pid>/stat` that come after the name of the program."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _read(file: str) -> str:
    with open(file) as opened:  # noqa: PTH123 - several for each test: a path takes longer
        return opened.read()


STARTED = pytest.StashKey[tuple[Counter[str], Counter[str]]]()
ENDED = pytest.StashKey[Counter[str]]()
"""Of the session: when its last test ended, which is when the next one starts."""


def start(item: pytest.Item) -> None:
    now = item.session.stash.get(ENDED, None) or CLOCK.now()
    item.stash[STARTED] = now, CLOCK.shared()


def end(item: pytest.Item) -> None:
    """Note what a test has taken, with its fixtures, among the properties that its report has."""
    before, shared = item.stash[STARTED]
    now = item.session.stash[ENDED] = CLOCK.now()
    of_none = _difference(CLOCK.shared(), shared)
    of_test = _difference(_difference(now, before), of_none)
    own = None if item.get_closest_marker("of_all_patterns") else pattern_of(item)
    one = {"tests": 1, "exhaustive": int(item.get_closest_marker("exhaustive") is not None)}
    for pattern, taken in ((own, {**one, **of_test}), (None, dict(of_none))):
        item.user_properties.append((PROPERTY, {"pattern": pattern, **taken}))


class Spent:
    """Adds up what the tests of each pattern have taken."""

    def __init__(self, costs: Path | None = None, *, whole: bool = True) -> None:
        """`costs` is a file that each test adds a line to as it ends: its seconds and its name.

        Only of a `whole` run a pattern may take too much.
        """
        self.seconds: dict[str | None, Counter[str]] = defaultdict(Counter)
        self._costs = costs
        self._whole = whole

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        for name, taken in report.user_properties:
            if name == PROPERTY and isinstance(taken, dict):
                for what in ("tests", "exhaustive", "seconds", "processor"):
                    self.seconds[taken["pattern"]][what] += taken.get(what, 0)
                if self._costs and taken.get("tests"):
                    with self._costs.open("a") as costs:
                        costs.write(f"{taken['processor']:8.2f} {report.nodeid}\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if any(self.seconds):
            terminalreporter.section("time by pattern")
            for line in table(self.seconds, self._too_much()):
                terminalreporter.write_line(line)

    def _too_much(self) -> set[str]:
        return too_much(self.seconds) if self._whole else set()


def too_much(seconds: dict[str | None, Counter[str]]) -> set[str]:
    """Return the patterns that take more than `TOO_MUCH` times what the one in the middle takes.

    Processor time, as it depends least on what else a machine does. A run of every test says
    nothing: it has those of each variant, and one pattern has four variants, another twenty.
    """
    if any(of_pattern["exhaustive"] for of_pattern in seconds.values()):
        return set()
    taken = {slug: of_pattern["processor"] for slug, of_pattern in seconds.items() if slug}
    if set(taken) != set(catalog.slugs()):
        return set()  # tests were interrupted
    allowed = TOO_MUCH * median(taken.values())
    return {slug for slug, processor in taken.items() if processor > allowed}


def table(seconds: dict[str | None, Counter[str]], marked: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of the report; of `marked` patterns it says that they take too much."""
    yield f"{'pattern':30}{'tests':>7}{'seconds':>10}{'processor':>12}"
    for slug in (*sorted(filter(None, seconds)), None):
        of_pattern = seconds[slug]
        figures = f"{of_pattern['seconds']:>10.0f}{of_pattern['processor']:>12.0f}"
        said = f"  more than {TOO_MUCH} times the median" if slug in marked else ""
        yield f"{slug or '(no single one)':30}{of_pattern['tests']:>7}{figures}{said}"
    minutes = sum(each["processor"] for each in seconds.values()) / CORES / 60
    yield f"on {CORES} idle cores, by processor time: {minutes:.0f} minutes"
