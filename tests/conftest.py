"""The command line as users run it, and which patterns' tests run and how long they take."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import changes
import green
import memory
import parts
import proven
import pytest
import rendering
import spending
from command import Cli, environment
from kept import digest
from selection import (
    is_all_of_its_part,
    is_whole,
    of_what_changed,
    pattern_of,
    proofs_among_others,
)

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.translator import import_translator

NO_PATTERN = "none"
CHANGES = "changes"
CHANGED = pytest.StashKey[changes.Changes]()

# What runs in the background or under nohup ignores them, and so would all that the tests start.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    return Cli(folder, environment(home))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pattern",
        choices=(*catalog.slugs(), NO_PATTERN),
        help=f"only the tests of this pattern; {NO_PATTERN}: only those of no single pattern",
    )
    parser.addoption(
        "--changed", action="store_true", help="only the tests that concern what differs from main"
    )
    parser.addoption("--part", choices=parts.PARTS, help="only the tests of this part, of all")
    parser.addoption(
        "--unless-green",
        action="store_true",
        help="leave out the emulator's tests if they have passed with what is there now",
    )
    parser.addoption(
        "--unless-proven",
        action="store_true",
        help="leave out proofs that have passed with the same patterns, tool and tests",
    )
    parser.addoption("--costs", type=Path, help="a file to which each test adds its processor time")


LONGEST_NAME = 200


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a long text by its start: each worker sends the names of all tests."""
    if not isinstance(val, str | bytes) or len(val) <= LONGEST_NAME:
        return None
    start = val[:40] if isinstance(val, str) else val[:40].decode(errors="backslashreplace")
    return f"{start}... {digest(val)[:8]}"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let Python not look for garbage among thousands of tests, which stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)  # of what is left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _select(config, items)
    items[:] = proofs_among_others(items)


def _select(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--unless-proven"):
        _keep(config, items, [each for each in items if not proven.is_proven(each)])
    if only := config.getoption("--pattern"):
        wanted = [each for each in items if (pattern_of(each) or NO_PATTERN) == only]
    elif part := config.getoption("--part"):
        wanted = [each for each in items if parts.part_of(each) == part]
    elif config.getoption("--changed"):
        wanted = of_what_changed(items, _changes(config))
    elif config.getoption("--unless-green") and green.is_green():
        wanted = [each for each in items if not green.is_of_the_emulator(each)]
    else:
        return
    _keep(config, items, wanted)


def _keep(config: pytest.Config, items: list[pytest.Item], wanted: list[pytest.Item]) -> None:
    kept = {*wanted}
    config.hook.pytest_deselected(items=[each for each in items if each not in kept])
    items[:] = wanted


def _changes(config: pytest.Config) -> changes.Changes:
    """Return what differs from main: looked for once, and handed to the workers."""
    if hasattr(config, "workerinput"):
        return changes.Changes(**config.workerinput[CHANGES])
    found = config.stash.get(CHANGED, None) or changes.changes()
    config.stash[CHANGED] = found
    return found


@pytest.hookimpl(optionalhook=True)  # there is none with one process
def pytest_configure_node(node: Any) -> None:
    if node.config.getoption("--changed"):
        node.workerinput[CHANGES] = vars(_changes(node.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    spending.start(item)
    with rendering.only(proven.patterns_of(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with proven.proving(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    result = yield
    spending.end(item)
    memory.forget(item)
    return result


class Failures:
    """Tells of each failure when it happens: a long run need not end before it is looked into."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"{report.when} of {report.nodeid} failed")
            self._reporter.write_line(report.longreprtext)


def pytest_configure(config: pytest.Config) -> None:
    memory.write_in_memory()
    spending.adopt_orphans()
    import_translator({})  # before tests import boto3, as commands do: it checks less each time
    if not hasattr(config, "workerinput"):
        costs = config.getoption("--costs")
        config.pluginmanager.register(spending.Spent(costs, whole=is_whole(config)))
        if config.getoption("--part") == green.PART and is_all_of_its_part(config):
            config.pluginmanager.register(green.Green())


@pytest.hookimpl(trylast=True)  # when there is a terminal reporter
def pytest_sessionstart(session: pytest.Session) -> None:
    if reporter := session.config.pluginmanager.get_plugin("terminalreporter"):
        session.config.pluginmanager.register(Failures(reporter))
