"""Merges a text, and settles conflicts about which nobody has to think."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from sls_patterns_cli.system import git
from sls_patterns_cli.updating import pins
from sls_patterns_cli.updating.wording import is_same


@dataclass(frozen=True)
class Settled:
    """A merged text."""

    content: bytes
    conflicting: bool
    """Whether it holds conflicts between markers."""
    reworded: int = 0
    """Places where the template changed words alone that are as the user has them."""


@dataclass(frozen=True)
class _Hunk:
    """Lines of the base from `start` to `end`, and what the template has instead."""

    start: int
    end: int
    lines: list[bytes]


def merged(path: str, ours: bytes, base: bytes, theirs: bytes, scratch: Path) -> Settled:
    """The three-way merge of the text at `path`; `scratch` is a folder for its use.

    If it conflicts, pins get the newer version, and lines that the user has changed stay where the
    template changed words alone.
    """
    content, conflicting = git.merged(ours, base, theirs, scratch)
    if not (conflicting and base):
        return Settled(content, conflicting)
    ours, base, theirs = pins.newest(path, ours, base, theirs)
    hunks = _hunks(base, theirs)
    left = list(hunks)
    for hunk in hunks:
        without = [each for each in left if each is not hunk]
        in_words = is_same(path, _with(base, left), _with(base, without))
        if in_words and git.merged(ours, base, _with(base, [hunk]), scratch)[1]:
            left = without
    content, conflicting = git.merged(ours, base, _with(base, left), scratch)
    return Settled(content, conflicting, reworded=len(hunks) - len(left))


def _hunks(base: bytes, theirs: bytes) -> list[_Hunk]:
    before, after = base.splitlines(keepends=True), theirs.splitlines(keepends=True)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return [
        _Hunk(start, end, after[first:last])
        for kind, start, end, first, last in matcher.get_opcodes()
        if kind != "equal"
    ]


def _with(base: bytes, hunks: Iterable[_Hunk]) -> bytes:
    """The base with some of the hunks."""
    lines, done = base.splitlines(keepends=True), 0
    made: list[bytes] = []
    for hunk in hunks:
        made += [*lines[done : hunk.start], *hunk.lines]
        done = hunk.end
    return b"".join([*made, *lines[done:]])
