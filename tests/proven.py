"""Proofs that have passed with the same patterns, tool and tests do not run again.

A test in `tests/proofs` is about the pattern of its parameters, or about those that its file names
(`pytestmark = pytest.mark.proves("state-machine")`). It can render no other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import kept
import pytest
import rendering
from environments import node
from selection import pattern_of

MARK = "proves"
TESTS = Path(__file__).parent
PROOFS = TESTS / "proofs"
KIND = "proven"


def patterns_of(item: pytest.Item) -> frozenset[str]:
    """Return the patterns that a proof is about; none if it may be about all, or is no proof."""
    if not item.path.is_relative_to(PROOFS):
        return frozenset()
    named = [name for mark in item.iter_markers(MARK) for name in mark.args]
    return frozenset(filter(None, [*named, pattern_of(item)]))


def is_proven(item: pytest.Item) -> bool:
    patterns = patterns_of(item)
    return bool(patterns) and not kept.is_off() and kept.is_kept(KIND, *look(item.nodeid, patterns))


@contextmanager
def proving(item: pytest.Item) -> Iterator[None]:
    """Keep that the test in the block has passed, if it does."""
    patterns = patterns_of(item)
    if not patterns:
        yield
        return
    with kept.kept(KIND, *look(item.nodeid, patterns)):
        yield


def look(test: str, patterns: frozenset[str]) -> kept.Look:
    """Return what decides how a test of these patterns ends."""
    return (test, tool_and_tests(), *map(rendering.digest_of, sorted(patterns)))


@cache
def tool_and_tests() -> str:
    """Return the digest of the tool, of all tests, and of what they run on."""
    root = TESTS.parent
    return kept.digest(
        root / "src", root / "requirements.lock", str(node()), *sorted(TESTS.rglob("*.py"))
    )
