"""The command line as users run it, and which patterns' tests run and how long they take."""

import os
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Cli, environment

from sls_patterns_cli import catalog

ROOT = Path(__file__).parents[1]
PLANNED = 19
"""As many patterns are planned; one may take 75 seconds of `make test` on two idle cores."""
SECONDS_OF_A_PATTERN, CORES = 75, 2

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
    parser.addoption("--pattern", choices=catalog.slugs(), help="only the tests of this pattern")
    parser.addoption(
        "--changed", action="store_true", help="only the tests of patterns that differ from main"
    )


def pattern_of(item: pytest.Item) -> str | None:
    """Return the pattern that a test is of, by its parameters; None if it is of no single one."""
    parameters = getattr(item, "callspec", None)
    for value in parameters.params.values() if parameters else ():
        variant = getattr(value, "variant", value)
        slug = getattr(variant, "pattern", value)
        if slug in catalog.slugs():
            return str(slug)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted: set[str | None]
    if only := config.getoption("--pattern"):
        wanted = {only}
    elif config.getoption("--changed"):
        wanted = {None, *changed_patterns(files_that_differ_from_main())}
    else:
        return
    config.hook.pytest_deselected(items=[i for i in items if pattern_of(i) not in wanted])
    items[:] = [item for item in items if pattern_of(item) in wanted]


def files_that_differ_from_main() -> list[str]:
    """Return the files of this branch and of the working tree that are not those of main."""

    def git(*arguments: str) -> list[str]:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()

    fork = git("merge-base", "HEAD", "main") or git("merge-base", "HEAD", "origin/main")
    base = fork[0] if fork else "HEAD"
    return [*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")]


def changed_patterns(files: list[str]) -> set[str]:
    """Return the patterns whose own files or golden files are among these.

    A change to a shared template is a change of the patterns whose golden file it changes.
    """
    return {
        slug
        for slug in catalog.slugs()
        for file in files
        if file.startswith(f"templates/patterns/{slug}/") or file == f"tests/golden/{slug}.txt"
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note how long a test takes with its fixtures, and its processor time with its children's."""
    start, used = time.monotonic(), sum(os.times()[:4])
    spent = {"pattern": pattern_of(item), "start": start, "used": used}
    item.user_properties.append(("spent", spent))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    result = yield
    for name, value in item.user_properties:
        if name == "spent":
            assert isinstance(value, dict)
            value["seconds"] = time.monotonic() - value.pop("start")
            value["processor"] = sum(os.times()[:4]) - value.pop("used")
    return result


class Spent:
    """Adds up what the tests of each pattern have taken, and says what nineteen would take."""

    def __init__(self) -> None:
        self.seconds: dict[str | None, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "spent" and isinstance(value, dict):
                    of_pattern = self.seconds[value["pattern"]]
                    of_pattern["tests"] += 1
                    of_pattern["seconds"] += value["seconds"]
                    of_pattern["processor"] += value["processor"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if patterns := [slug for slug in self.seconds if slug]:
            terminalreporter.section("time by pattern")
            for line in table(self.seconds, patterns):
                terminalreporter.write_line(line)


def table(seconds: dict[str | None, Counter[str]], patterns: list[str]) -> Iterator[str]:
    """Yield the lines of the report.

    No test fails on them: a busy machine would fail it. Processor time depends on that least.
    """
    yield f"{'pattern':30}{'tests':>7}{'seconds':>10}{'processor':>12}"
    for slug in (*sorted(patterns), None):
        of_pattern = seconds[slug]
        figures = f"{of_pattern['seconds']:>10.0f}{of_pattern['processor']:>12.0f}"
        much = slug and of_pattern["processor"] > 2 * SECONDS_OF_A_PATTERN * CORES
        said = "  more than twice what was planned" if much else ""
        yield f"{slug or '(no single one)':30}{of_pattern['tests']:>7}{figures}{said}"
    mean = sum(seconds[slug]["processor"] for slug in patterns) / len(patterns)
    minutes = (seconds[None]["processor"] + PLANNED * mean) / CORES / 60
    yield f"{PLANNED} patterns on {CORES} idle cores, by processor time: {minutes:.0f} minutes"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Spent())
