"""Which tests are of which pattern, which patterns have changed, and what their tests take."""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from rendering import ROOT

from sls_patterns_cli import catalog

PLANNED = 19
"""As many patterns are planned; one may take 75 seconds of `make test` on two idle cores."""
SECONDS_OF_A_PATTERN, CORES = 75, 2


def pattern_of(item: pytest.Item) -> str | None:
    """Return the pattern that a test is of, by its parameters; None if it is of no single one."""
    parameters = getattr(item, "callspec", None)
    for value in parameters.params.values() if parameters else ():
        variant = getattr(value, "variant", value)
        slug = getattr(variant, "pattern", value)
        if slug in catalog.slugs():
            return str(slug)
    return None


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


def of_what_changed(items: list[pytest.Item], files: list[str]) -> list[pytest.Item]:
    """Return the tests of patterns that a change to these files concerns, and those of none.

    What a shared template changes is in the golden files; so each of them is compared then, and
    the other tests are those of the patterns whose golden file is not the same.
    """
    patterns = {None, *changed_patterns(files)}
    shared = any(
        file == "copier.yml"
        or (file.startswith("templates/") and not file.startswith("templates/patterns/"))
        for file in files
    )
    return [
        item
        for item in items
        if pattern_of(item) in patterns or (shared and item.path.name == "test_golden.py")
    ]


def changed_patterns(files: list[str]) -> set[str]:
    """Return the patterns whose own files or golden files are among these."""
    return {
        slug
        for slug in catalog.slugs()
        for file in files
        if file.startswith(f"templates/patterns/{slug}/") or file == f"tests/golden/{slug}.txt"
    }


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
