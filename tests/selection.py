"""Which tests are of which pattern, and which patterns have changed."""

import subprocess
from collections.abc import Iterable
from itertools import chain
from operator import itemgetter

import pytest
from rendering import ROOT

from sls_patterns_cli import catalog


def pattern_of(item: pytest.Item) -> str | None:
    """Return the pattern that a test is of, by its parameters; None if it is of no single one."""
    parameters = getattr(item, "callspec", None)
    for value in parameters.params.values() if parameters else ():
        variant = getattr(value, "variant", value)
        slug = getattr(variant, "pattern", value)
        if slug in catalog.slugs():
            return str(slug)
    return None


def is_whole(config: pytest.Config) -> bool:
    """Return whether a run has the tests of the whole suite, whatever marks it leaves out.

    Of a selection no pattern's share can be told: each pattern has other tests in it.
    """
    return is_all_of_its_part(config) and not config.getoption("--part", None)


def is_all_of_its_part(config: pytest.Config) -> bool:
    """Return whether a run has all tests of the part that it is of, or of all parts."""
    asked = ("--pattern", "--changed", "keyword", "deselect", "lf")
    whole_suite = config.args_source is config.ArgsSource.TESTPATHS
    return whole_suite and not any(config.getoption(each, None) for each in asked)


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
        if file.startswith((f"templates/patterns/{slug}/", f"tests/golden/{slug}/"))
    }


BUSY = ("static", "parity", "contract")
"""Folders of tests that keep a processor busy; those that take longest at a time come first."""
WAITING = ("test_the_proof_notices", "test_every_declared_proof_passes")
CROWDED = "test_conservation.py"
"""Sends so many messages that one test keeps all processors busy."""


def proofs_among_others(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in an order that keeps the processors evenly busy.

    Proofs mostly wait: one after another they would leave the processors idle, and the other tests
    would wait for them. Those that need all processors would wait for each other.
    """
    waiting: list[pytest.Item] = []
    crowded: list[pytest.Item] = []
    busy: dict[str, list[pytest.Item]] = {folder: [] for folder in BUSY}
    others: list[pytest.Item] = []
    for item in items:
        if getattr(item, "originalname", None) in WAITING:
            waiting.append(item)
        elif item.path.name == CROWDED:
            crowded.append(item)
        else:
            busy.get(item.path.parent.name, others).append(item)
    working = [*chain.from_iterable(busy.values())]
    places = [
        (at / len(part), each)
        for part in (waiting, crowded, working)
        for at, each in enumerate(part)
    ]
    return [*(item for _, item in sorted(places, key=itemgetter(0))), *others]
